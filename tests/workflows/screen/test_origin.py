"""A resource that is about somebody at another server is nobody's here, whatever its id, on every way of reading."""

import json
from pathlib import Path
from typing import Any

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.fhir.endpoint import bases_of
from wardround.sources.fhir_folder.source import FhirFolderSource

ELSEWHERE = "https://elsewhere.org/fhir"


@pytest.fixture
def ward(icu, server: str) -> Any:
    """Three patients: one is referred to with the server's own base URL, one also by the id of another server's."""
    for name in ("a", "b", "c"):
        icu.stay(name, lactate=1.5)
    icu.stay("foreign", patient="a", subject={"reference": f"{ELSEWHERE}/Patient/p-a"})
    icu.stay("absolute", patient="b", subject={"reference": f"{server}/Patient/p-b"})
    icu.lactate("p-a", "foreign", 14.0, hours=0.5, subject={"reference": f"{ELSEWHERE}/Patient/p-a"})
    icu.lactate("p-b", "absolute", 2.5, hours=0.5, subject={"reference": f"{server}/Patient/p-b"})
    members = [f"{ELSEWHERE}/Patient/p-c", f"{server}/Patient/p-b", "Patient/p-a"]
    group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True}
    icu.resources.append({**group, "member": [{"entity": {"reference": member}} for member in members]})
    icu.upload(server)
    return icu


def basis(run: str, settings) -> dict[str, list[str]]:
    """The resources behind each score."""
    folder = RunFolder.existing(settings.runs, run)
    names = [name for name in folder.list() if name.endswith("/scores.parquet")]
    rows = [row for name in names for row in folder.read_frame(name).to_dict("records")]
    return {row["stay_id"]: list(row["basis"]) for row in rows}


@pytest.mark.parametrize("cohort", ["search", "export"])
def test_only_the_servers_own_patients_are_screened_with_their_own_observations(
    ward, screened, settings, cohort: str
) -> None:
    summary = screened(cohort=cohort)
    ledger = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet").set_index("stay_id")
    assert ledger["outcome"].to_dict() == {
        **dict.fromkeys(("e-a", "e-b", "e-c", "e-absolute"), "scored"),
        "e-foreign": "excluded",
    }
    assert ledger.loc["e-foreign", ["reason", "patient_id"]].tolist() == ["foreign_reference", ""]
    assert (summary["found"], summary["written"], summary["problems"]) == (5, 4, {})
    used = {one for refs in basis(summary["run"], settings).values() for one in refs}
    assert "Observation/o-p-b-absolute" in used
    assert "Observation/o-p-a-foreign" not in used


@pytest.mark.parametrize("cohort", ["group:g", "export:g"])
def test_a_member_of_a_group_at_another_server_is_nobody_here(ward, screened, cohort: str) -> None:
    summary = screened(cohort=cohort)
    assert (summary["cohort_patients"], summary["cohort_set_aside"]) == (2, {"foreign_reference": 1})
    assert summary["scored"] == 3


@pytest.mark.parametrize("alias", [(), (ELSEWHERE,)])
def test_in_a_folder_what_is_absolute_is_its_own_only_under_an_alias(ward, tmp_path: Path, alias) -> None:
    lines = "".join(f"{json.dumps(one)}\n" for one in ward.resources)
    (tmp_path / "all.ndjson").write_text(lines)
    found = FhirFolderSource(tmp_path, bases=bases_of(alias)).find_stays()
    assert found.set_aside["stay_id"].tolist() == (["e-absolute"] if alias else ["e-absolute", "e-foreign"])
    assert set(found.set_aside["reason"]) == {"foreign_reference"}
