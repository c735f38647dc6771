"""Tests that only frames and the report contain anything of a patient but ids: no log, message, exception or name."""

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from tests.otlp_collector import collecting

from wardround.adapters.files.run_folder import RunFolder
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import running_server
from wardround.errors import RunIncomplete
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.report.gauges import STAYS
from wardround.workflows.screen import Means, ScreeningRequest, require_complete, screen, servers_in

NAME, RECORD_NUMBER, FREE_TEXT = "ZZTOPSECRET", "MRN-77123456", "coughing since tuesday"
VALUE = 123.456
MARKS = (NAME, RECORD_NUMBER, FREE_TEXT, str(VALUE), "123.4", "1931-04-17", "987.65")


def marked(icu: Any) -> None:
    """Provides three patients with unique names, numbers and values, one of them with broken data."""
    for name in ("a", "b", "broken"):
        icu.stay(name, lactate=6.0)
    for resource in icu.resources:
        if resource["resourceType"] == "Patient":
            resource["name"] = [{"family": NAME, "text": NAME}]
            resource["identifier"] = [{"system": "urn:hospital", "value": RECORD_NUMBER}]
            resource["birthDate"] = "1931-04-17"
        if resource["resourceType"] == "Observation":
            resource["note"] = [{"text": FREE_TEXT}]
            if "hr" in resource["id"]:
                resource["valueQuantity"]["value"] = VALUE
    for place, who in enumerate(("p-a", "p-broken")):
        # What the gate sets aside: a foreign unit, an impossible value, a text where a number belongs, a wrong time.
        icu.lactate(who, f"unit{place}", 987.65, hours=1, valueQuantity={"value": 987.65, "unit": NAME, "code": NAME})
        icu.lactate(who, f"high{place}", 987.65, hours=1)
        code = {"coding": [{"system": "http://loinc.org", "code": "2524-7", "display": NAME}], "text": NAME}
        icu.observation(who, f"text{place}", 1.0, code=code, valueString=FREE_TEXT)


class Broken(HTTPAdapter):
    """Answers every search that includes the broken patient with an error that names and quotes the patient."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if "p-broken" not in str(request.body) or "Observation" not in str(request.url):
            return super().send(request, *args, **kwargs)
        response = requests.Response()
        response.status_code = 422
        response.headers["Content-Type"] = "application/fhir+json"
        text = f"{NAME} {RECORD_NUMBER} {VALUE}"
        outcome = f'{{"resourceType": "OperationOutcome", "issue": [{{"code": "invalid", "diagnostics": "{text}"}}]}}'
        response._content = outcome.encode()
        response.request, response.url = request, str(request.url)
        return response


def leaks(text: str) -> list[str]:
    return [mark for mark in MARKS if mark in text]


def leaking_files(folder: RunFolder) -> dict[str, list[str]]:
    """Returns the files of a run, other than frames and lists of patients, whose content or name contains a mark."""
    found = {}
    for name in folder.list():
        listed = name.endswith(".parquet") or name in ("report.html", "worklist.csv")
        content = "" if listed else folder.read_text(name)
        if marks := leaks(name + content):
            found[name] = marks
    return found


@pytest.fixture(scope="module")
def server() -> Any:
    with running_server() as running:
        yield running


@pytest.mark.parametrize("mode", ["live", "shadow"])
def test_a_screening_leaks_nothing_of_a_patient(icu, server, settings, caplog, capfd, mode) -> None:
    caplog.set_level(logging.DEBUG)
    marked(icu)
    icu.upload(server.base_url)
    request = ScreeningRequest(condition="sepsis", source_url=server.base_url, as_of="2026-01-02T05:00:00Z", mode=mode)
    told: list[str] = []
    summary = screen(
        request, Means(FhirEndpoint(server.base_url), settings, lambda *at: told.append(str(at)), Broken())
    ).as_json()
    with pytest.raises(RunIncomplete) as incomplete:
        require_complete(summary["run"], settings)
    assert (summary["found"], summary["scored"], summary["failed"]) == (3, 2, 1)
    printed = capfd.readouterr()
    assert leaks("\n".join((caplog.text, printed.out, printed.err, str(incomplete.value), *told, str(summary)))) == []
    folder = RunFolder.existing(settings.runs, summary["run"])
    assert {"request.json", "summary.json", "set_aside.json", "quality.json"} <= set(folder.list())
    assert leaking_files(folder) == {}
    lists = folder.read_text("report.html") + folder.read_text("worklist.csv")
    assert NAME not in lists
    assert RECORD_NUMBER not in lists


def test_what_a_collector_is_sent_names_no_patient_stay_run_or_value(icu, server, settings) -> None:
    marked(icu)
    icu.resources.append({"resourceType": "Location", "id": "bed", "name": f"Bed of {NAME}"})
    for resource in icu.resources:
        if resource["resourceType"] == "Encounter":
            resource["location"] = [{"location": {"reference": "Location/bed"}}]
    icu.upload(server.base_url)
    request = ScreeningRequest(condition="sepsis", source_url=server.base_url, as_of="2026-01-02T05:00:00Z")
    with collecting() as collector:
        installed = replace(settings, collector=collector.url)
        summary = screen(request, Means(FhirEndpoint(server.base_url), installed, lambda *_: None, Broken())).as_json()
    assert {one["outcome"]: value for one, value in collector.of(STAYS)}["failed"] == 1
    sent = str(collector.requests)
    ids = ("p-a", "e-a", "p-broken", "e-broken", summary["run"], summary["run"].rsplit("-", 1)[1], settings.runs)
    assert leaks(sent) + [text for text in (*ids, server.base_url) if text in sent] == []


def test_results_elsewhere_carry_the_record_number_there_and_nowhere_else(icu, server, settings, caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    marked(icu)
    icu.upload(server.base_url)
    with running_server() as results:
        source = FhirEndpoint(server.base_url, write_to=FhirEndpoint(results.base_url))
        request = {"condition": "sepsis", "as_of": "2026-01-02T05:00:00Z", **servers_in(source)}
        summary = screen(ScreeningRequest.model_validate(request), Means(source, settings, lambda *_: None)).as_json()
        with FhirClient(FhirEndpoint(results.base_url)) as client:
            named = {risk["subject"]["identifier"]["value"] for risk in client.search("RiskAssessment", {})}
    assert named == {RECORD_NUMBER}
    printed = capfd.readouterr()
    assert leaks("\n".join((caplog.text, printed.out, printed.err, str(summary)))) == []
    folder = RunFolder.existing(settings.runs, summary["run"])
    assert leaking_files(folder) == {}
    assert RECORD_NUMBER not in folder.read_text("report.html") + folder.read_text("worklist.csv")


def test_the_marks_are_in_the_places_where_they_are_allowed(icu, server, settings) -> None:
    """Without this, the test above could pass because the marked values never reached a run."""
    marked(icu)
    icu.upload(server.base_url)
    request = ScreeningRequest(condition="sepsis", source_url=server.base_url, as_of="2026-01-02T05:00:00Z")
    summary = screen(request, Means(FhirEndpoint(server.base_url), settings, lambda *_: None)).as_json()
    folder = RunFolder.existing(settings.runs, summary["run"])
    frames = [folder.read_frame(name) for name in folder.list() if name.endswith("events.parquet")]
    assert any((frame["value"] == VALUE).any() for frame in frames)
    counted = folder.read_json("set_aside.json")["lactate"]
    assert counted == {"implausible_value": 2, "no_value": 2, "unknown_unit": 2}


@pytest.mark.parametrize(
    "fault",
    [None, Fault(kind="status", status=500, path="/Observation/_search"), Fault(kind="status", status=401)],
    ids=["complete", "a search that fails", "refused"],
)
def test_the_command_prints_nothing_of_a_patient(icu, server, settings, tmp_path, fault: Fault | None) -> None:
    marked(icu)
    icu.upload(server.base_url)
    server.misbehave(FaultPlan(faults=(fault,) if fault else ()))
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    (tmp_path / "token").write_text("zz-secret-token\n")
    from_file = {"WARDROUND_FHIR_TOKEN_FILE": str(tmp_path / "token")}
    secret = {"WARDROUND_FHIR_TOKEN": "zz-secret-token"} if fault else from_file
    environment = {**os.environ, **secret, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}
    options = ["--source", server.base_url, "--as-of", "2026-01-02T05:00:00Z", "--json", "-vv"]
    command = [sys.executable, "-m", "wardround", "screen", "sepsis", *options]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    server.misbehave(FaultPlan())
    assert leaks(finished.stdout + finished.stderr) == []
    assert "Traceback" not in finished.stderr
    assert finished.returncode == (0 if fault is None else 7 if fault.status == 401 else 11)
    everything = b"".join(path.read_bytes() for path in Path(settings.var).rglob("*") if path.is_file())
    assert b"zz-secret-token" not in everything + finished.stdout.encode() + finished.stderr.encode()
