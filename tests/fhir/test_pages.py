"""Tests what servers may do between the first and the last page of a search."""

import weakref

import pytest

from wardround.errors import FhirError
from wardround.fhir import pages as fhir_pages
from wardround.fhir.answer import Answer
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.fhir.page import WHOLE, Entry, Link, Page
from wardround.fhir.pages import MOST_BARREN, MOST_RESTARTS, Search, pages
from wardround.fhir.versions import Seen
from wardround.spec.servers import ServerProfile


def patient(number: int) -> dict:
    return {"resourceType": "Patient", "id": f"p{number}"}


def found(server, params=(), **settings) -> list[str]:
    with FhirClient(FhirEndpoint(server.url, **settings)) as client:
        return [resource["id"] for resource in client.search("Patient", params)]


# HAPI's, a cursor that must stay as it is, one with characters that no URL may hold, and a path of its own.
LINKS = [
    ("{url}?_getpages=0a-1b&_getpagesoffset=10&_bundletype=searchset", "_getpages=0a-1b&_getpagesoffset=10"),
    ("{url}/Patient?_cursor=a%2Bb%3D%3D%26c", "_cursor=a%2Bb%3D%3D%26c"),
    ("{url}/Patient?code=http://loinc.org|8867-4&page=2", "code=http://loinc.org%7C8867-4&page=2"),
    ("Patient/_page/eyJhIjoxfQ", "/fhir/Patient/_page/eyJhIjoxfQ"),
]


@pytest.mark.parametrize(("link", "asked"), LINKS)
def test_a_next_link_is_followed_as_the_server_gave_it(server, page, link: str, asked: str) -> None:
    server.replies(page(patient(1), following=link.format(url=server.url)), page(patient(2)))
    assert found(server) == ["p1", "p2"]
    assert asked in server.requests[1].path


@pytest.mark.parametrize("link", ["//localhost:9/fhir?page=2", "file:///etc/hosts", "http://[broken?page=2"])
def test_a_next_link_that_is_no_page_of_this_server_is_refused(server, page, link: str) -> None:
    server.replies(page(patient(1), following=link))
    with pytest.raises(FhirError):
        found(server)
    assert len(server.requests) == 1


def test_what_changed_between_two_pages_is_given_again_and_what_only_moved_is_not(server, page) -> None:
    def version(number: int, hour: int, **content) -> dict:
        return {**patient(number), "meta": {"lastUpdated": f"2026-01-02T0{hour}:00:00Z"}, **content}

    server.replies(
        page(version(1, 5), version(2, 5), {**patient(3), "gender": "male"}, following="?page=2"),
        page(version(1, 5), version(2, 6), {**patient(3), "gender": "female"}, following="?page=3"),
        page(version(1, 4), version(2, 5), {**patient(3), "gender": "female"}, version(4, 1)),
    )
    assert found(server) == ["p1", "p2", "p3", "p2", "p3", "p4"]


def test_what_has_no_text_for_an_id_is_not_taken_for_another(server, page) -> None:
    server.replies(page({**patient(1), "id": "5"}, {**patient(1), "id": 5}, {**patient(1), "id": None}))
    with FhirClient(FhirEndpoint(server.url)) as client:
        assert [resource["id"] for resource in client.search("Patient", ())] == ["5", 5, None]


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_search_that_expired_begins_anew_and_gives_each_resource_once(server, page, reply, status: int) -> None:
    server.replies(
        page(patient(1), following="?page=2"),
        page(patient(2), following="?page=3"),
        reply(status=status),
        page(patient(1), following="?again=2"),
        page(patient(2), following="?again=3"),
        page(patient(3)),
    )
    assert found(server) == ["p1", "p2", "p3"]


def test_a_search_that_always_expires_is_asked_in_halves_and_then_fails(server, page, reply) -> None:
    server.answer = lambda request: page(following="?page=2") if request.method == "POST" else reply(status=410)
    with pytest.raises(FhirError, match="answered 410"):
        found(server, [("_id", ["p1", "p2"])])
    assert len(server.requests) == 2 * 2 * (1 + MOST_RESTARTS)


def test_fewer_matches_than_the_total_are_read_again(server, page) -> None:
    server.replies(page(patient(1), total=2), page(patient(1), patient(2), total=2))
    assert found(server) == ["p1", "p2"]


def test_fewer_matches_than_the_total_a_second_time_are_an_error(server, page) -> None:
    server.answer = lambda _request: page(patient(1), patient(1), total=2)
    with pytest.raises(FhirError, match="returned 1 of the 2 matches"):
        found(server)
    assert len(server.requests) == 2


def test_an_inexact_total_is_not_an_error(server, page) -> None:
    server.replies(page(patient(1), total=2))
    guessing = ServerProfile(id="guessing", title="Guessing", known_from="tests", has_exact_totals=False)
    assert found(server, profile=guessing) == ["p1"]


def test_a_total_counts_matches_and_not_what_is_included(server, page) -> None:
    server.answer = lambda _request: page(patient(1), {"resourceType": "Location", "id": "l1"}, total=2)
    with pytest.raises(FhirError, match="returned 1 of the 2 matches"):
        found(server)


def test_a_total_that_is_absent_too_small_or_shrinks_while_reading_stops_nothing(server, page) -> None:
    pages = (
        page(patient(1), patient(2), total=3, following="?page=2"),
        page(patient(3), total=1, following="?page=3"),
        page(),
    )
    server.replies(*pages, *pages)
    assert found(server) == ["p1", "p2", "p3"]
    assert len(server.requests) == 6, "the second reading brought nothing new"


def test_a_resource_shifted_between_pages_by_a_deletion_is_found_on_the_next_read(server, page) -> None:
    server.replies(
        page(patient(1), patient(2), total=4, following="?page=2"),
        page(patient(4), total=3),  # 1 was deleted, and 3 is now on the first page
        page(patient(2), patient(3), total=3, following="?page=2"),
        page(patient(4), total=3),
    )
    assert found(server) == ["p1", "p2", "p4", "p3"]


def test_a_search_whose_total_shrinks_while_new_matches_come_at_every_reading_is_an_error(server, page) -> None:
    def answer(_request):
        number = len(server.requests)
        first = number % 2 == 1
        return page(patient(number), total=2 if first else 1, following="?page=2" if first else None)

    server.answer = answer
    with pytest.raises(FhirError, match="its total shrinks on every read"):
        found(server)
    assert len(server.requests) == 2 * (MOST_RESTARTS + 1)


def test_what_is_entered_while_paging_shifts_pages_and_is_no_fault(server, page) -> None:
    server.replies(
        page(patient(1), patient(2), total=3, following="?page=2"), page(patient(2), patient(3), patient(4), total=4)
    )
    assert found(server) == ["p1", "p2", "p3", "p4"]


def test_pages_that_never_end_are_an_error_though_each_has_a_link_of_its_own(server, page) -> None:
    server.answer = lambda _request: page(patient(1), following=f"?page={len(server.requests)}")
    with pytest.raises(FhirError, match="the next links form a loop"):
        found(server)
    assert len(server.requests) == MOST_BARREN + 2


def test_resources_without_an_id_are_all_given(server, page) -> None:
    server.replies(page({"resourceType": "Patient"}, {"resourceType": "Patient"}, total=2))
    with FhirClient(FhirEndpoint(server.url)) as client:
        assert len(list(client.search("Patient", []))) == 2


def test_an_error_instead_of_a_page_is_raised_without_its_text(server, page, reply) -> None:
    issue = {"severity": "error", "code": "timeout", "diagnostics": "PRIVATE"}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    server.replies(page(patient(1), following="?page=2"), reply(outcome))
    with pytest.raises(FhirError, match="failed with timeout") as caught:
        found(server)
    assert "PRIVATE" not in str(caught.value)
    server.replies(reply({**outcome, "issue": [{**issue, "code": "PRIVATE"}]}))
    with pytest.raises(FhirError, match="failed with a code unknown to R4"):
        found(server)


NO_RESOURCE = [None, 5, "text", {"resource": None}, {"resource": "text"}, {"fullUrl": "urn:x"}]


@pytest.mark.parametrize("entry", NO_RESOURCE)
def test_an_entry_without_a_resource_is_no_fault_where_the_total_is_reached(server, reply, entry) -> None:
    bundle = {"resourceType": "Bundle", "total": 1, "entry": [entry, {"resource": patient(1)}], "link": None}
    server.replies(reply(bundle))
    assert found(server) == ["p1"]


@pytest.mark.parametrize("entry", [*([one, {"resource": patient(1)}] for one in NO_RESOURCE), {"a": 1}, 5])
def test_an_entry_without_a_resource_is_read_again_and_then_an_error_where_no_total_is_told(
    server, reply, entry
) -> None:
    bundle = {"resourceType": "Bundle", "entry": entry}
    server.replies(reply(bundle), reply(bundle))
    with pytest.raises(FhirError, match="entries without a resource"):
        found(server)


def test_an_entry_without_a_resource_is_an_error_where_totals_are_guesses(server, reply) -> None:
    bundle = {"resourceType": "Bundle", "total": 1, "entry": [None, {"resource": patient(1)}]}
    server.replies(reply(bundle), reply(bundle))
    with pytest.raises(FhirError, match="entries without a resource"):
        found(server, profile=ServerProfile(id="guess", title="Guess", known_from="tests", has_exact_totals=False))


class Watched(Page, weakref=True):
    """A page that can have a weak reference, which shows when it is released."""


def test_a_page_is_released_before_the_next_one_is_requested() -> None:
    source = FhirEndpoint("http://127.0.0.1:9/fhir")
    watched: list[weakref.ref[Watched]] = []

    def answer(number: int) -> Answer:
        link = [Link("next", f"?page={number + 1}")] if number < 3 else []
        body = Watched(resourceType="Bundle", link=link, entry=[Entry(patient(number))])
        watched.append(weakref.ref(body))
        return Answer("", 200, body, "", {})

    def follow(url: str) -> Answer:
        assert [gone() for gone in watched] == [None] * len(watched)
        return answer(int(url[-1]))

    found = pages(Search(source, "Patient", WHOLE, lambda: answer(1), follow, Seen()))
    assert [resource["id"] for page in found for resource in page] == ["p1", "p2", "p3"]


def test_far_more_matches_than_an_exact_total_are_an_error(server, page, monkeypatch) -> None:
    monkeypatch.setattr(fhir_pages, "_MORE_THAN_TOTAL", 10)
    server.answer = lambda _request: page(*new_patients(server, 3), total=3, following=f"?page={len(server.requests)}")
    with pytest.raises(FhirError, match="returned 18 matches and no last page, expected the 3 of its total"):
        found(server)


def test_a_total_that_grows_with_what_is_entered_is_no_fault(server, page, monkeypatch) -> None:
    monkeypatch.setattr(fhir_pages, "_MORE_THAN_TOTAL", 3)

    def answer(_request):
        number = len(server.requests)
        following = f"?page={number}" if number < 20 else None
        return page(*new_patients(server, 3), total=3 * number, following=following)

    server.answer = answer
    assert len(found(server)) == 60


@pytest.mark.parametrize("limit", ["MOST_PAGES", "MOST_RESOURCES"])
def test_pages_that_bring_something_new_for_ever_end_somewhere(server, page, monkeypatch, limit: str) -> None:
    monkeypatch.setattr(fhir_pages, limit, 12)
    server.answer = lambda _request: page(*new_patients(server, 1), following=f"?page={len(server.requests)}")
    with pytest.raises(FhirError, match=r"pages with \d+ resources and no last page, expected one"):
        found(server)
    assert len(server.requests) <= 13


def new_patients(server, number: int) -> list[dict]:
    return [patient(len(server.requests) * 100 + place) for place in range(number)]
