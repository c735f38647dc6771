"""Tests searches, pages, batches and reads against a real server on loopback."""

import json

import pytest

from wardround.errors import FhirError
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.fhir.sign_in import BearerToken


def patient(number: int) -> dict:
    return {"resourceType": "Patient", "id": f"p{number}"}


def found(server, params=(), **settings) -> list[str]:
    with FhirClient(FhirEndpoint(server.url, **settings)) as client:
        return [resource["id"] for resource in client.search("Patient", params)]


def test_a_search_is_posted_as_a_form_so_that_ids_stay_out_of_access_logs(server, page) -> None:
    server.replies(page(patient(1)))
    assert found(server, [("_id", ["p1", "p2"])], page_size=7) == ["p1"]
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/fhir/Patient/_search")
    assert request.form == {"_id": ["p1,p2"], "_count": ["7"]}


def test_a_comma_inside_a_value_is_escaped(server, page) -> None:
    server.replies(page())
    found(server, {"name": ["ICU, east", "north"]})
    assert server.requests[0].form["name"] == ["ICU\\, east,north"]


@pytest.mark.parametrize("form", ["{url}?page=2", "/fhir?page=2", "?page=2"])
def test_next_links_may_be_absolute_or_relative(server, page, form: str) -> None:
    server.replies(page(patient(1), following=form.format(url=server.url)), page(patient(2)))
    assert found(server) == ["p1", "p2"]
    assert server.requests[1].path in ("/fhir?page=2", "/fhir/?page=2")


def test_a_resource_on_two_pages_is_given_once(server, page) -> None:
    server.replies(page(patient(1), following="?page=2"), page(patient(1), patient(2)))
    assert found(server) == ["p1", "p2"]


def test_a_next_link_to_another_server_is_refused_and_the_token_stays(server, page) -> None:
    server.replies(page(following="http://localhost:9/fhir?page=2"))
    with pytest.raises(FhirError, match="leads to http://localhost:9/fhir"):
        found(server, sign_in=BearerToken("secret"))
    assert len(server.requests) == 1


def test_next_links_that_form_a_loop_are_an_error(server, page) -> None:
    server.answer = lambda _request: page(following="?page=2")
    with pytest.raises(FhirError, match="the next links form a loop"):
        found(server)


def test_a_warning_among_the_results_is_skipped(server, page) -> None:
    warning = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "not-supported"}]}
    server.replies(page(patient(1), warning))
    assert found(server) == ["p1"]


def test_an_error_among_the_results_is_raised_without_its_text(server, page) -> None:
    issue = {"severity": "error", "code": "timeout", "diagnostics": "PRIVATE"}
    server.replies(page(patient(1), {"resourceType": "OperationOutcome", "issue": [issue]}))
    with pytest.raises(FhirError, match="failed with timeout") as caught:
        found(server)
    assert "PRIVATE" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 413, 414, 500])
def test_a_search_with_too_many_values_is_halved(server, page, reply, status: int) -> None:
    def answer(request):
        ids = request.form["_id"][0].split(",")
        return reply(status=status) if len(ids) > 2 else page(*({"resourceType": "Patient", "id": i} for i in ids))

    server.answer = answer
    wanted = [f"p{number}" for number in range(7)]
    assert found(server, [("_id", wanted)]) == wanted


def test_a_search_that_fails_whatever_its_size_fails_soon(server, reply) -> None:
    server.answer = lambda _request: reply(status=400)
    with pytest.raises(FhirError, match=r"/fhir/Patient/_search: answered 400"):
        found(server, [("_id", [f"p{number}" for number in range(64)])])
    assert len(server.requests) == 7


def test_read_gives_the_resource(server, reply) -> None:
    server.replies(reply(patient(1)))
    with FhirClient(FhirEndpoint(server.url)) as client:
        assert client.read("Patient/p1") == patient(1)
    assert server.requests[0].path == "/fhir/Patient/p1"


def test_read_refuses_anything_but_a_reference(server) -> None:
    with FhirClient(FhirEndpoint(server.url)) as client, pytest.raises(FhirError, match="not Type/id"):
        client.read("../admin")


def test_another_resource_than_asked_for_is_an_error(server, reply) -> None:
    server.replies(reply(patient(1)))
    with (
        FhirClient(FhirEndpoint(server.url)) as client,
        pytest.raises(FhirError, match="answered Patient, expected Cap"),
    ):
        client.capabilities()


def test_all_requests_go_over_one_connection(server, page) -> None:
    server.answer = lambda _request: page(patient(1))
    with FhirClient(FhirEndpoint(server.url)) as client:
        for _ in range(3):
            list(client.search("Patient", []))
    assert len({request.port for request in server.requests}) == 1


def test_a_server_whose_results_go_to_another_one_is_only_read(server, page, reply) -> None:
    server.answer = lambda _request: reply({"resourceType": "Bundle", "entry": [{"response": {"status": "200"}}]})
    source = FhirEndpoint("http://127.0.0.1:9/fhir", write_to=FhirEndpoint(server.url))
    put = {"resource": patient(1), "request": {"method": "PUT", "url": "Patient/p1"}}
    with FhirClient(source) as client:
        with pytest.raises(FhirError, match="is read-only, because its results are written to"):
            client.batch([put])
        with pytest.raises(FhirError, match="is read-only"):
            client.transaction({"resourceType": "Bundle", "type": "transaction", "entry": [put]})
        assert client.results.batch([put]) == [{"response": {"status": "200"}}]
        assert client.requests_made == client.results.requests_made == 1
    with FhirClient(FhirEndpoint(server.url)) as alone:
        assert alone.results is alone


def test_a_transaction_is_sent_as_one_and_answered_entry_by_entry(server, reply) -> None:
    put = {"resource": patient(1), "request": {"method": "PUT", "url": "Patient/p1"}}
    sent, said = {"resourceType": "Bundle", "type": "transaction", "entry": [put]}, [{"response": {"status": "201"}}]
    server.replies(reply({"resourceType": "Bundle", "entry": said}), reply({"resourceType": "Bundle", "entry": []}))
    with FhirClient(FhirEndpoint(server.url)) as client:
        assert client.transaction(sent) == said
        with pytest.raises(FhirError, match="answered a transaction with the wrong number of entries"):
            client.transaction(sent)
    assert json.loads(server.requests[0].body) == sent


def test_a_transaction_that_is_refused_is_an_error(server, reply) -> None:
    server.replies(reply({"resourceType": "OperationOutcome"}, 422))
    with FhirClient(FhirEndpoint(server.url)) as client, pytest.raises(FhirError, match="422"):
        client.transaction({"resourceType": "Bundle", "type": "transaction", "entry": []})
