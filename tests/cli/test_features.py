"""`wardround features`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from wardround.cli.features import command
from wardround.demo.fhir_server.running import running_server
from wardround.errors import CensusImplausible, FhirError, FutureAsOf, SourceDataError, SpecError


@pytest.fixture
def folder(tmp_path: Path, stay: dict[str, Any], pulse: dict[str, Any]) -> Path:
    stay = {**stay, "status": "finished", "period": {**stay["period"], "end": "2026-01-05T00:00:00Z"}}
    unusable = {**stay, "id": "e0", "subject": {}}
    foreign = {**pulse, "id": "o2", "valueQuantity": {"value": 80, "code": "mg/dL"}}
    patient = {"resourceType": "Patient", "id": "a", "gender": "female", "birthDate": "1960-05-01"}
    lines = [patient, stay, {**stay, "id": "d1"}, unusable, pulse, foreign]
    (tmp_path / "all.ndjson").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def run(*arguments: object):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_each_stay_is_a_row_some_time_after_its_admission(folder: Path, tmp_path: Path) -> None:
    result = run("sepsis", "--fhir", folder, "--at", "6h", "--out", tmp_path / "f.parquet", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "stays": 2,
        "stays_set_aside": 1,
        "readings_set_aside": {"heart_rate: unknown_unit": 1},
        "stays_with_too_little_data": 2,
        "out": str(tmp_path / "f.parquet"),
    }
    features = pd.read_parquet(tmp_path / "f.parquet")
    assert features["stay_id"].tolist() == ["d1", "e1"]
    assert features["as_of"].unique().tolist() == [pd.Timestamp("2026-01-02T06:00Z")]
    assert features["heart_rate__hours_since_last_24h"].tolist() == [1.0, 1.0]


def test_files_of_a_folder_that_are_not_resources_are_reported(folder: Path, tmp_path: Path) -> None:
    (folder / "log.ndjson").write_text('{"eventId": "kickoff"}')
    (folder / "error.ndjson").write_text('{"resourceType": "OperationOutcome"}')
    result = run("sepsis", "--fhir", folder, "--at", "6h", "--out", tmp_path / "f.parquet", "--json")
    said = json.loads(result.stdout)
    assert (said["stays"], said["operation_outcomes"], said["files_passed_over"]) == (2, 1, 1)
    assert "Passed over, because their names are not those of FHIR files: log.ndjson" in result.stderr


def test_the_message_distinguishes_missing_encounters_from_encounters_elsewhere(
    folder: Path, tmp_path: Path, stay: dict[str, Any]
) -> None:
    def message() -> str:
        result = run("sepsis", "--fhir", folder, "--at", "6h", "--out", tmp_path / "f.parquet")
        assert isinstance(result.exception, CensusImplausible)
        return str(result.exception)

    patients = [{"resourceType": "Patient", "id": key, "birthDate": "1960-05-01"} for key in "abc"]
    (folder / "all.ndjson").write_text("\n".join(map(json.dumps, patients)))
    assert "there are 3 Patients but no Encounter" in message()
    (folder / "more.ndjson").write_text(json.dumps({**stay, "class": {"code": "IMP"}}))
    assert "found 0 stays among 1 Encounters" in message()


def test_values_that_all_lie_outside_the_window_are_pointed_out(folder: Path, tmp_path: Path) -> None:
    result = run("sepsis", "--fhir", folder, "--at", "72h", "--out", tmp_path / "f.parquet", "--json")
    said = json.loads(result.stdout)
    assert (said["stays_with_too_little_data"], sum(said["readings_outside_windows"].values())) == (2, 2)
    assert "No stay has enough values in the 24 hours before its prediction time; 2 values lie outside" in result.stderr


@pytest.mark.parametrize(("as_of", "stays"), [("2026-01-03T00:00:00Z", 2), ("2026-01-06T00:00:00Z", 0)])
def test_as_of_takes_the_stays_in_progress(folder: Path, tmp_path: Path, as_of: str, stays: int) -> None:
    result = run("mortality", "--fhir", folder, "--as-of", as_of, "--out", tmp_path / "f.parquet", "--json")
    assert json.loads(result.stdout)["stays"] == stays
    features = pd.read_parquet(tmp_path / "f.parquet")
    assert features.columns[:3].tolist() == ["stay_id", "as_of", "age"]
    assert str(features["as_of"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either --mimic DIR or --fhir"),
        (("--fhir", "x", "--mimic", "y"), "give either --mimic DIR or --fhir"),
        (("--fhir", "x", "--at", "24h", "--as-of", "2026-01-03T00:00:00Z"), "not both"),
        (("--fhir", "x", "--at", "soon"), "expected a whole number"),
        (("--fhir", "x", "--as-of", "2026-01-03T00:00:00"), "has no offset"),
        (("--fhir", "x", "--as-of", "2026-01-03"), "write 2026-01-03T00:00:00Z for UTC"),
    ],
)
def test_wrong_arguments_are_explained(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run("sepsis", *arguments, "--out", tmp_path / "f.parquet")
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_missing_output_folder_is_reported_before_any_work(tmp_path: Path) -> None:
    result = run("sepsis", "--fhir", tmp_path, "--out", tmp_path / "absent" / "f.parquet")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


@pytest.mark.parametrize(
    ("condition", "source", "error"),
    [
        ("gout", ("--fhir", "."), SpecError),
        ("sepsis", ("--mimic", "absent"), SourceDataError),
        ("sepsis", ("--fhir", "absent"), SourceDataError),
        ("sepsis", ("--fhir", "ftp://example.org"), FhirError),
    ],
)
def test_unreadable_input_is_a_wardround_error_and_nothing_is_written(
    tmp_path: Path, condition: str, source: tuple[str, str], error: type[Exception]
) -> None:
    result = run(condition, *source, "--out", tmp_path / "f.parquet")
    assert isinstance(result.exception, error)
    assert not (tmp_path / "f.parquet").exists()


def test_as_of_excludes_the_same_stays_as_a_screening(folder: Path, tmp_path: Path) -> None:
    resources = [json.loads(line) for line in (folder / "all.ndjson").read_text().splitlines()]
    died = [{**one, "deceasedDateTime": "2026-01-02T20:00:00Z"} if one["id"] == "a" else one for one in resources]
    (folder / "all.ndjson").write_text("\n".join(map(json.dumps, died)))
    asked = ("sepsis", "--fhir", folder, "--out", tmp_path / "f.parquet", "--json", "--as-of")
    after = json.loads(run(*asked, "2026-01-03T00:00:00Z").stdout)
    assert (after["stays"], after["stays_excluded"]) == (0, {"deceased": 2})
    before = json.loads(run(*asked, "2026-01-02T12:00:00Z").stdout)
    assert (before["stays"], "stays_excluded" in before) == (2, False)


@pytest.mark.parametrize("when", [("--at", "6h"), ("--as-of", "2026-01-03T00:00:00Z")])
def test_a_table_without_any_stay_is_a_wrong_setting_rather_than_an_empty_ward(
    folder: Path, tmp_path: Path, when: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARDROUND_ICU_CLASSES", "MISSPELT")
    result = run("sepsis", "--fhir", folder, *when, "--out", tmp_path / "f.parquet", "--json")
    assert isinstance(result.exception, CensusImplausible)
    assert json.loads(result.stdout)["stays"] == len(pd.read_parquet(tmp_path / "f.parquet")) == 0


def test_a_folder_is_not_written_over(folder: Path) -> None:
    result = run("sepsis", "--fhir", folder, "--out", folder)
    assert result.exit_code == 2
    assert "is a directory" in result.output


def test_stays_and_readings_outside_the_times_are_counted(folder: Path, tmp_path: Path) -> None:
    asked = ("sepsis", "--fhir", folder, "--as-of", "2026-01-04T23:00:00Z", "--out", tmp_path / "f.parquet", "--json")
    printed = json.loads(run(*asked).stdout)
    assert (printed["stays"], printed["readings_outside_windows"]) == (2, {"heart_rate": 2})
    late = json.loads(run(*asked[:4], "2026-02-01T00:00:00Z", *asked[5:]).stdout)
    assert (late["stays"], late["stays_not_in_progress"]) == (0, 2)


def test_a_server_is_not_asked_about_a_future_time(tmp_path: Path) -> None:
    as_of = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    asked = ("sepsis", "--fhir", "http://127.0.0.1:9/fhir", "--as-of", as_of, "--out", tmp_path / "f.parquet")
    assert isinstance(run(*asked).exception, FutureAsOf)


def test_rows_with_a_future_prediction_time_are_counted(icu, tmp_path: Path) -> None:
    icu.stay("a", period={"start": (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")})
    icu.stay("b")
    with running_server() as server:
        icu.upload(server.base_url)
        result = run("sepsis", "--fhir", server.base_url, "--at", "24h", "--out", tmp_path / "f.parquet", "--json")
    printed = json.loads(result.stdout)
    assert (printed["stays"], printed["as_of_in_the_future"]) == (2, 1)


def test_times_as_a_spreadsheet_writes_them_are_refused(shared_case, tmp_path: Path) -> None:
    result = run("sepsis", "--mimic", shared_case("mimic_us_dates_chartevents"), "--out", tmp_path / "f.parquet")
    assert isinstance(result.exception, SourceDataError)
    assert result.exception.exit_code == 4
    assert "chartevents.csv.gz, column charttime, row 1 (0/0/00 00:00)" in str(result.exception)


def test_files_may_contain_any_time(folder: Path, tmp_path: Path) -> None:
    """MIMIC's dates are in the twenty-second century."""
    result = run("sepsis", "--fhir", folder, "--as-of", "2150-01-01T00:00:00Z", "--out", tmp_path / "f.parquet")
    assert result.exit_code == 0, result.output
