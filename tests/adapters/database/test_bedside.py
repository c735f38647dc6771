"""Tests the figures of what was shown and heard at the bedside, here on SQLite."""

from datetime import datetime, timedelta

from sqlalchemy import event, insert
from tests.adapters.database.conftest import AS_OF

from wardround.adapters.database.bedside import bedside_use
from wardround.adapters.database.tables import BEDSIDE_CARD, BEDSIDE_COMMENT, BEDSIDE_FEEDBACK
from wardround.report.bedside import BedsideUse
from wardround.settings import PROJECT
from wardround.spec.loading import load_condition

DAY = timedelta(days=1)
OWN = "urn:wardround:override-reason"
MARK = "canary-4711"


def show(connection, uuid, outcome="card", band="high", at: datetime = AS_OF - DAY, condition="sepsis"):
    texts = dict.fromkeys(("issuer", "service", "hook", "model_version", "patient_key", "inputs_digest"), "x")
    row = {"uuid": uuid, "at": at, "as_of": at, "condition": condition, "band": band, "outcome": outcome, **texts}
    connection.execute(insert(BEDSIDE_CARD), row)


def say(connection, card, outcome="overridden", code="", system=OWN, at: datetime = AS_OF, comment=""):
    key = f"{card} {outcome} {code} {at}"
    row = {"id": key, "card": card, "condition": "sepsis", "outcome": outcome, "suggestions": "[]", "at": at}
    reason = {"reason_system": system if code else "", "reason_code": code}
    connection.execute(insert(BEDSIDE_FEEDBACK), {**row, **reason, "arrived": at})
    if comment:
        connection.execute(insert(BEDSIDE_COMMENT), {"feedback": key, "comment": comment})


def fill_bedside(connection):
    for number in range(3):
        show(connection, f"high-{number}")
    show(connection, "moderate", band="moderate")
    show(connection, "again", outcome="locked_out")
    show(connection, "late", at=AS_OF + timedelta(seconds=1))
    show(connection, "long ago", at=AS_OF - 30 * DAY)
    show(connection, "another", condition="mortality")
    say(connection, "high-0", code="assessed", at=AS_OF - DAY, comment=MARK)
    say(connection, "high-0", "accepted", at=AS_OF + DAY)
    say(connection, "high-1", code="assessed")
    say(connection, "high-2", code=MARK, system="urn:ehr")
    say(connection, "moderate")
    say(connection, "again", code="wrong-data")
    say(connection, "late", code="assessed")
    say(connection, "another", code="assessed")
    say(connection, "nobody's")


def use_of(database):
    with database.writing() as connection:
        fill_bedside(connection)
    condition = load_condition("sepsis", PROJECT / "include" / "schemas")
    with database.reading() as connection:
        return bedside_use(connection, condition, AS_OF - 30 * DAY, AS_OF)


def require_use(use):
    assert use.shown == {"high": 3, "moderate": 1, "info": 1}
    assert {(one.group, one.outcome, one.reason): one.cards for one in use.given} == {
        ("high", "accepted", ""): 1,  # the last that was said of the card
        ("high", "overridden", "Assessed, no action needed now"): 1,
        ("high", "overridden", "Another reason"): 1,
        ("moderate", "overridden", ""): 1,
        ("info", "overridden", "The values are wrong or outdated"): 1,
    }
    assert use.unknown == 1


def test_the_last_feedback_on_each_card_of_the_days_before_is_counted_by_group_and_reason(database):
    require_use(use_of(database))


def test_no_text_of_an_ehr_and_no_comment_is_in_the_figures(database):
    use = use_of(database)
    assert MARK not in str(use.as_json())
    assert BedsideUse.model_validate(use.as_json()) == use


def test_where_nothing_was_shown_there_is_nothing(database):
    condition = load_condition("sepsis", PROJECT / "include" / "schemas")
    with database.reading() as connection:
        use = bedside_use(connection, condition, AS_OF - DAY, AS_OF)
    assert (dict(use.shown), use.given, use.unknown) == ({}, (), 0)


def test_the_figures_are_made_without_the_comments(database):
    asked = []
    with database.reading() as connection:
        event.listen(connection, "before_cursor_execute", lambda *given: asked.append(given[2]))
        condition = load_condition("sepsis", PROJECT / "include" / "schemas")
        bedside_use(connection, condition, AS_OF - DAY, AS_OF)
    assert asked
    assert not any("comment" in one for one in asked)
