"""Whatever a server does while it is read, a screening ends with one RiskAssessment a stay, or says that it did not and
is resumed to that end."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any, Final

import orjson
import pytest
import requests
from requests.adapters import HTTPAdapter

from wardround.adapters.files.run_folder import RunFolder, runs_in
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.errors import FhirError, FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.settings import Settings
from wardround.workflows.screen import Means, ScreeningRequest, resume, screen

STAYS: Final = 6
CHUNK: Final = 2
PRIVATE: Final = ("Zebrowski", "7.7131")  # a patient's name and a measured value
ENCOUNTERS: Final = [f"Encounter/e-s{place}" for place in range(STAYS)]
_MOMENTS: Final = count()

Bundle = dict[str, Any]


class Killed(BaseException):
    """Stands for the end of a process, without ending the tests."""


class Clock:
    """A clock that only moves during pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)

    def patience(self, **limits: Any) -> Patience:
        return Patience(pause=self.pause, clock=lambda: self.now, **limits)


class Line(HTTPAdapter):
    """The connection to the server: `before` and `after` are called with n and may raise, `alter` changes pages."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[int], None] = lambda _number: None
        self.after: Callable[[int], None] = lambda _number: None
        self.alter: Callable[[str, Bundle], None] = lambda _path, _bundle: None
        self.paths: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.paths.append(request.path_url)
        number = len(self.paths)
        self.before(number)
        response = super().send(request, *args, **kwargs)
        self.after(number)
        if "/Observation" in request.path_url:
            bundle = orjson.loads(response.content)
            self.alter(request.path_url, bundle)
            response._content = orjson.dumps(bundle)
        return response


class Ward:
    """A server with six stays, and one screening of them, at its own as_of, with its result."""

    def __init__(self, server: RunningServer, settings: Settings) -> None:
        self.server = server
        self.settings = settings
        self.line = Line()
        self.clock = Clock()
        self.source = FhirEndpoint(server.base_url, page_size=9, threads=2)
        moment = next(_MOMENTS)
        self.as_of = f"2026-01-02T05:{moment // 60:02}:{moment % 60:02}Z"
        self.errors: list[str] = []

    def screen(self, **patience: Any) -> dict[str, Any]:
        request = ScreeningRequest(
            condition="sepsis", source_url=self.source.base_url, as_of=self.as_of, chunk_size=CHUNK
        )
        return self._told(lambda means: screen(request, means).as_json(), patience)

    def resume(self, **patience: Any) -> dict[str, Any]:
        (run,) = runs_in(self.settings.runs)
        return self._told(lambda means: resume(run, means).as_json(), patience)

    def screen_and_resume(self) -> dict[str, Any]:
        """Resumes until the summary has no failed stay, as an operator would."""
        for work in (self.screen, *[self.resume] * 6):
            try:
                summary = work()
            except FhirError:
                continue
            if not summary["failed"]:
                return summary
        raise AssertionError("never came to an end")

    def require_whole(self, summary: dict[str, Any]) -> None:
        """Asserts that there is one RiskAssessment and one Provenance per stay, on the server and in the ledger.

        One that was entered while the server was searched may be found by the next search, and is too new for a score.
        """
        # Who looks afterwards waits by the real clock for what the server was told to do.
        self.server.misbehave(FaultPlan())
        with FhirClient(FhirEndpoint(self.server.base_url)) as client:
            every = list(client.search("RiskAssessment", {}))
            risks = [risk for risk in every if risk["occurrenceDateTime"] == self.as_of]
            targets = [each["target"][0]["reference"] for each in client.search("Provenance", {})]
        assert sorted(risk["encounter"]["reference"] for risk in risks) == ENCOUNTERS
        assert all(targets.count(f"RiskAssessment/{risk['id']}") == 1 for risk in risks)
        ledger = RunFolder.existing(self.settings.runs, summary["run"]).read_frame("ledger.parquet")
        new = ledger["stay_id"].str.startswith("e-new")
        assert set(ledger["outcome"][new]) <= {"indeterminate"}
        ledger = ledger[~new]
        assert ledger["outcome"].tolist() == ["scored"] * STAYS
        assert ledger["written"].all()

    def _told(self, work: Callable[..., dict[str, Any]], patience: dict[str, Any]) -> dict[str, Any]:
        try:
            told = self.clock.patience(**patience)
            return work(Means(self.source, self.settings, lambda *_: None, self.line, told))
        except Exception as error:
            self.errors.append(str(error))
            raise


def put(server: RunningServer, resources: list[Bundle]) -> None:
    _write(server, [("PUT", f"{each['resourceType']}/{each['id']}", {"resource": each}) for each in resources])


def delete(server: RunningServer, references: list[str]) -> None:
    _write(server, [("DELETE", reference, {}) for reference in references])


def _write(server: RunningServer, writes: list[tuple[str, str, Bundle]]) -> None:
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        entries = [{**rest, "request": {"method": method, "url": url}} for method, url, rest in writes]
        assert {answer["response"]["status"][:1] for answer in client.batch(entries)} <= {"2"}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def ward(icu, running, settings, caplog) -> Iterator[Ward]:
    for place in range(STAYS):
        icu.stay(f"s{place}", lactate=7.7131)
    for resource in icu.resources:
        if resource["resourceType"] == "Patient":
            resource["name"] = [{"family": "Zebrowski"}]
    icu.upload(running.base_url)
    caplog.set_level("DEBUG")
    # What file was opened says nothing of a patient, and would fill the record of a test that failed.
    caplog.set_level("INFO", "fsspec.local")
    ward = Ward(running, settings)
    yield ward
    running.misbehave(FaultPlan())
    said = caplog.text + "".join(ward.errors)
    assert [private for private in PRIVATE if private in said] == []


SOMETIMES = {
    "503": Fault(kind="status", status=503, rate=0.3),
    "429, seconds": Fault(kind="status", status=429, rate=0.3, retry_after=7),
    "429, date": Fault(kind="status", status=429, rate=0.3, retry_after=60, retry_after_date=True),
    "reset": Fault(kind="drop", rate=0.3),
    "answer lost": Fault(kind="drop_after", rate=0.3),
    "truncated JSON": Fault(kind="truncate", rate=0.3),
    "a slow search": Fault(kind="delay", seconds=5, path="/Observation/_search", times=1),
    "410 on page 3": Fault(kind="status", status=410, methods=("GET",), path="/Observation", skip=1, times=1),
    "404 on page 2": Fault(kind="status", status=404, methods=("GET",), path="/Observation", times=1),
    "500 to a search": Fault(kind="status", status=500, path="/Observation/_search", times=2),
}


@pytest.mark.parametrize("name", SOMETIMES)
def test_what_a_server_does_now_and_then_loses_nothing(ward: Ward, name: str) -> None:
    ward.server.misbehave(FaultPlan(seed=3, faults=(SOMETIMES[name],)))
    ward.require_whole(ward.screen_and_resume())
    asked = {"429, seconds": 7.0, "429, date": 59.0}.get(name, 0.0)
    assert max(ward.clock.pauses, default=0.0) >= asked


def test_searches_that_always_expire_are_asked_for_less_at_once(ward: Ward) -> None:
    ward.server.misbehave(FaultPlan(faults=(Fault(kind="status", status=410, methods=("GET",), path="/Observation"),)))
    ward.require_whole(ward.screen())


def test_searches_that_expire_however_small_fail_their_stays_until_they_no_longer_do(ward: Ward) -> None:
    ward.source = FhirEndpoint(ward.server.base_url, page_size=2, threads=2)
    ward.server.misbehave(FaultPlan(faults=(Fault(kind="status", status=410, methods=("GET",), path="/Observation"),)))
    assert ward.screen()["failed"] == STAYS
    ward.server.misbehave(FaultPlan())
    ward.require_whole(ward.resume())


def _circle(path: str, bundle: Bundle) -> None:
    if "_page" in path:
        bundle["link"] = [{"relation": "next", "url": path}]


def _short(_path: str, bundle: Bundle) -> None:
    del bundle["entry"][-1]


def _refused(_path: str, bundle: Bundle) -> None:
    issue = {"severity": "error", "code": "timeout", "diagnostics": "Zebrowski 7.7131"}
    bundle["entry"][-1] = {"resource": {"resourceType": "OperationOutcome", "issue": [issue]}}


@pytest.mark.parametrize("fault", [_circle, _short, _refused], ids=lambda fault: fault.__name__.strip("_"))
def test_a_read_that_cannot_be_whole_fails_its_stays_by_name_and_is_resumed(ward: Ward, fault: Any) -> None:
    ward.line.alter = fault
    summary = ward.screen()
    assert (summary["failed"], summary["written"], summary["complete"]) == (STAYS, 0, False)
    ward.line.alter = lambda _path, _bundle: None
    ward.require_whole(ward.resume())


def test_a_page_that_was_short_once_is_read_again(ward: Ward) -> None:
    shortened: list[str] = []

    def once(path: str, bundle: Bundle) -> None:
        if not shortened:
            shortened.append(path)
            del bundle["entry"][-1]

    ward.line.alter = once
    ward.require_whole(ward.screen())


def test_entries_inserted_while_paging_shift_pages_and_lose_nothing(ward: Ward) -> None:
    last: dict[str, Any] = {}

    def shift(path: str, bundle: Bundle) -> None:
        """Repeats the last resource of the previous page first on this one, and raises the total."""
        if "_page" in path:
            bundle["entry"].insert(0, last["entry"])
            bundle["total"] += 1
        last["entry"] = bundle["entry"][-1]

    ward.source = FhirEndpoint(ward.server.base_url, page_size=9, threads=1)
    ward.line.alter = shift
    ward.require_whole(ward.screen())


def resources_of(icu: Any, resource_type: str) -> list[Bundle]:
    return [resource for resource in icu.resources if resource["resourceType"] == resource_type]


def inserted(icu: Any, number: int) -> list[Bundle]:
    """Adds a new stay of a new patient, and a new Observation of each patient."""
    patient, stay = f"p-new{number}", f"e-new{number}"
    encounter = {**resources_of(icu, "Encounter")[0], "id": stay, "subject": {"reference": f"Patient/{patient}"}}
    observations = [
        {**each, "id": f"{each['id']}-{number}"}
        for each in resources_of(icu, "Observation")
        if each["id"].endswith("-hr1.0")
    ]
    return [{**resources_of(icu, "Patient")[0], "id": patient}, encounter, *observations]


def corrected(icu: Any, number: int) -> list[Bundle]:
    """Writes every Observation and Encounter again, with a change that no score depends on."""
    language = {"language": f"x-{number}"}
    return [{**each, **language} for kind in ("Observation", "Encounter") for each in resources_of(icu, kind)]


@pytest.mark.parametrize("written", [inserted, corrected], ids=lambda written: written.__name__)
def test_what_is_written_to_the_server_while_its_pages_are_read_loses_nobody(ward: Ward, icu, written: Any) -> None:
    """Changes the server by its REST API before every page but the first of a search, of stays and of Observations."""
    known = {(each["resourceType"], each["id"]) for each in icu.resources}
    kept: set[tuple[str, str]] = set()

    def write(number: int) -> None:
        if "_page=" in ward.line.paths[-1]:
            fresh = written(icu, number)
            put(ward.server, fresh)
            kept.update((each["resourceType"], each["id"]) for each in fresh)

    ward.source = FhirEndpoint(ward.server.base_url, page_size=4, threads=1)
    ward.line.before = write
    try:
        summary = ward.screen()
    finally:
        delete(ward.server, [f"{kind}/{name}" for kind, name in sorted(kept - known)])
    assert {"/fhir/Encounter", "/fhir/Observation"} <= {path.partition("?")[0] for path in ward.line.paths}
    assert kept
    ward.require_whole(summary)


def test_what_is_deleted_while_pages_are_read_is_noticed_and_read_again(ward: Ward, icu) -> None:
    """The total included it, so one read is one short; the next read gets what is there."""
    deleted: list[str] = []

    def take(_number: int) -> None:
        if not deleted and "/Observation?_page=" in ward.line.paths[-1]:
            deleted.extend(f"Observation/o-p-s{place}-rr6.0" for place in range(STAYS))
            delete(ward.server, deleted)

    ward.source = FhirEndpoint(ward.server.base_url, page_size=4, threads=1)
    ward.line.before = take
    ward.require_whole(ward.screen())
    searches = [path for path in ward.line.paths if path.endswith("/Observation/_search")]
    assert len(searches) == STAYS // CHUNK + 1


def test_one_patient_whose_data_break_the_search_fails_alone(ward: Ward) -> None:
    def poisoned(_path: str, bundle: Bundle) -> None:
        if any(entry["resource"]["subject"]["reference"] == "Patient/p-s1" for entry in bundle["entry"]):
            raise requests.exceptions.ChunkedEncodingError

    ward.line.alter = poisoned
    summary = ward.screen(wait=timedelta(minutes=30))
    assert (summary["scored"], summary["failed"], ward.clock.now < 600) == (STAYS - 1, 1, True)
    ward.line.alter = lambda _path, _bundle: None
    ward.require_whole(ward.resume())


# Before the first request, while stays are read, and while they are written.
OUTAGES = [1, 3, 9, 16]


def _outage(ward: Ward, begins: int) -> Callable[[int], None]:
    down: list[float] = []

    def cut(number: int) -> None:
        if number == begins:
            down.append(ward.clock.now)
        if down and ward.clock.now < down[0] + 120:
            raise requests.ConnectionError

    return cut


@pytest.mark.parametrize("begins", OUTAGES)
def test_two_minutes_of_outage_are_waited_for_if_that_is_allowed(ward: Ward, begins: int) -> None:
    ward.line.before = _outage(ward, begins)
    ward.require_whole(ward.screen(wait=timedelta(minutes=30)))
    assert ward.clock.now >= 120


@pytest.mark.parametrize("begins", OUTAGES)
def test_two_minutes_of_outage_end_a_run_that_may_not_wait_and_it_is_resumed(ward: Ward, begins: int) -> None:
    ward.line.before = _outage(ward, begins)
    with pytest.raises(FhirUnreachable):
        ward.screen()
    ward.clock.now += 120
    ward.require_whole(ward.resume())


def test_a_run_whose_retries_are_used_up_stops_and_is_resumed(ward: Ward) -> None:
    ward.server.misbehave(FaultPlan(faults=(Fault(kind="status", status=503, path="/Observation/_search"),)))
    ward.source = replace(ward.source, threads=1)  # of two, either may come to its own end first
    with pytest.raises(FhirUnreachable, match="the run has used up its retries"):
        ward.screen(retries=10)
    ward.server.misbehave(FaultPlan())
    ward.require_whole(ward.resume())


# Requests of which no answer comes back any more; test_killed_screening.py kills whole processes, at twenty points.
KILLS = random.Random(7).sample([(number, done) for number in range(1, 30) for done in (False, True)], 8)


@pytest.mark.parametrize(("number", "done"), KILLS)
def test_a_run_killed_at_any_point_is_resumed_without_reading_again_what_it_has(
    ward: Ward, number: int, done: bool
) -> None:
    dead: list[int] = []

    def kill(at: int, after: bool) -> None:
        if dead or (at, after) == (number, done):
            dead.append(at)
            raise Killed

    ward.line.before, ward.line.after = lambda at: kill(at, False), lambda at: kill(at, True)
    with pytest.raises(Killed):
        ward.screen()
    (run,) = runs_in(ward.settings.runs)
    folder = RunFolder.existing(ward.settings.runs, run)
    whole = [name for name in folder.list() if name.endswith("/features.parquet")]
    ward.line = Line()
    summary = ward.resume()
    ward.require_whole(summary)
    searches = [path for path in ward.line.paths if path.endswith("/Observation/_search")]
    assert len(searches) == STAYS // CHUNK - len(whole)
    assert summary["as_of"] == ward.as_of


def test_a_resumed_run_keeps_the_model_that_it_began_with(ward: Ward) -> None:
    ward.line.before = _outage(ward, begins=3)
    with pytest.raises(FhirUnreachable):
        ward.screen()
    (run,) = runs_in(ward.settings.runs)
    began = RunFolder.existing(ward.settings.runs, run).read_json("request.json")["model_version"]
    ward.clock.now += 120
    assert ward.resume()["model_version"] == began
