"""The gate: rows that break the suite are set aside, and a run with too many of them writes nothing."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from wardround.adapters.files.run_folder import RunFolder, runs_in
from wardround.core import run_files
from wardround.errors import QualityError, WardroundError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.workflows.gate_process import GateProcess
from wardround.workflows.screen import Means, check_quality, resume
from wardround.workflows.screen.screen import Gate


def too_old(icu) -> None:
    """Makes the last patient 175 years old, which no feature row may be."""
    patient = [resource for resource in icu.resources if resource["resourceType"] == "Patient"][-1]
    patient["birthDate"] = "1850-05-01"


@pytest.fixture(params=["here", "beside"])
def gate(request) -> Iterator[Gate]:
    """The gate in this process, or in another."""
    if request.param == "here":
        yield check_quality
    else:
        with GateProcess() as process:
            yield process


def test_a_row_that_breaks_the_suite_fails_its_stay_with_the_rule(icu, server, screened, held, settings, gate) -> None:
    for place in range(11):
        icu.stay(f"s{place}")
    icu.stay("old")
    too_old(icu)
    icu.upload(server)
    summary = screened(chunk_size=5, gate=gate)
    ledger = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet").set_index("stay_id")
    assert (summary["scored"], summary["failed"], summary["written"]) == (11, 1, 11)
    assert ledger.loc["e-old", "outcome"] == "failed"
    assert ledger.loc["e-old", "reason"].startswith("quality:age is between 18 and 130")
    assert len(held("RiskAssessment")) == 11


@pytest.mark.parametrize(("rows", "goes_on"), [(4, True), (3, False)])
def test_as_many_rows_as_the_condition_bears_are_set_aside_and_no_more(
    icu, server, screened, with_quality, rows: int, goes_on: bool
) -> None:
    installed = with_quality(max_set_aside=0.25, max_failed=1)
    for place in range(rows - 1):
        icu.stay(f"s{place}")
    icu.stay("zz-old")
    too_old(icu)
    icu.upload(server)
    if goes_on:
        summary = screened(installed=installed)
        assert (summary["scored"], summary["failed"]) == (3, 1)
    else:
        with pytest.raises(QualityError, match="1 of 3 feature rows broke the suite, expected at most 25%"):
            screened(installed=installed)


def test_a_gate_whose_process_has_ended_says_so(icu, server, screened) -> None:
    icu.stay("a")
    icu.upload(server)
    before = psutil.Process().children()
    with GateProcess() as process:
        [child] = [child for child in psutil.Process().children() if child not in before]
        child.kill()
        with pytest.raises(WardroundError, match=r"run sepsis-\S+: the process of the quality gate ended with -9"):
            screened(gate=process)


def test_no_file_of_the_working_directory_is_taken_for_a_library_of_the_gates_process(
    icu, server, screened, tmp_path, monkeypatch
) -> None:
    icu.stay("a")
    icu.upload(server)
    (tmp_path / "re.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    with GateProcess() as process:
        assert screened(gate=process)["written"] == 1


def test_a_ward_without_a_stay_passes_the_gate_of_another_process(server, screened, gate) -> None:
    assert screened(gate=gate)["found"] == 0


def test_a_fault_of_the_gates_process_is_named_without_what_it_says(icu, server, screened, settings, capfd) -> None:
    icu.stay("a")
    icu.upload(server)
    with GateProcess() as process:

        def spoiled(run: str, settings: Settings) -> None:
            features = RunFolder.existing(settings.runs, run).location(run_files.of_chunk(1, "features.parquet"))
            Path(features).write_text("PRIVATE")
            process(run, settings)

        with pytest.raises(WardroundError, match=r"run sepsis-\S+: the quality gate failed with Arrow.*resume"):
            screened(gate=spoiled)
    assert capfd.readouterr().err == ""


def test_too_many_such_rows_stop_the_run_before_anything_is_written(
    icu, server, screened, held, settings, transport
) -> None:
    icu.stay("young")
    icu.stay("old")
    too_old(icu)
    icu.upload(server)
    with pytest.raises(QualityError, match="1 of 2 feature rows"):
        screened()
    assert transport.writes == []
    assert held("RiskAssessment") == held("Device") == []
    (run,) = runs_in(settings.runs)
    folder = RunFolder.existing(settings.runs, run)
    assert folder.exists("report.html")
    assert folder.read_json("quality.json")["set_aside"] == 1


def test_a_run_that_the_gate_stopped_goes_on_where_its_cause_was_mended(icu, server, screened, settings) -> None:
    for name in ("young", "grown", "old"):
        icu.stay(name)
    too_old(icu)
    icu.upload(server)
    with pytest.raises(QualityError):
        screened()
    (run,) = runs_in(settings.runs)
    means = Means(FhirEndpoint(server), settings, lambda *_: None)
    with pytest.raises(QualityError):
        resume(run, means)
    for resource in icu.resources:
        if resource["resourceType"] == "Patient":
            resource["birthDate"] = "1950-05-01"
    icu.lactate("p-old", "late", 6.0, hours=0.5)
    icu.upload(server)
    summary = resume(run, means).as_json()
    assert (summary["scored"], summary["failed"], summary["written"]) == (3, 0, 3)
    folder = RunFolder.existing(settings.runs, run)
    ages = {row["stay_id"]: row["age"] for n in (1, 2, 3) for row in _features(folder, n)}
    assert ages["e-old"] == pytest.approx(75.67, abs=0.01), "read again"
    assert ages["e-young"] == pytest.approx(65.67, abs=0.01), "whose row passed the suite is not read again"


def _features(folder: RunFolder, chunk: int) -> list[dict[str, float]]:
    return folder.read_frame(run_files.of_chunk(chunk, "features.parquet"))[["stay_id", "age"]].to_dict("records")
