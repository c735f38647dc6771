"""What is done about what a server holds already."""

from datetime import UTC, datetime
from typing import Any

from wardround.results.amendment import (
    RETRACTED_BY,
    SUPERSEDED_SYSTEM,
    decide,
    newest,
    overruled,
    retracted,
    superseded,
)
from wardround.results.risk_assessment import IDENTIFIER_SYSTEM

WANTED = {
    "resourceType": "RiskAssessment",
    "identifier": [{"system": IDENTIFIER_SYSTEM, "value": "v"}],
    "status": "final",
    "note": [{"text": "score 1"}],
}
AT = datetime(2026, 1, 2, 6, tzinfo=UTC)


def held(name: str, updated: str = "2026-01-02T05:00:00Z", **content: Any) -> dict[str, Any]:
    return {**WANTED, "id": name, "meta": {"lastUpdated": updated, "versionId": "1"}, **content}


def test_what_is_not_there_is_written_without_an_id() -> None:
    assert decide(WANTED, []).changes == (WANTED,)


def test_what_is_there_is_left_alone() -> None:
    decision = decide(WANTED, [held("a", status="amended")])
    assert (decision.changes, decision.withdrawn, decision.repairs) == ((), False, False)


def test_another_content_amends_the_servers_resource_and_keeps_its_tags() -> None:
    there = held("a", note=[{"text": "score 2"}])
    there["meta"]["tag"] = [{"code": "ward-7"}]
    (amended,) = decide(WANTED, [there]).changes
    assert amended == {**WANTED, "id": "a", "meta": there["meta"], "status": "amended"}


def test_what_a_person_took_back_stays_so_and_what_retract_took_back_may_be_written_again() -> None:
    assert decide(WANTED, [held("a", status="entered-in-error")]).withdrawn
    decision = decide(WANTED, [retracted(held("a"), "wrong ward", AT)])
    assert [(one["id"], one["status"]) for one in decision.changes] == [("a", "amended")]
    assert decision.changes[0]["note"] == WANTED["note"]


def test_that_the_server_held_several_is_said_also_where_the_newest_must_change() -> None:
    other = [{"text": "score 2"}]
    decision = decide(WANTED, [held("a", note=other), held("b", "2026-01-02T06:00:00Z", note=other)])
    assert [(one["id"], one["status"]) for one in decision.changes] == [("a", "entered-in-error"), ("b", "amended")]
    assert decision.repairs is True
    assert decide(WANTED, [held("a", note=other)]).repairs is False


def test_one_without_notes_or_identifiers_is_taken_back_as_any_other() -> None:
    bare = {"resourceType": "RiskAssessment", "id": "a", "status": "final"}
    assert superseded(bare) == {**bare, "status": "entered-in-error", "identifier": []}
    assert [note["text"] for note in retracted(bare, "wrong ward", AT)["note"]] == ["wrong ward"]
    assert decide(WANTED, [{**bare, "status": "entered-in-error"}]).withdrawn


def test_of_several_the_newest_stands_whatever_its_time_is_written_like() -> None:
    older, newer = held("z", "2026-01-02T06:30:00.5+01:00"), held("a", "2026-01-02T05:31:00Z")
    assert newest([older, newer]) is newer
    decision = decide(WANTED, [older, newer])
    assert decision.repairs
    assert decision.changes == (superseded(older),)


def test_of_several_of_one_moment_or_of_none_the_last_id_stands() -> None:
    assert newest([held("b"), held("c"), held("a")])["id"] == "c"
    assert newest([held("a", "2026-01-02T05:31:00"), held("b", "2026-01-02T05:30:00Z")])["id"] == "a", "no zone: UTC"
    assert newest([{"note": []}, {"id": "1"}]) == {"id": "1"}, "no id is before every id"
    assert newest([{"id": "a"}, {"id": "b", "meta": {"lastUpdated": "unknown"}}])["id"] == "b"
    assert newest([{"id": "a", "meta": None}, {"id": "b"}])["id"] == "b"


def test_one_that_was_taken_back_never_wins_over_one_that_stands() -> None:
    gone = held("b", "2026-01-02T09:00:00Z", status="entered-in-error")
    decision = decide(WANTED, [held("a"), gone])
    assert [change["id"] for change in decision.changes] == ["b"]


def test_a_superseded_one_gives_up_its_identifier_and_keeps_the_others() -> None:
    other = {"system": "urn:hospital", "value": "7"}
    result = superseded(held("a", identifier=[*WANTED["identifier"], other]))
    assert result["status"] == "entered-in-error"
    assert result["identifier"] == [{"use": "old", "system": SUPERSEDED_SYSTEM, "value": "v"}, other]


def test_a_retraction_says_when_and_why_and_keeps_the_rest() -> None:
    before = held("a")
    result = retracted(before, "wrong ward", AT)
    note = {"authorString": RETRACTED_BY, "time": "2026-01-02T06:00:00Z", "text": "wrong ward"}
    assert result == {**before, "status": "entered-in-error", "note": [*WANTED["note"], note]}


def test_what_somebody_took_back_before_ours_was_written_unseen_is_all_that_is_left() -> None:
    gone = held("b", status="entered-in-error")
    decision = decide(WANTED, [held("a"), gone], blind=True)
    assert (decision.changes, decision.withdrawn, decision.repairs) == ((superseded(held("a")),), True, False)
    by_us = retracted(held("b"), "wrong ward", AT)
    assert decide(WANTED, [held("a"), by_us], blind=True).withdrawn is False


def test_what_a_person_took_back_is_not_written_over_because_we_took_back_another() -> None:
    by_us = retracted(held("b", "2026-01-02T09:00:00Z"), "wrong ward", AT)
    decision = decide(WANTED, [held("a", status="entered-in-error"), by_us])
    assert (decision.changes, decision.withdrawn) == ((), True)


def test_what_lies_between_the_version_that_was_seen_and_ours_was_overruled_if_it_was_taken_back() -> None:
    def version(number: str, status: str = "final") -> dict[str, Any]:
        return held("a", meta={"versionId": number}, status=status)

    gone = version("2", "entered-in-error")
    assert overruled([version("3"), gone, version("1")], before="1", now="3") == gone
    assert overruled([version("2"), version("1", "entered-in-error")], before="1", now="2") is None
    assert overruled([version("2"), version("1", "entered-in-error")], before="", now="2") is not None
    assert overruled([version("5"), version("4"), gone], before="1", now="5") is None
    assert overruled([gone, version("1")], before="1", now="3") is None, "ours is not told of"
    assert overruled([], before="1", now="3") is None
