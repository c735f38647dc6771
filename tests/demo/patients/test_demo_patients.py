"""Tests what `wardround demo-patients` writes and uploads, from a small ICU whose risk is its lactate."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from tests.fixtures.icu import AS_OF, Icu

from wardround.cli.main import wardround
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.errors import ModelError, SpecError, WardroundError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings


@pytest.fixture(scope="module")
def ward() -> Iterator[RunningServer]:
    """A server with two stays of the high band, two of the low, one of too little data, and a discharged one."""
    icu = Icu()
    for name, lactate in (("h1", 6.0), ("h2", 7.0), ("l1", 0.6), ("l2", 0.7)):
        icu.stay(name, lactate=lactate, location=[{"location": {"reference": "Location/unit"}}])
    icu.stay("none", vitals=False, lactate=None)
    icu.stay("gone", status="finished", period={"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T20:00:00Z"})
    icu.lactate("p-h1", "earlier", 2.0, hours=9.0)
    for one in icu.resources:
        if one["resourceType"] == "Patient":
            one |= {"name": [{"family": "ZZTOPSECRET"}], "telecom": [{"system": "phone", "value": "ZZ-555"}]}
            one |= {"managingOrganization": {"reference": "Organization/elsewhere"}}
    icu.resources.append({"resourceType": "Location", "id": "unit", "name": "Unit"})
    with running_server() as server:
        icu.upload(server.base_url)
        yield server


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("WARDROUND_HOME", str(settings.home))
    monkeypatch.setenv("WARDROUND_VAR", str(settings.var))
    monkeypatch.setenv("WARDROUND_MODELS", str(settings.models))


def demo_patients(*arguments: object) -> Result:
    return CliRunner().invoke(wardround, ["demo-patients", "--now", AS_OF.isoformat(), *map(str, arguments)])


def rows(done: Result) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.output
    return list(json.loads(done.stdout)["patients"])


def observations(file: Path) -> list[str]:
    content = orjson.loads(file.read_bytes())
    return [entry["resource"]["id"] for entry in content["observations"]["entry"]]


def test_so_many_patients_of_each_band_are_written_with_made_up_names(ward: RunningServer, tmp_path: Path) -> None:
    out = tmp_path / "patients"
    done = demo_patients("--fhir", ward.base_url, "--per-band", 1, "--out", out, "--json")
    assert {one["patient"]: one["band"] for one in rows(done)} == {
        "high_1": "high",
        "low_1": "low",
        "indeterminate_1": "indeterminate",
    }
    assert "Of the band moderate there are only 0" in done.stderr
    names = {f"{band}_1_{kind}.json" for band in ("high", "low", "indeterminate") for kind in ("patient", "bundle")}
    assert {path.name for path in out.iterdir()} == names
    for path in out.glob("*_patient.json"):
        content = orjson.loads(path.read_bytes())
        assert list(content) == ["patient", "encounters", "observations"]
        assert content["patient"]["name"][0]["given"][0]
        assert b"ZZ" not in path.read_bytes()


def test_a_later_run_leaves_none_of_an_earlier_one_and_nothing_else_is_touched(
    ward: RunningServer, tmp_path: Path
) -> None:
    (tmp_path / "mine_patient.json").write_text("{}")
    demo_patients("--fhir", ward.base_url, "--per-band", 2, "--out", tmp_path)
    assert (tmp_path / "high_2_patient.json").exists()
    demo_patients("--fhir", ward.base_url, "--per-band", 1, "--out", tmp_path)
    assert not (tmp_path / "high_2_patient.json").exists()
    assert (tmp_path / "mine_patient.json").exists()


def test_a_seed_chooses_and_the_same_seed_chooses_the_same(ward: RunningServer, tmp_path: Path) -> None:
    def chosen(seed: int) -> list[Any]:
        demo_patients("--fhir", ward.base_url, "--per-band", 1, "--seed", seed, "--out", tmp_path)
        return [orjson.loads((tmp_path / f"{band}_1_patient.json").read_bytes()) for band in ("high", "low")]

    by_seed = [chosen(seed) for seed in range(4)]
    assert chosen(0) == by_seed[0]
    assert any(one != by_seed[0] for one in by_seed)


def test_the_latest_of_each_code_is_kept_if_files_are_to_be_small(ward: RunningServer, tmp_path: Path) -> None:
    whole = {one["patient"]: one for one in rows(demo_patients("--fhir", ward.base_url, "--out", tmp_path, "--json"))}
    many = {path.name: observations(path) for path in tmp_path.glob("high_*_patient.json")}
    small = demo_patients("--fhir", ward.base_url, "--minimal", "--out", tmp_path, "--json")
    assert {one["patient"] for one in rows(small)} == set(whole)
    for name, ids in many.items():
        kept = observations(tmp_path / name)
        assert set(kept) < set(ids)
        kinds = sorted(one.rpartition("-")[2] for one in kept)
        assert kinds == ["bp1.0", "hr1.0", "lactate", "rr1.0"]


def test_bundles_go_to_a_server_that_gives_ids_of_its_own_and_are_there_once(
    ward: RunningServer, tmp_path: Path
) -> None:
    with running_server() as other, FhirClient(FhirEndpoint(other.base_url)) as client:
        options = ("--fhir", ward.base_url, "--upload", other.base_url, "--out", tmp_path, "--json")
        first, again = rows(demo_patients(*options)), rows(demo_patients(*options))
        assert [one["id"] for one in first] == [one["id"] for one in again]
        patients = {one["id"]: one for one in client.search("Patient", {})}
        assert {f"Patient/{key}" for key in patients} == {one["id"] for one in first}
        assert not set(patients) & {"p-h1", "p-h2", "p-l1", "p-l2", "p-none"}
        assert all("managingOrganization" not in one for one in patients.values())
        [unit] = client.search("Location", {})
        for stay in client.search("Encounter", {}):
            assert stay["subject"]["reference"].removeprefix("Patient/") in patients
            for place in stay.get("location", []):
                assert place["location"]["reference"] == f"Location/{unit['id']}"
        # The same model says the same of them there.
        found = rows(demo_patients("--fhir", other.base_url, "--out", tmp_path / "again", "--json"))
        assert sorted(one["probability"] or 0 for one in found) == sorted(one["probability"] or 0 for one in first)


def test_a_bundle_and_a_prefetch_of_one_patient_are_one_patient(ward: RunningServer, tmp_path: Path) -> None:
    demo_patients("--fhir", ward.base_url, "--out", tmp_path / "patients")
    with running_server(tmp_path / "patients") as both, FhirClient(FhirEndpoint(both.base_url)) as client:
        assert {one["id"] for one in client.search("Patient", {})} == {"p-h1", "p-h2", "p-l1", "p-l2", "p-none"}


def test_nobody_in_intensive_care_is_an_error(ward: RunningServer, tmp_path: Path) -> None:
    done = demo_patients("--fhir", ward.base_url, "--now", "2020-01-01T00:00:00Z", "--out", tmp_path)
    assert isinstance(done.exception, WardroundError)
    assert "has no patient in intensive care at 2020-01-01T00:00:00+00:00" in str(done.exception)


def test_a_run_that_finds_nobody_keeps_what_an_earlier_one_wrote(ward: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "high_1_patient.json").write_text("{}")
    demo_patients("--fhir", ward.base_url, "--now", "2020-01-01T00:00:00Z", "--out", tmp_path)
    assert (tmp_path / "high_1_patient.json").exists()


def test_without_a_condition_or_a_live_model_there_are_no_bands(
    ward: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_nothing = demo_patients("--fhir", ward.base_url, "--condition", "boredom", "--out", tmp_path)
    assert isinstance(of_nothing.exception, SpecError)
    monkeypatch.setenv("WARDROUND_MODELS", str(tmp_path / "none"))
    assert isinstance(demo_patients("--fhir", ward.base_url, "--out", tmp_path).exception, ModelError)


@pytest.mark.parametrize("options", [[], ["--fhir", "http://127.0.0.1:9/fhir", "--mimic", "/nowhere"]])
def test_patients_come_from_one_place(options: list[str], tmp_path: Path) -> None:
    assert demo_patients(*options, "--out", tmp_path).exit_code == 2
