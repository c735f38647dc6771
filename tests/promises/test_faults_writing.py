"""Tests that after any fault of a write, each scored stay has one RiskAssessment and Provenance, or fails.

See test_killed_screening.py for runs that are killed, and for two processes at once.
"""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from click.testing import CliRunner
from tests.promises.altered_writes import Alter, Bundle, WritesAltered, kinds, writes_altered

from wardround.cli.retract import command
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.errors import FhirError, RunIncomplete, WardroundError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.sign_in import BearerToken
from wardround.spec.servers import GENERIC
from wardround.workflows.screen import Means, ScreeningRequest, screen

STAYS = 3
TOKEN, NAME, VALUE = "zz-secret-token", "ZZTOPSECRET", "3.21987"
NO_BATCH = GENERIC.model_copy(update={"has_batch": False})
NO_CONDITIONS = GENERIC.model_copy(update={"has_conditional_update": False, "has_conditional_create": False})
PLAIN = NO_CONDITIONS.model_copy(update={"has_batch": False})


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


@pytest.fixture
def gateway(server: RunningServer) -> Iterator[WritesAltered]:
    with writes_altered(server.base_url) as gate:
        yield gate


@pytest.fixture
def ward(icu, server) -> Iterator[Any]:
    """Three stays with a name and a value that must not leak; afterwards the results are removed from the server."""
    for place in range(STAYS):
        icu.stay(f"s{place}", lactate=float(VALUE) + place)
    for resource in icu.resources:
        if resource["resourceType"] == "Patient":
            resource["name"] = [{"family": NAME}]
    icu.upload(server.base_url)
    yield icu
    server.misbehave(FaultPlan())
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        names = ("RiskAssessment", "Provenance", "Device")
        kept = [f"{name}/{resource['id']}" for name in names for resource in client.search(name, {})]
        client.batch([{"request": {"method": "DELETE", "url": reference}} for reference in kept])


@pytest.fixture(autouse=True)
def nothing_gets_out(caplog, capfd) -> Iterator[None]:
    """Asserts that nothing that these tests log or print contains a secret or a patient's value."""
    caplog.set_level(logging.DEBUG)
    yield
    printed = capfd.readouterr()
    said = "\n".join((caplog.text, printed.out, printed.err))
    assert [mark for mark in (TOKEN, NAME, VALUE) if mark in said] == []


Screened = Callable[..., dict[str, Any]]


@pytest.fixture
def screened(settings, ward) -> Screened:
    def run_it(url: str, profile=GENERIC, **changes: Any) -> dict[str, Any]:
        source = FhirEndpoint(url, sign_in=BearerToken(TOKEN), profile=profile)
        asked = {"condition": "sepsis", "source_url": url, "as_of": "2026-01-02T05:00:00Z", "chunk_size": STAYS}
        request = ScreeningRequest.model_validate({**asked, **changes})
        try:
            return screen(request, Means(source, settings, lambda *_: None)).as_json()
        except WardroundError as error:
            # Into what `nothing_gets_out` looks at.
            logging.getLogger("test").info("%s", error)
            raise

    return run_it


def standing(server: RunningServer) -> list[str]:
    """Returns the encounters of all valid RiskAssessments, each of which has one Provenance."""
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        risks = [risk for risk in client.search("RiskAssessment", {}) if risk["status"] != "entered-in-error"]
        targets = [each["target"][0]["reference"] for each in client.search("Provenance", {})]
        assert len(list(client.search("Device", {}))) == 1
    assert [targets.count(f"RiskAssessment/{risk['id']}") for risk in risks] == [1] * len(risks)
    return sorted(risk["encounter"]["reference"] for risk in risks)


EACH_ONCE = [f"Encounter/e-s{place}" for place in range(STAYS)]


def writes_risks(asked: Bundle) -> bool:
    return "RiskAssessment" in kinds(asked)


def at_first(alter: Alter, times: int = 1, of: Callable[[Bundle], bool] = writes_risks) -> Alter:
    """Applies `alter` to the first requests concerned, and lets the others pass."""
    left = [times]

    def decide(asked: Bundle, forward: Callable[[Bundle], Bundle]) -> Bundle | None:
        if not of(asked) or left[0] == 0:
            return forward(asked)
        left[0] -= 1
        return alter(asked, forward)

    return decide


def lost_answer(asked: Bundle, forward: Callable[[Bundle], Bundle]) -> None:
    """Processes the request, and closes the connection before the answer."""
    forward(asked)


def lost_request(asked: Bundle, forward: Callable[[Bundle], Bundle]) -> None:
    """Closes the connection before anything is done."""


def short_answer(asked: Bundle, forward: Callable[[Bundle], Bundle]) -> Bundle:
    """Processes the request, and leaves one entry out of the answer."""
    answer = forward(asked)
    return {**answer, "entry": answer.get("entry", [])[:-1]}


def one_entry(status: str) -> Alter:
    """Leaves one entry undone, and answers it with this status."""

    def alter(asked: Bundle, forward: Callable[[Bundle], Bundle]) -> Bundle:
        _, *others = asked["entry"]
        answer = forward({**asked, "entry": others}) if others else {"resourceType": "Bundle", "entry": []}
        return {**answer, "entry": [{"response": {"status": status}}, *answer.get("entry", [])]}

    return alter


@pytest.mark.parametrize(
    ("fault", "profile"),
    [
        *((lost_answer, profile) for profile in (GENERIC, PLAIN)),
        *(pytest.param(lost_answer, profile, marks=pytest.mark.long) for profile in (NO_BATCH, NO_CONDITIONS)),
        *((lost_request, profile) for profile in (GENERIC, PLAIN)),
    ],
    ids=["done-whole", "done-plain", "done-singly", "done-bare", "not done-whole", "not done-plain"],
)
def test_a_connection_cut_at_every_first_write_leads_to_no_second_resource(
    server, gateway, screened, fault, profile
) -> None:
    seen: set[str] = set()

    def first_of_its_kind(asked: Bundle) -> bool:
        new = not kinds(asked) <= seen
        seen.update(kinds(asked))
        return new

    gateway.alter = at_first(fault, times=3, of=first_of_its_kind)
    summary = screened(gateway.url, profile)
    assert seen == {"Device", "RiskAssessment", "Provenance"}
    assert (summary["written"], summary["failed"]) == (STAYS, 0)
    assert standing(server) == EACH_ONCE


@pytest.mark.parametrize("profile", [GENERIC, NO_CONDITIONS], ids=["conditional", "bare"])
@pytest.mark.parametrize(
    "fault", [short_answer, one_entry("429"), one_entry("503 Service Unavailable")], ids=["short", "429", "503"]
)
def test_an_entry_that_was_not_answered_or_put_off_is_written_once(server, gateway, screened, fault, profile) -> None:
    gateway.alter = at_first(fault)
    summary = screened(gateway.url, profile)
    assert (summary["written"], summary["failed"]) == (STAYS, 0)
    assert standing(server) == EACH_ONCE


@pytest.mark.parametrize("status", ["404", "409", "410", "412"])
@pytest.mark.parametrize("kind", ["RiskAssessment", "Provenance"])
def test_a_write_that_somebody_overtook_is_decided_again_by_what_is_there(
    server, gateway, screened, kind, status
) -> None:
    gateway.alter = at_first(one_entry(status), of=lambda asked: kind in kinds(asked))
    summary = screened(gateway.url)
    assert (summary["written"], summary["failed"], summary["repaired"]) == (STAYS, 0, 0)
    assert standing(server) == EACH_ONCE


def test_an_update_of_a_result_changed_after_the_read_is_decided_again(server, gateway, screened, ward) -> None:
    screened(gateway.url)
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        (risk,) = [one for one in client.search("RiskAssessment", {}) if one["encounter"]["reference"] == EACH_ONCE[0]]
    ward.resources.clear()
    ward.lactate("p-s0", "late", 6.0, hours=0.5)
    ward.upload(server.base_url)
    answers: list[str] = []

    def after_somebody(asked: Bundle, forward: Callable[[Bundle], Bundle]) -> Bundle:
        noted = {**risk, "note": [{"text": "by somebody else"}]}
        change = {"resource": noted, "request": {"method": "PUT", "url": f"RiskAssessment/{risk['id']}"}}
        forward({**asked, "entry": [change]})
        answer = forward(asked)
        answers.extend(entry["response"]["status"] for entry in answer["entry"])
        return answer

    gateway.alter = at_first(after_somebody)
    summary = screened(gateway.url)
    assert [answer[:3] for answer in answers] == ["412"], "the server keeps what somebody else changed"
    assert (summary["written"], summary["unchanged"], summary["failed"]) == (STAYS, STAYS - 1, 0)
    assert standing(server) == EACH_ONCE


def test_a_refused_entry_fails_only_its_stay_and_the_next_run_repairs_it(server, gateway, screened) -> None:
    gateway.alter = at_first(one_entry("422 Unprocessable Entity"))
    summary = screened(gateway.url)
    assert (summary["scored"], summary["written"], summary["failed"]) == (STAYS - 1, STAYS - 1, 1)
    assert len(standing(server)) == STAYS - 1
    summary = screened(gateway.url)
    assert (summary["written"], summary["unchanged"], summary["failed"]) == (STAYS, STAYS - 1, 0)
    assert standing(server) == EACH_ONCE


@pytest.mark.parametrize(
    ("fault", "profile"),
    [
        (Fault(kind="status", status=503, rate=0.3, retry_after=0), GENERIC),
        pytest.param(
            Fault(kind="status", status=429, rate=0.3, retry_after=0, retry_after_date=True),
            PLAIN,
            marks=pytest.mark.long,
        ),
        (Fault(kind="drop_after", rate=0.2), PLAIN),
        pytest.param(Fault(kind="truncate", rate=0.2), GENERIC, marks=pytest.mark.long),
    ],
    ids=["503", "429", "lost", "truncated"],
)
def test_faults_at_random_end_with_each_once_or_with_a_failure_that_a_run_mends(
    server, screened, fault, profile
) -> None:
    server.misbehave(FaultPlan(seed=7, faults=(fault,)))
    try:
        screened(server.base_url, profile)
    except FhirError:
        server.misbehave(FaultPlan())
        screened(server.base_url, profile)
    server.misbehave(FaultPlan())
    assert screened(server.base_url, profile)["failed"] == 0
    assert standing(server) == EACH_ONCE


def test_a_server_that_answers_no_write_at_all_is_looked_at_instead(server, gateway, screened) -> None:
    gateway.alter = at_first(lost_answer, times=100, of=lambda _asked: True)
    summary = screened(gateway.url, PLAIN)
    assert (summary["written"], summary["failed"]) == (STAYS, 0)
    assert standing(server) == EACH_ONCE


def test_duplicates_that_appear_between_read_and_write_are_repaired_in_the_same_run(server, gateway, screened) -> None:
    def doubled(asked: Bundle, forward: Callable[[Bundle], Bundle]) -> Bundle:
        copies = [
            {"resource": entry["resource"], "request": {"method": "POST", "url": "RiskAssessment"}}
            for entry in asked["entry"]
        ]
        forward({**asked, "entry": [*copies, *copies]})
        return forward(asked)

    gateway.alter = at_first(doubled)
    summary = screened(gateway.url)
    assert (summary["written"], summary["failed"], summary["repaired"]) == (STAYS, 0, STAYS)
    assert standing(server) == EACH_ONCE
    assert screened(gateway.url)["repaired"] == 0


@pytest.mark.parametrize("profile", [GENERIC, NO_BATCH], ids=["whole", "singly"])
def test_a_provenance_that_a_faster_run_wrote_is_not_written_again(server, gateway, screened, profile) -> None:
    def written_before(asked: Bundle, forward: Callable[[Bundle], Bundle]) -> Bundle:
        forward(asked)
        return forward(asked)

    gateway.alter = at_first(written_before, times=STAYS, of=lambda asked: "Provenance" in kinds(asked))
    summary = screened(gateway.url, profile)
    assert (summary["written"], summary["failed"]) == (STAYS, 0)
    assert standing(server) == EACH_ONCE


@pytest.mark.parametrize("profile", [NO_BATCH, NO_CONDITIONS, PLAIN], ids=["singly", "bare", "plain"])
def test_a_server_is_asked_only_for_what_it_can(server, gateway, screened, profile) -> None:
    assert screened(gateway.url, profile)["written"] == STAYS
    assert standing(server) == EACH_ONCE
    if not profile.has_batch:
        assert not any('"Bundle"' in write for write in gateway.writes)
    if not profile.has_conditional_update:
        assert not any("RiskAssessment?" in write for write in gateway.writes)
        assert not any("ifnoneexist" in write.replace("-", "").lower() for write in gateway.writes)
    written = len(gateway.writes)
    assert screened(gateway.url, profile)["unchanged"] == STAYS
    assert len(gateway.writes) == written


@pytest.mark.parametrize("profile", [GENERIC, PLAIN], ids=["whole", "plain"])
def test_two_runs_of_the_same_time_at_once_write_once(server, gateway, screened, profile) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: screened(gateway.url, profile, chunk_size=1), range(2)))
    assert [summary["failed"] for summary in both] == [0, 0]
    assert standing(server) == EACH_ONCE


def test_retract_ends_with_its_own_code_while_some_still_stand(
    server, gateway, screened, settings, monkeypatch
) -> None:
    run = screened(gateway.url)["run"]
    places = {"HOME": settings.home, "VAR": settings.var, "MODELS": settings.models, "RUNS": settings.runs}
    for name, place in places.items():
        monkeypatch.setenv(f"WARDROUND_{name}", str(place))
    gateway.alter = at_first(one_entry("422"), times=100)
    failed = CliRunner().invoke(command, [run, "--json"])
    assert isinstance(failed.exception, RunIncomplete)
    assert json.loads(failed.stdout)["complete"] is False
    gateway.alter = at_first(lost_answer)
    done = CliRunner().invoke(command, [run, "--json"])
    assert (done.exit_code, json.loads(done.stdout)["retracted"]) == (0, STAYS)
    assert standing(server) == []
