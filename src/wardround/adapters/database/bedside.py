"""Counts in the database what the bedside door showed and heard, in the caller's transaction; reads no comment."""

from collections import Counter
from datetime import datetime
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, case, func, select

from wardround.adapters.database.tables import BEDSIDE_CARD, BEDSIDE_FEEDBACK, NOTIFICATION, STREAM_VISIT
from wardround.report.bedside import ANOTHER_REASON, INFO, BedsideUse, Given
from wardround.spec.conditions import Condition

_ALERT: Final = "card"  # the outcome of a call that alerted


def bedside_use(connection: Connection, condition: Condition, since: datetime, until: datetime) -> BedsideUse:
    """Returns what was shown from `since` to `until`, and what was said of it until now.

    Of reasons, the words of the condition are returned, and never an EHR's: those could be about a patient.
    """
    card, feedback = BEDSIDE_CARD.c, BEDSIDE_FEEDBACK.c
    group = case((card.outcome == _ALERT, card.band), else_=INFO).label("card_group")
    mine = (card.condition == condition.id, card.at > since, card.at <= until)
    shown = connection.execute(select(group, func.count()).where(*mine).group_by("card_group")).all()
    said = connection.execute(
        select(card.uuid, group, feedback.outcome, feedback.reason_system, feedback.reason_code)
        .join(BEDSIDE_FEEDBACK, feedback.card == card.uuid)
        .where(*mine)
        .order_by(card.uuid, feedback.at, feedback.arrived, feedback.id)
        .execution_options(yield_per=1_000)
    )
    words = {(one.system, one.code): one.display for one in condition.bedside.reasons}
    last = Counter(
        (group, outcome, words.get((system, code), ANOTHER_REASON) if code else "")
        for _, rows in groupby(said, lambda row: row[0])
        for _, group, outcome, system, code in [list(rows)[-1]]
    )
    return BedsideUse(
        shown={str(name): int(number) for name, number in shown},
        given=tuple(
            Given(group=group, outcome=outcome, reason=reason, cards=number)
            for (group, outcome, reason), number in sorted(last.items())
        ),
        unknown=_unknown(connection, condition, since, until),
    )


def is_anybody_known(connection: Connection) -> bool:
    """Returns whether a patient, a stay or a visit is kept by its keyed hash."""
    tables = (BEDSIDE_CARD, NOTIFICATION, STREAM_VISIT)
    return any(connection.execute(select(func.count()).select_from(table)).scalar() for table in tables)


def _unknown(connection: Connection, condition: Condition, since: datetime, until: datetime) -> int:
    card, feedback = BEDSIDE_CARD.c, BEDSIDE_FEEDBACK.c
    known = select(card.uuid).where(card.uuid == feedback.card).exists()
    asked = select(func.count()).where(
        feedback.condition == condition.id, feedback.arrived > since, feedback.arrived <= until, ~known
    )
    return int(connection.execute(asked).scalar() or 0)
