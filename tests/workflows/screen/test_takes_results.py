"""A server that takes no RiskAssessment: a live run ends before it reads anything, a shadow run does not ask."""

import json
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from wardround.core.server_profiles import takes_results
from wardround.errors import FhirError, FhirRefused
from wardround.fhir.endpoint import FhirEndpoint
from wardround.workflows.screen import Means, ScreeningRequest, screen, servers_in

STATEMENT = "CapabilityStatement"


def listing(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": STATEMENT, "rest": [{"mode": "server", "resource": list(resources)}]}


def offering(*codes: str) -> dict[str, Any]:
    return {"type": "RiskAssessment", "interaction": [{"code": code} for code in codes]}


PATIENT = {"type": "Patient", "interaction": [{"code": "read"}]}
REFUSED = [listing(PATIENT), listing(PATIENT, offering("read", "search-type")), listing(PATIENT, offering())]
TAKEN = [
    listing(PATIENT, offering("create")),
    listing(offering("read", "update")),
    listing(offering("read"), offering("create")),
    # What a statement leaves open is found out about by writing.
    listing(PATIENT, {"type": "RiskAssessment"}),
    listing(),
    {"resourceType": STATEMENT},
    {"resourceType": STATEMENT, "rest": {"resource": [PATIENT]}},
    {"resourceType": STATEMENT, "rest": [None, {"resource": "all"}]},
    {"resourceType": "OperationOutcome"},
]


class Declaring(HTTPAdapter):
    """Real HTTP, but for what the server says of itself."""

    def __init__(self, statement: dict[str, Any], status: int = 200) -> None:
        super().__init__()
        self._statement, self._status = statement, status
        self.asked: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.asked.append(request.path_url)
        if not request.path_url.endswith("/metadata"):
            return super().send(request, *args, **kwargs)
        response = requests.Response()
        response.status_code = self._status
        response.headers["Content-Type"] = "application/fhir+json"
        response._content = json.dumps(self._statement).encode()
        response.request, response.url = request, str(request.url)
        return response


@pytest.fixture
def begun(icu, server, settings):
    """begun(adapter) screens a ward of one, live unless told not."""
    icu.stay("a")
    icu.upload(server)

    def run(adapter: Declaring, mode: str = "live") -> dict[str, Any]:
        request = ScreeningRequest(condition="sepsis", source_url=server, as_of="2026-01-02T05:00:00Z", mode=mode)
        return screen(request, Means(FhirEndpoint(server), settings, lambda *_: None, adapter)).as_json()

    return run


def test_a_live_run_ends_before_it_reads_and_says_what_to_do(begun) -> None:
    adapter = Declaring(REFUSED[0])
    with pytest.raises(FhirError, match=r"accepts no RiskAssessment.*--mode shadow.*write_to"):
        begun(adapter)
    assert adapter.asked == ["/fhir/metadata"]


def test_where_results_go_elsewhere_that_server_is_asked_and_named(icu, server, settings) -> None:
    icu.stay("a")
    icu.upload(server)
    source = FhirEndpoint(server, write_to=FhirEndpoint("http://results.test/fhir"))
    request = {"condition": "sepsis", "as_of": "2026-01-02T05:00:00Z", "mode": "live", **servers_in(source)}
    adapter = Declaring(REFUSED[0])
    with pytest.raises(FhirError, match=r"^http://results\.test/fhir: accepts no RiskAssessment"):
        screen(ScreeningRequest.model_validate(request), Means(source, settings, lambda *_: None, adapter))
    assert adapter.asked == ["/fhir/metadata"]


def test_a_shadow_run_does_not_ask(begun) -> None:
    adapter = Declaring(REFUSED[0])
    assert begun(adapter, mode="shadow")["scored"] == 1
    assert "/fhir/metadata" not in adapter.asked


def test_a_server_that_does_not_say_is_found_out_about_by_writing(begun) -> None:
    assert begun(Declaring({}, status=404))["written"] == 1


def test_one_that_refuses_to_say_refuses_the_run(begun) -> None:
    with pytest.raises(FhirRefused):
        begun(Declaring({}, status=401))


@pytest.mark.parametrize("statement", REFUSED)
def test_a_statement_without_create_and_update_takes_no_results(statement) -> None:
    assert takes_results(statement) is False


@pytest.mark.parametrize("statement", TAKEN)
def test_a_statement_that_offers_one_or_leaves_it_open_does_not_stop_a_run(statement) -> None:
    assert takes_results(statement) is not False
