"""Tests `wardround screen`: what it accepts, what it prints, and how it ends."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.loopback import serving

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.cli.screen import command
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import running_server
from wardround.errors import (
    CensusImplausible,
    ConditionSuspended,
    FhirError,
    FhirRefused,
    FhirUnreachable,
    FutureAsOf,
    ModelError,
    RunIncomplete,
    RunNotFound,
    SpecError,
    StorageError,
)
from wardround.spec.loading import load_condition
from wardround.workflows.suspension import suspend

KEYS = {"found", "scored", "indeterminate", "excluded", "failed", "written", "run", "report", "model_version"}
NOWHERE = "http://127.0.0.1:9/fhir"


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with running_server() as running:
        yield running


def invoked(settings, *options: str, **environment: str) -> Result:
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    named = {**{f"WARDROUND_{name}": str(place) for name, place in places.items()}, **environment}
    return CliRunner(env=named).invoke(command, options)


def screened(settings, source: str, *options: str, **environment: str) -> Result:
    given = ("sepsis", "--source", source, "--as-of", "2026-01-02T05:00:00Z", *options)
    return invoked(settings, *given, **environment)


def test_json_is_one_object_with_the_agreed_names(icu, server, settings) -> None:
    icu.stay("a")
    icu.upload(server.base_url)
    result = screened(settings, server.base_url, "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed.keys() >= KEYS | {"condition", "as_of", "mode"}
    assert (printed["found"], printed["scored"], printed["written"]) == (1, 1, 1)
    assert Path(printed["report"]).is_file()


def test_a_shadow_run_says_how_much_a_live_run_would_write(icu, server, settings) -> None:
    icu.stay("a")
    icu.upload(server.base_url)
    result = screened(settings, server.base_url, "--mode", "shadow")
    assert result.exit_code == 0
    assert "1 RiskAssessment would be written in a live run; none was" in result.output


def test_the_group_of_the_high_band_is_printed_as_a_cohort_option(icu, keeping) -> None:
    icu.stay("high", lactate=7.0)
    with running_server() as mine:
        icu.upload(mine.base_url)
        said = " ".join(screened(keeping, mine.base_url).output.split())
        (named,) = re.findall(r"Group/(\S+) lists the patients in the high band: 1 \(--cohort group:\1\)\.", said)
        earlier = ("sepsis", "--source", mine.base_url, "--as-of", "2026-01-02T04:00:00Z")
        said = " ".join(invoked(keeping, *earlier).output.split())
    assert f"Group/{named} lists the high band of a later time, and was not changed." in said


def test_one_patient_is_screened_on_request(icu, settings) -> None:
    for name in ("asked", "other"):
        icu.stay(name)
    with running_server() as ward:
        icu.upload(ward.base_url)
        result = screened(settings, ward.base_url, "--cohort", "patients:p-asked", "--json")
    assert result.exit_code == 0, result.output
    assert [json.loads(result.stdout)[name] for name in ("cohort", "found", "written")] == ["patients", 1, 1]


def test_a_patient_without_a_stay_is_reported_and_the_ward_is_not_called_empty(server, settings) -> None:
    result = screened(settings, server.base_url, "--cohort", "patients:nobody")
    assert result.exit_code == 0, result.output
    assert "Of the cohort 1 is not screened: unknown patient." in result.output
    assert "ward is empty" not in result.output


def test_a_name_given_instead_of_an_id_is_not_repeated(settings) -> None:
    result = screened(settings, NOWHERE, "--cohort", "patients:Ada Lovelace")
    assert result.exit_code == 2
    assert "got 'patients:…': expected search," in " ".join(result.output.split())
    assert "Lovelace" not in result.output


def test_an_empty_ward_ends_as_implausible(server, settings) -> None:
    result = invoked(settings, "sepsis", "--source", server.base_url, "--as-of", "1999-01-02T05:00:00Z", "--json")
    assert json.loads(result.stdout)["found"] == 0
    assert isinstance(result.exception, CensusImplausible)
    assert result.exception.exit_code == 15
    assert "The ward is empty" not in result.output


def test_an_accepted_empty_ward_says_so_and_ends_well(server, settings) -> None:
    asked = ("sepsis", "--source", server.base_url, "--as-of", "1999-01-02T05:00:00Z", "--accept-census")
    result = invoked(settings, *asked)
    assert result.exit_code == 0
    assert "The ward is empty" in result.output


def test_a_named_source_is_compared_by_its_name(server, settings, tmp_path) -> None:
    result = screened(settings, "ward", "--accept-census", "--json", WARD_BASE_URL=server.base_url)
    census = RunFolder.of(settings.runs, json.loads(result.stdout)["run"]).read_json("census.json")
    assert census["of"]["source"] == "ward"


@pytest.mark.parametrize("time", ["2026-01-02T05:00:00", "2026-01-02", "yesterday", ""])
def test_a_time_without_an_offset_is_refused(settings, time: str) -> None:
    result = invoked(settings, "sepsis", "--source", NOWHERE, "--as-of", time)
    assert result.exit_code == 2
    assert "offset" in result.output


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_a_future_time_is_refused_before_the_server_is_asked(settings) -> None:
    result = invoked(settings, "sepsis", "--source", NOWHERE, "--as-of", in_an_hour())
    assert isinstance(result.exception, FutureAsOf)


def test_a_future_time_is_screened_if_it_is_allowed_explicitly(icu, server, settings) -> None:
    icu.stay("a")
    icu.upload(server.base_url)
    options = ("sepsis", "--source", server.base_url, "--as-of", in_an_hour(), "--allow-future", "--mode", "shadow")
    assert invoked(settings, *options).exit_code == 0


@pytest.mark.parametrize("options", [("--chunk", "0"), ("--look-back", "soon"), ("--mode", "loud")])
def test_an_option_without_effect_is_refused(settings, options: tuple[str, str]) -> None:
    assert screened(settings, NOWHERE, *options).exit_code == 2


def test_the_message_for_an_unknown_condition_lists_the_known_ones(settings) -> None:
    result = invoked(settings, "gout", "--source", NOWHERE, "--as-of", "2026-01-02T05:00:00Z")
    assert isinstance(result.exception, SpecError)
    assert "expected one of: sepsis" in str(result.exception)


def test_without_a_model_the_server_is_not_asked(settings, tmp_path) -> None:
    result = screened(settings, NOWHERE, WARDROUND_MODELS=str(tmp_path / "none"))
    assert isinstance(result.exception, ModelError)


def test_storage_of_runs_without_its_library_is_refused_before_the_server_is_asked(settings) -> None:
    result = screened(settings, NOWHERE, WARDROUND_RUNS="gs://bucket/runs")
    assert isinstance(result.exception, StorageError)
    assert "needs gcsfs, which is not installed; install wardround[gcs]" in str(result.exception)


def test_the_message_for_an_unknown_server_profile_lists_the_known_ones(settings) -> None:
    result = screened(settings, NOWHERE, "--profile", "oracel")
    assert isinstance(result.exception, SpecError)
    assert "did you mean 'oracle'" in str(result.exception)


def test_an_invalid_base_url_is_refused(settings) -> None:
    for url in ("ftp://h/fhir", "h/fhir", "http://user:secret@h/fhir"):
        result = screened(settings, url)
        assert isinstance(result.exception, FhirError)
        assert "secret" not in str(result.exception) + result.output


def test_a_site_that_answers_html_is_not_accepted_as_a_fhir_server(settings) -> None:
    with website() as url:
        result = screened(settings, url)
    assert isinstance(result.exception, FhirError)
    assert not isinstance(result.exception, FhirUnreachable)
    assert "text/html" in str(result.exception)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, {"resourceType": "CapabilityStatement", "fhirVersion": "3.0.2"}, "uses FHIR 3.0.2, expected R4"),
        (404, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found"}]}, "check the"),
        (200, {"resourceType": "OperationOutcome", "issue": []}, "answered OperationOutcome, expected Bundle"),
        (200, {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "OperationOutcome", "issue": [
            {"severity": "error", "code": "exception"}]}}]}, "the search failed with exception"),
    ],
    ids=["FHIR 3", "404 everywhere", "an outcome for everything", "an outcome among no results"],
)  # fmt: skip
def test_a_base_url_without_an_r4_server_is_reported_as_wrong(
    settings, status: int, body: dict[str, Any], message: str
) -> None:
    with website(status, "application/fhir+json", json.dumps(body).encode()) as url:
        result = screened(settings, url)
    assert isinstance(result.exception, FhirError)
    assert message in str(result.exception)


def test_failed_stays_are_printed_before_the_run_ends_as_incomplete(icu, server, settings) -> None:
    icu.stay("a")
    icu.upload(server.base_url)
    server.misbehave(FaultPlan(faults=(Fault(kind="status", status=500, path="/Observation/_search"),)))
    result = screened(settings, server.base_url, "--json")
    server.misbehave(FaultPlan())
    assert json.loads(result.stdout)["failed"] == 1
    assert isinstance(result.exception, RunIncomplete)
    assert result.exception.exit_code == 11


def test_a_run_that_failed_names_itself_and_is_resumed_without_reading_again(icu, server, settings) -> None:
    for name in ("a", "b"):
        icu.stay(name)
    icu.upload(server.base_url)
    server.misbehave(FaultPlan(faults=(Fault(kind="status", status=401, path="/RiskAssessment/_search"),)))
    failed = screened(settings, server.base_url, "--chunk", "1")
    assert isinstance(failed.exception, FhirRefused)
    run = failed.output.rpartition("wardround screen --resume ")[2].split()[0]
    server.misbehave(FaultPlan())
    server.forget_requests()
    resumed = json.loads(invoked(settings, "--resume", run, "--json").stdout)
    assert (resumed["run"], resumed["scored"], resumed["written"], resumed["failed"]) == (run, 2, 2, 0)
    # The Encounters are read again only before their scores are written.
    assert "POST Observation/_search" not in server.requests()
    assert server.requests()["POST Encounter/_search"] == 2


def test_the_name_of_the_run_is_printed_before_the_server_is_asked(settings) -> None:
    result = screened(settings, NOWHERE, WARDROUND_FHIR_RETRIES="1")
    assert isinstance(result.exception, FhirUnreachable)
    assert result.stderr.startswith(
        "To continue this run if it is interrupted: wardround screen --resume sepsis-20260102T050000Z-"
    )


def test_a_source_that_was_never_read_leaves_nothing_to_resume(settings) -> None:
    result = screened(settings, NOWHERE, WARDROUND_FHIR_RETRIES="1")
    assert isinstance(result.exception, FhirUnreachable)
    assert "To finish the run" not in result.output


def test_a_first_screening_says_how_to_get_a_live_model(settings, tmp_path) -> None:
    fresh = replace(settings, models=tmp_path / "models")
    result = screened(fresh, NOWHERE)
    assert isinstance(result.exception, ModelError)
    assert "no model is live; train one with `wardround train sepsis --mimic DIR`" in str(result.exception)
    assert "--mode shadow --demo-model" in str(result.exception)
    assert "--resume" not in result.output


def test_the_demos_model_can_be_used_to_rehearse_and_is_labelled_as_such(icu, server, settings, tmp_path) -> None:
    icu.stay("a")
    icu.upload(server.base_url)
    fresh = replace(settings, models=tmp_path / "models", var=tmp_path / "var", runs=str(tmp_path / "runs"))
    without = screened(fresh, server.base_url, "--mode", "shadow", "--demo-model")
    assert isinstance(without.exception, ModelError)
    assert "run `make demo`" in str(without.exception)
    shutil.copytree(settings.models, fresh.demo_models)
    for loud in ((), ("--mode", "live")):
        refused = screened(fresh, server.base_url, *loud, "--demo-model")
        assert (refused.exit_code, "--demo-model goes with --mode shadow" in refused.output) == (2, True)
    server.forget_requests()
    result = screened(fresh, server.base_url, "--mode", "shadow", "--demo-model", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["scored"] > 0, told["written"], told["mode"]) == (True, 0, "shadow")
    page = Path(told["report"]).read_text(encoding="utf-8")
    assert "The scores say nothing about any patient" in " ".join(page.split())
    assert told["model_version"] in page
    resumed = invoked(fresh, "--resume", told["run"], "--json")
    assert resumed.exit_code == 0, resumed.output
    assert json.loads(resumed.stdout)["model_version"] == told["model_version"]
    assert not any(request.startswith(("PUT", "PATCH")) for request in server.requests())


def test_a_resumed_run_keeps_its_original_options(icu, server, settings) -> None:
    icu.stay("a")
    icu.upload(server.base_url)
    run = json.loads(screened(settings, server.base_url, "--json").stdout)["run"]
    for options in (("sepsis",), ("--as-of", "2026-01-02T05:00:00Z"), ("--mode", "live")):
        assert invoked(settings, "--resume", run, *options).exit_code == 2
    assert isinstance(invoked(settings, "--resume", run, "--source", NOWHERE).exception, FhirError)
    assert isinstance(invoked(settings, "--resume", "sepsis-20260102T050000Z-000000").exception, RunNotFound)


@pytest.mark.parametrize("given", [("sepsis",), ("--source", NOWHERE), ("sepsis", "--as-of", "2026-01-02T05:00:00Z")])
def test_a_run_needs_its_condition_source_and_time(settings, given: tuple[str, ...]) -> None:
    result = invoked(settings, *given)
    assert result.exit_code == 2
    assert "is missing" in result.output


def website(status: int = 200, kind: str = "text/html", body: bytes = b"<html>") -> AbstractContextManager[str]:
    """A server that answers every request with a page."""
    return serving(lambda line: line.say(body, status, kind))


def test_a_suspended_condition_ends_the_command_with_its_own_exit_code(icu, server, settings, tmp_path) -> None:
    icu.stay("a")
    icu.upload(server.base_url)
    shutil.copytree(settings.models, tmp_path / "models")
    own = replace(settings, models=tmp_path / "models")
    suspend("sepsis", "ann", "because", own)
    result = screened(own, server.base_url, "--json")
    assert isinstance(result.exception, ConditionSuspended)
    assert result.exception.exit_code == 14
    # Nothing was started, so there is nothing to resume.
    assert "To finish the run" not in result.output
    assert screened(own, server.base_url, "--mode", "shadow").exit_code == 0


def test_the_mode_is_the_conditions_unless_another_is_given(icu, server, settings, tmp_path) -> None:
    icu.stay("a")
    icu.upload(server.base_url)
    shutil.copytree(settings.home, tmp_path / "home")
    own = replace(settings, home=tmp_path / "home")
    with (own.schemas / "conditions" / "sepsis.yaml").open("a") as file:
        file.write("\nmode: shadow\nshadow_until: 2026-02-01\n")
    said = [json.loads(screened(own, server.base_url, "--json", *mode).stdout) for mode in ((), ("--mode", "live"))]
    assert [(one["mode"], one["written"]) for one in said] == [("shadow", 0), ("live", said[1]["found"])]
    assert said[1]["found"] > 0


def test_a_challenger_is_reported_in_words_and_in_json(icu, server, settings, tmp_path) -> None:
    icu.stay("a")
    icu.upload(server.base_url)
    shutil.copytree(settings.models, tmp_path / "models")
    own = replace(settings, models=tmp_path / "models")
    store = ModelStore(own.models)
    live = store.live_version("sepsis")
    other = store.card("sepsis", live).model_copy(update={"version": "1.0.0-other"})
    files = {name: (own.models / "sepsis" / live / name).read_bytes() for name in other.files}
    store.save("sepsis", other, files)
    store.challenge(load_condition("sepsis", own.schemas), "1.0.0-other", "ann", "is it better?")
    result = screened(own, server.base_url, "--json", "--mode", "shadow")
    scored = json.loads(result.stdout)["scored"]
    assert json.loads(result.stdout)["challenger"]["compared"] == scored > 0
    said = f"Challenger 1.0.0-other (nothing of it was written): {scored} of {scored} stays in the same band"
    assert said in result.stderr
    (own.models / "sepsis" / "1.0.0-other" / "card.json").write_text("{}")
    left_out = screened(own, server.base_url, "--mode", "shadow")
    assert left_out.exit_code == 0
    assert "The challenger 1.0.0-other was left out: " in left_out.stderr
