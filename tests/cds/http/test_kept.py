"""Tests over HTTP that feedback is kept, and that a clinician's comment is in the database and nowhere else."""

import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from tests.cds.http.test_audit import CALL
from tests.fixtures.icu import AS_OF

from wardround.adapters.database.database import opened
from wardround.cds.exchange import Heard
from wardround.cds.http.options import Options
from wardround.cds.http.serving import keeping_of
from wardround.cds.keeping import Feedback
from wardround.cds.kept_in_database import keeping_in
from wardround.settings import database_in
from wardround.spec.servers import GENERIC

MARK = "canary-4711"
FEEDBACK = "/cds-services/sepsis-risk/feedback"
PATIENT = 60.0  # seconds


@pytest.fixture
def served_by(serve, door, tmp_path):
    """served_by(keeping) serves a door that keeps its calls there."""

    def start(keeping):
        mine = replace(door, means=replace(door.means, keeping=keeping))
        return serve(lambda request: mine.answer(replace(request, arrived=AS_OF)))

    return start


@pytest.fixture
def served(served_by, tmp_path):
    with opened(database_in(tmp_path)) as database, keeping_in(database, timedelta(days=180), PATIENT) as keeping:
        yield served_by(keeping)


def query(tmp_path, statement):
    with closing(sqlite3.connect(tmp_path / "wardround.sqlite")) as connection:
        return connection.execute(statement).fetchall()


def entry(card, **changed):
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-01-02T05:00:07Z", **changed}


def test_feedback_by_all_rules_is_kept_and_its_comment_is_nowhere_else(served, ehr, tmp_path, caplog):
    with caplog.at_level(logging.DEBUG):
        [card] = served.call(data=orjson.dumps(ehr.call())).json()["cards"]
        reason = {"reason": card["overrideReasons"][0], "userComment": MARK}
        accepted = {"outcome": "accepted", "acceptedSuggestions": [{"id": "one"}], "extension": {"a.b": {}}}
        given = [
            entry(card["uuid"], overrideReason=reason),
            entry(card["uuid"], **accepted),
            entry("5e57a3a4-3f2f-4c2f-9d0e-1c2a3b4c5d6e", overrideReason={"userComment": MARK}),
        ]
        for _ in range(2):
            answer = served.call(path=FEEDBACK, data=orjson.dumps({"feedback": given}))
            assert (answer.status_code, answer.content) == (200, b"")
        wrong = served.call(path=FEEDBACK, data=orjson.dumps({"feedback": [entry(card["uuid"], outcome=MARK)]}))
    assert wrong.status_code == 400

    kept = query(tmp_path, "select card, outcome, reason_code from bedside_feedback order by outcome, reason_code")
    assert sorted(kept) == sorted(
        [
            (card["uuid"], "overridden", card["overrideReasons"][0]["code"]),
            (card["uuid"], "accepted", ""),
            ("5e57a3a4-3f2f-4c2f-9d0e-1c2a3b4c5d6e", "overridden", ""),
        ]
    )
    assert query(tmp_path, "select comment from bedside_comment") == [(MARK,)]
    metrics = served.metrics()
    assert 'wardround_cds_feedback_total{card="known"} 4' in metrics
    assert 'wardround_cds_feedback_total{card="unknown"} 2' in metrics
    assert caplog.records
    for place in (caplog.text, metrics, orjson.dumps(served.audit()).decode(), wrong.text):
        assert MARK not in place


@pytest.mark.parametrize(("as_of", "known"), [(None, 1), (AS_OF, 0)])
def test_the_service_keeps_its_calls_in_the_database_but_not_those_of_a_playback(bedside, tmp_path, as_of, known):
    options = Options(bedside, "https://cds.example.org", (), GENERIC, None, as_of, False, (), tmp_path)
    with opened(database_in(tmp_path)) as database, keeping_of(options, database, PATIENT) as keeping:
        keeping.kept(CALL)
        heard = keeping.heard([Feedback(CALL.card, "overridden", (), None, AS_OF, "")], "sepsis", AS_OF)
    assert heard == Heard(known, 1 - known)
    assert len(query(tmp_path, "select * from bedside_card")) == known
    assert len(query(tmp_path, "select * from bedside_feedback")) == known


def test_a_locked_database_is_said_in_audit_and_metrics_and_costs_no_card(served_by, ehr, tmp_path, caplog):
    with (
        opened(database_in(tmp_path)) as database,
        keeping_in(database, timedelta(days=180), 0.2) as keeping,
        closing(sqlite3.connect(tmp_path / "wardround.sqlite", isolation_level=None)) as other,
    ):
        served = served_by(keeping)
        other.execute("begin immediate")
        [card] = served.call(data=orjson.dumps(ehr.call())).json()["cards"]
        later = served.call(path=FEEDBACK, data=orjson.dumps({"feedback": [entry(card["uuid"])]}))
        other.execute("rollback")

    assert card["indicator"] == "critical"
    assert (later.status_code, later.headers["Retry-After"]) == (503, "30")
    [event, _] = served.audit()
    details = {one["type"]: one["valueString"] for entity in event["entity"] for one in entity.get("detail", [])}
    assert (details["outcome"], details["kept"]) == ("card", "false")
    assert "wardround_cds_unkept_total 1" in served.metrics()
    [said] = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
    assert said.startswith("the database (cards and feedback) cannot be used: DatabaseError in ")


def test_an_outage_of_the_database_is_logged_once_and_its_end_with_what_it_has_cost(served_by, ehr, kept, caplog):
    caplog.set_level(logging.WARNING)
    served, kept.broken = served_by(kept), True
    for patient in ("p-a", "p-mid", "p-a"):
        assert len(served.call(data=orjson.dumps(ehr.call(patient))).json()["cards"]) == 1
    # Nothing is kept of a call without a card.
    assert served.call(data=orjson.dumps(ehr.call("p-low"))).json()["cards"] == []
    feedback = {"feedback": [entry("5e57a3a4-3f2f-4c2f-9d0e-1c2a3b4c5d6e")]}
    assert served.call(path=FEEDBACK, data=orjson.dumps(feedback)).status_code == 503
    kept.broken = False
    for _ in range(2):
        assert served.call(path=FEEDBACK, data=orjson.dumps(feedback)).status_code == 200

    began, ended = [one.getMessage() for one in caplog.records if one.name.startswith("wardround")]
    assert began.startswith("the database (cards and feedback) cannot be used: DatabaseError in ")
    assert ended == "the database (cards and feedback) can be used again; meanwhile, 4 requests were not kept"
