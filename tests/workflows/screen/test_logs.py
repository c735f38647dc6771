"""The log of a screening is its account: what each step counted, what was borne with, and what failed."""

import logging
import shutil
from dataclasses import replace

import pytest
import yaml

from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.workflows.gate_process import GateProcess
from wardround.workflows.screen import check_quality, require_complete
from wardround.workflows.steps import logged


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="wardround")
    return lambda level="INFO": [record.getMessage() for record in caplog.records if record.levelname == level]


def line(said, run: str, step: str, level: str = "INFO") -> str:
    """What a step says when it is done."""
    (found,) = [one for one in said(level) if one.startswith(f"run {run}, {step}: done")]
    return found.partition("; ")[2].partition("; requests")[0]


def test_each_step_says_what_it_counted(icu, server, screened, said) -> None:
    icu.stay("a")
    icu.stay("b", lactate=6.0)
    icu.stay("empty", lactate=None, vitals=False)
    icu.stay("planned", status="planned")
    icu.lactate("p-a", "odd", 5.0, hours=1, valueQuantity={"value": 5.0, "unit": "drops"})
    icu.upload(server)
    run = screened(chunk_size=3)["run"]
    assert line(said, run, "find_stays") == "found 4; to screen 3; chunks 1; excluded 1 (unusable_status 1)"
    assert line(said, run, "extract, chunk 1").endswith("set aside 1 (unknown_unit 1); failed 0")
    assert line(said, run, "check_quality") == "rows 3; set aside 0"
    assert line(said, run, "score, chunk 1") == "stays 3; indeterminate 1 (minimum_data 1); scored 2"
    assert line(said, run, "publish, chunk 1") == "to write 2; written 2; unchanged 0; failed 0"
    outcomes = "found 4; scored 2; indeterminate 1; excluded 1; written 2; failed 0"
    assert line(said, run, "reconcile") == outcomes
    assert said("WARNING") == said("ERROR") == []


def test_a_run_says_its_name_its_question_and_where_its_report_is(icu, server, screened, said) -> None:
    icu.stay("a")
    icu.upload(server)
    summary = screened(mode="shadow")
    opened = next(one for one in said() if one.startswith(f"run {summary['run']}: opened"))
    assert f"mode shadow, model {summary['model_version']}, source {server}" in opened
    assert f"run {summary['run']}: the report is at {summary['report']}" in said()


def test_each_step_leads_to_the_runs_page_where_there_is_one(icu, server, screened, said, settings) -> None:
    icu.stay("a")
    icu.upload(server)
    summary = screened(installed=replace(settings, pages="https://airflow.example.org/wardround"))
    ends = [one for one in said() if f"run {summary['run']}, " in one and ": done in" in one]
    assert len(ends) == 6
    page = f"https://airflow.example.org/wardround/runs/{summary['run']}"
    assert [one for one in ends if not one.endswith(f"; report {page}")] == []


def test_a_run_ends_with_its_counts_and_its_report(icu, server, screened, said, settings) -> None:
    icu.stay("a")
    icu.stay("planned", status="planned")
    icu.upload(server)
    summary = screened()
    require_complete(summary["run"], settings)
    counts = "found 2; scored 1; indeterminate 0; excluded 1; failed 0; written 1"
    assert said()[-1] == f"run {summary['run']}: {counts}; report {summary['report']}"
    # Until there is a report, none is named.
    assert "report" not in line(said, summary["run"], "find_stays")


def test_a_second_run_says_that_nothing_changed(icu, server, screened, said, caplog) -> None:
    icu.stay("a")
    icu.upload(server)
    screened()
    caplog.clear()
    run = screened()["run"]
    assert line(said, run, "publish, chunk 1") == "to write 1; written 1; unchanged 1; failed 0"


def test_a_patient_who_cannot_be_read_is_said_to_have_been_tried_alone(icu, server, screened, transport, said) -> None:
    icu.stay("a")
    icu.stay("b")
    icu.upload(server)
    transport.refuse = lambda body: 422 if "p-b" in body and not body.startswith("{") else None
    run = screened(chunk_size=2)["run"]
    where = f"run {run}, extract, chunk 1: "
    together, alone, *_ = said("WARNING")
    assert together.startswith(f"{where}2 patients cannot be read together; trying each half separately (FhirError ")
    assert alone.startswith(f"{where}the data of one patient cannot be used; stays failed: 1 (FhirError in ")
    assert line(said, run, "extract, chunk 1", "WARNING").endswith("failed 1 (extract:FhirError 1)")
    assert line(said, run, "reconcile", "WARNING").endswith("written 1; failed 1 (extract:FhirError 1)")


def test_the_gates_process_says_through_its_parent(icu, server, screened, said) -> None:
    icu.stay("a")
    icu.upload(server)
    with GateProcess() as gate:
        run = screened(gate=gate)["run"]
    assert line(said, run, "check_quality") == "rows 1; set aside 0"


def test_what_fails_is_an_error_by_name_and_place_without_its_message(said) -> None:
    with pytest.raises(ValueError, match="Zebrowski"), logged("run r", "score", 3):
        raise ValueError("Zebrowski 7.1")
    (failed,) = said("ERROR")
    assert failed.startswith("run r, score, chunk 3: failed after ")
    assert "(ValueError in test_what_fails_is_an_error_by_name" in failed
    assert "Zebrowski" not in failed


def test_a_reason_that_is_a_message_is_counted_by_its_kind_alone(said) -> None:
    with logged("run r", "publish") as step:
        step.count_reasons("failed", ["write:412", "write:412", "invalid:value Zebrowski is 7.1", "quality:rule a", ""])
    assert said()[-1].endswith("; failed 5 (invalid 1, quality 1, write:412 2)")


def test_a_census_in_doubt_is_a_warning(icu, server, screened, settings, tmp_path, said) -> None:
    home = tmp_path / "home"
    shutil.copytree(settings.schemas, home / "include" / "schemas")
    spec = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
    content = yaml.safe_load(spec.read_text())
    content["cohort"] = {**content["cohort"], "at_least": 2}
    spec.write_text(yaml.safe_dump(content, sort_keys=False))
    icu.stay("a")
    icu.upload(server)
    run = screened(installed=replace(settings, home=home))["run"]
    (warned,) = said("WARNING")
    assert warned == f"run {run}, find_stays: the census is implausible: found 1 stay, expected at least 2"


def test_a_patient_who_changed_meanwhile_is_said_to_have_failed(icu, server, screened, said) -> None:
    icu.stay("a")
    icu.upload(server)

    def gate(run: str, settings: Settings) -> None:
        check_quality(run, settings)
        moved = {**icu.resources[0], "subject": {"reference": "Patient/somebody-else"}}
        with FhirClient(FhirEndpoint(server)) as client:
            client.batch([{"resource": moved, "request": {"method": "PUT", "url": f"Encounter/{moved['id']}"}}])

    run = screened(gate=gate)["run"]
    assert line(said, run, "publish, chunk 1", "WARNING").endswith("failed 1 (subject_changed 1)")
