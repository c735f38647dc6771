"""Tests writing in rounds: what each answer of a server leads to, and what is reported for each stay in the end."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.results.amendment import RETRACTED_BY, SUPERSEDED_SYSTEM
from wardround.results.risk_assessment import IDENTIFIER_SYSTEM
from wardround.spec.servers import GENERIC, ServerProfile
from wardround.workflows.screen.settle import ROUNDS, Settled, settle
from wardround.workflows.screen.written import Written

Resource = dict[str, Any]
Take = Callable[[Resource], str]
"""What is asked by an entry of a batch in, the status that it is answered with out."""


def risk(key: str, **content: Any) -> Resource:
    """Returns the RiskAssessment of Encounter e-<key>."""
    return {
        "resourceType": "RiskAssessment",
        "status": "final",
        "identifier": [{"system": IDENTIFIER_SYSTEM, "value": key}],
        **content,
    }


class Shelf:
    """A server that holds RiskAssessments, and handles each write as `take` decides."""

    def __init__(self, server: Any, page: Any, reply: Any) -> None:
        self.held: list[Resource] = []
        self.take: Take = self.keep
        self.batches: list[list[Resource]] = []
        self.history: list[Resource] = []  # the versions of whichever resource is asked about
        self.told = 0  # how often it was asked for
        self._url, self._page, self._reply = server.url, page, reply
        server.answer = self._answer

    def put(self, key: str, name: str, **content: Any) -> None:
        self.held.append(risk(key, id=name, meta={"versionId": "1", "lastUpdated": "2026-01-02T05:00:00Z"}, **content))

    def keep(self, entry: Resource) -> str:
        """Handles a write correctly: a resource with an id replaces that resource, one without is new."""
        resource = {"id": f"new-{len(self.held)}", **entry["resource"]}
        self.held = [one for one in self.held if one["id"] != resource["id"]] + [resource]
        return "200" if "id" in entry["resource"] else "201"

    def settled(self, *wanted: Resource, profile: ServerProfile = GENERIC) -> tuple[Settled, Written]:
        account = Written()
        by_identity = {one["identifier"][0]["value"]: one for one in wanted}
        with FhirClient(FhirEndpoint(self._url, profile=profile)) as client:
            return settle(by_identity, {key: f"e-{key}" for key in by_identity}, client, account), account

    def _answer(self, request: Any) -> Any:
        if request.path.endswith("/_history"):
            self.told += 1
            return self._page(*self.history)
        if request.path.endswith("/_search"):
            wanted = [token.rpartition("|")[2] for token in ",".join(request.form["identifier"]).split(",")]
            names = [(one, item) for one in self.held for item in one["identifier"]]
            return self._page(
                *(one for one, item in names if item["system"] == IDENTIFIER_SYSTEM and item["value"] in wanted)
            )
        entries = json.loads(request.body)["entry"]
        self.batches.append(entries)
        answered = [{"response": {"status": self.take(entry)}} for entry in entries]
        return self._reply({"resourceType": "Bundle", "type": "batch-response", "entry": answered})


def failed(account: Written) -> dict[str, str]:
    return {stay: str(reason) for stay, reason in account.failed.items()}


@pytest.fixture
def shelf(server, page, reply) -> Shelf:
    return Shelf(server, page, reply)


def test_what_is_new_is_written_once_and_known_as_new(shelf: Shelf) -> None:
    settled, account = shelf.settled(risk("a"), risk("b"))
    assert (account.written, account.unchanged, account.failed) == ({"e-a", "e-b"}, set(), {})
    assert {key: one["id"] for key, one in settled.kept.items()} == {"a": "new-0", "b": "new-1"}
    assert settled.new == {"a", "b"}
    assert len(shelf.batches) == 1


def test_what_is_there_is_unchanged_and_what_differs_is_amended_and_neither_is_new(shelf: Shelf) -> None:
    shelf.put("a", "r-a")
    shelf.put("b", "r-b", note=[{"text": "other"}])
    settled, account = shelf.settled(risk("a"), risk("b"))
    assert (account.written, account.unchanged, account.failed) == ({"e-a", "e-b"}, {"e-a"}, {})
    assert settled.new == set()
    assert settled.kept["b"]["status"] == "amended"
    assert [entry["request"] for batch in shelf.batches for entry in batch] == [
        {"method": "PUT", "url": "RiskAssessment/r-b", "ifMatch": 'W/"1"'}
    ]


@pytest.mark.parametrize("status", ["404", "409", "410", "412"])
def test_a_write_that_is_overtaken_in_every_round_fails_with_its_status(shelf: Shelf, status: str) -> None:
    shelf.take = lambda _entry: status
    settled, account = shelf.settled(risk("a"))
    assert failed(account) == {"e-a": f"write:{status}"}
    assert (account.written, settled.kept, settled.new) == (set(), {}, set())
    assert len(shelf.batches) == ROUNDS - 1, "the last round only looks"


@pytest.mark.parametrize("status", ["400", "401", "422"])
def test_a_write_that_is_refused_fails_at_once_and_alone(shelf: Shelf, status: str) -> None:
    shelf.take = lambda entry: (
        status if "=urn:wardround:risk-assessment|a" in entry["request"]["url"] else shelf.keep(entry)
    )
    _, account = shelf.settled(risk("a"), risk("b"))
    assert failed(account) == {"e-a": f"write:{status}"}
    assert account.written == {"e-b"}
    assert len(shelf.batches) == 1


def test_a_write_that_the_server_takes_and_does_not_keep_fails_as_not_found(shelf: Shelf) -> None:
    shelf.take = lambda _entry: "201"
    _, account = shelf.settled(risk("a"))
    assert failed(account) == {"e-a": "write:not_found"}
    assert len(shelf.batches) == 1


def test_what_a_server_changes_of_what_it_took_is_kept_and_not_written_again(shelf: Shelf) -> None:
    def rounded(entry: Resource) -> str:
        return shelf.keep({"resource": {**entry["resource"], "note": [{"text": "the server's own"}]}})

    shelf.take = rounded
    settled, account = shelf.settled(risk("a"))
    assert (account.written, account.unchanged, account.failed) == ({"e-a"}, set(), {})
    assert settled.new == {"a"}
    assert len(shelf.batches) == 1


def test_two_results_with_one_identifier_become_one_and_the_stay_is_repaired(shelf: Shelf) -> None:
    shelf.put("a", "r-1")
    shelf.put("a", "r-2")
    settled, account = shelf.settled(risk("a"))
    assert (account.written, account.repaired, account.failed) == ({"e-a"}, {"e-a"}, {})
    assert settled.kept["a"]["id"] == "r-2"
    (gone,) = [one for one in shelf.held if one["id"] == "r-1"]
    assert (gone["status"], gone["identifier"][0]["system"]) == ("entered-in-error", SUPERSEDED_SYSTEM)


@pytest.mark.parametrize(("status", "reason"), [("400", "write:400"), ("412", "write:412"), ("200", "write:duplicate")])
def test_two_that_the_server_leaves_as_they_are_fail_their_stay_in_the_last_round(
    shelf: Shelf, status: str, reason: str
) -> None:
    # Several of one identifier are refused with 412 by most and with 400 by some: so it is tried again.
    shelf.put("a", "r-1")
    shelf.put("a", "r-2")
    shelf.take = lambda _entry: status
    _, account = shelf.settled(risk("a"))
    assert failed(account) == {"e-a": reason}
    assert (account.written, account.repaired) == (set(), set()), "nothing was mended"
    assert len(shelf.batches) == ROUNDS - 1


def test_a_stay_of_whose_two_changes_one_is_refused_is_not_taken(shelf: Shelf) -> None:
    # The newest must change too: two entries of one identifier, of which the server takes the first at first.
    shelf.put("a", "r-1", note=[{"text": "other"}])
    shelf.put("a", "r-2", note=[{"text": "other"}])
    left = ["412"]
    shelf.take = lambda entry: left.pop() if entry["request"]["url"].endswith("r-2") and left else shelf.keep(entry)
    settled, account = shelf.settled(risk("a"))
    assert (account.written, account.repaired, account.failed) == ({"e-a"}, {"e-a"}, {})
    assert (settled.kept["a"]["id"], settled.kept["a"]["status"]) == ("r-2", "amended")
    assert "note" not in settled.kept["a"], "what is kept says what is wanted"
    assert [len(batch) for batch in shelf.batches] == [2, 1]


def test_a_result_that_somebody_retracted_stays_so_and_nothing_is_written(shelf: Shelf) -> None:
    shelf.put("a", "r-1", status="entered-in-error")
    _, account = shelf.settled(risk("a"), risk("b"))
    assert (account.withdrawn, account.failed, account.written) == ({"e-a"}, {}, {"e-b"})
    assert [len(batch) for batch in shelf.batches] == [1]


def test_what_is_misshapen_fails_alone_and_the_next_are_written(shelf: Shelf) -> None:
    shelf.put("a", "r-1", note="none")
    _, account = shelf.settled(risk("a"), risk("b"), risk("c"))
    assert failed(account) == {"e-a": "write:malformed"}
    assert account.written == {"e-b", "e-c"}
    assert [len(batch) for batch in shelf.batches] == [2]


def test_nothing_wanted_asks_for_nothing(shelf: Shelf, server) -> None:
    settled, account = shelf.settled()
    assert (settled.kept, settled.new, account.written) == ({}, set(), set())
    assert server.requests == []


def version(number: str, **content: Any) -> Resource:
    """Returns a version of the RiskAssessment r-1 of Encounter e-a."""
    return risk("a", id="r-1", meta={"versionId": number}, **content)


@pytest.mark.parametrize(
    ("unseen", "withdrawn"),
    [
        ([version("2", status="entered-in-error")], True),
        ([version("2", status="entered-in-error", note=[{"authorString": RETRACTED_BY}])], False),
        ([version("3"), version("2", status="entered-in-error")], False),
        ([version("3", status="entered-in-error", note=[{"text": "not hers"}]), version("2")], True),
    ],
    ids=["by a person", "by us", "and thought better of it", "after a change"],
)
def test_versions_show_what_was_overwritten_unseen(shelf: Shelf, unseen, withdrawn: bool) -> None:
    numbers = count(2 + len(unseen))

    def careless(entry: Resource) -> str:
        return shelf.keep({"resource": {**entry["resource"], "meta": {"versionId": str(next(numbers))}}})

    shelf.held = [version("1", note=[{"text": "other"}])]
    shelf.history = [version(str(2 + len(unseen))), *unseen, version("1")]
    shelf.take = careless
    _, account = shelf.settled(risk("a"))
    assert (account.withdrawn, account.written) == (({"e-a"}, set()) if withdrawn else (set(), {"e-a"}))
    assert account.failed == {}
    assert shelf.held[0]["status"] == ("entered-in-error" if withdrawn else "amended")
    assert shelf.told == 1


def test_versions_that_follow_each_other_are_not_asked_about(shelf: Shelf) -> None:
    shelf.held = [version("9", note=[{"text": "other"}])]
    shelf.take = lambda entry: shelf.keep({"resource": {**entry["resource"], "meta": {"versionId": "10"}}})
    _, account = shelf.settled(risk("a"), risk("b"))
    assert (account.written, shelf.told) == ({"e-a", "e-b"}, 0)


def test_what_cannot_be_put_back_as_it_was_fails_its_stay(shelf: Shelf) -> None:
    def careless(entry: Resource) -> str:
        if entry["resource"]["status"] == "entered-in-error":
            return "422"
        return shelf.keep({"resource": {**entry["resource"], "meta": {"versionId": "3"}}})

    shelf.held = [version("1", note=[{"text": "other"}])]
    shelf.history = [version("3"), version("2", status="entered-in-error"), version("1")]
    shelf.take = careless
    _, account = shelf.settled(risk("a"))
    assert (failed(account), account.withdrawn, account.written) == ({"e-a": "write:overruled"}, set(), set())


CREATING = [{"has_conditional_update": False}, {"writes_once_by": "create"}]


@pytest.mark.parametrize("profile", [GENERIC.model_copy(update=one) for one in CREATING])
def test_a_new_result_is_created_where_concurrent_updates_can_leave_two(shelf: Shelf, profile) -> None:
    shelf.settled(risk("a"), profile=profile)
    assert [entry["request"] for entry in shelf.batches[0]] == [
        {"method": "POST", "url": "RiskAssessment", "ifNoneExist": f"identifier={IDENTIFIER_SYSTEM}|a"}
    ]


@pytest.mark.parametrize("profile", [GENERIC.model_copy(update=one) for one in CREATING])
def test_a_creation_that_created_nothing_is_decided_by_what_is_there(shelf: Shelf, profile) -> None:
    """Of two writers at once the other one was faster, or retracted its result."""
    there: dict[str, Resource] = {"a": version("1", note=[{"text": "other"}])}
    there["b"] = {**risk("b", status="entered-in-error"), "id": "r-2", "meta": {"versionId": "1"}}

    def conditional(entry: Resource) -> str:
        if entry["request"]["method"] == "PUT":
            return shelf.keep(entry)
        shelf.held = list(there.values())
        return "200"

    shelf.take = conditional
    _, account = shelf.settled(risk("a"), risk("b"), profile=profile)
    assert (account.written, account.withdrawn, account.failed) == ({"e-a"}, {"e-b"}, {})
    assert {one["id"]: one["status"] for one in shelf.held} == {"r-1": "amended", "r-2": "entered-in-error"}
