"""Removes what the bedside door has kept, in the caller's transaction: what is old, a patient's, or of another ward."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, or_, select

from wardround.adapters.database.tables import BEDSIDE_CARD, BEDSIDE_COMMENT, BEDSIDE_FEEDBACK, NOTIFICATION


class Erased(NamedTuple):
    """How many rows of each kind were removed."""

    cards: int
    feedback: int
    comments: int
    lock_outs: int


def purge(connection: Connection, kept_from: datetime, told_from: datetime) -> None:
    """Removes cards, feedback on them and comments from before `kept_from`, and lock-outs from before `told_from`.

    What the stream has told, which has no card, is the stream's (`notifications.forget_told`).
    """
    card, feedback = BEDSIDE_CARD.c, BEDSIDE_FEEDBACK.c
    old_cards = select(card.uuid).where(card.at < kept_from)
    # Feedback goes with its card, or it would count as feedback on a card that is not known.
    old = feedback.card.in_(old_cards) | (feedback.arrived < kept_from)
    connection.execute(delete(BEDSIDE_FEEDBACK).where(old))
    connection.execute(delete(BEDSIDE_CARD).where(card.at < kept_from))
    connection.execute(delete(NOTIFICATION).where(NOTIFICATION.c.at < told_from, NOTIFICATION.c.card != ""))


def erase_patient(connection: Connection, patient_key: str, stay_keys: Sequence[str] = ()) -> Erased:
    """Removes the cards of the patient, the feedback on them with its comments, and the lock-outs that they began.

    Lock-outs whose card has been removed before are found by the keys of their stays alone.
    """
    theirs = select(BEDSIDE_CARD.c.uuid).where(BEDSIDE_CARD.c.patient_key == patient_key)
    on_them = BEDSIDE_FEEDBACK.c.card.in_(theirs)
    told = or_(NOTIFICATION.c.card.in_(theirs), NOTIFICATION.c.stay.in_(stay_keys))
    commented = BEDSIDE_COMMENT.c.feedback.in_(select(BEDSIDE_FEEDBACK.c.id).where(on_them))
    # A comment goes with its feedback.
    comments = connection.execute(select(func.count()).select_from(BEDSIDE_COMMENT).where(commented)).scalar_one()
    lock_outs = connection.execute(delete(NOTIFICATION).where(told)).rowcount
    feedback = connection.execute(delete(BEDSIDE_FEEDBACK).where(on_them)).rowcount
    cards = connection.execute(delete(BEDSIDE_CARD).where(BEDSIDE_CARD.c.patient_key == patient_key)).rowcount
    return Erased(cards, feedback, comments, lock_outs)


def forget_lock_outs(connection: Connection) -> None:
    """Removes all lock-outs: the next card of each stay is the first."""
    connection.execute(delete(NOTIFICATION))
