"""Cases as data of every source: MIMIC-IV CSVs, FHIR NDJSON, and a FHIR server that holds it."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from wardround.cli.main import wardround
from wardround.demo.fhir_server.running import running_server
from wardround.sources.mimic.ids import stay_id
from wardround.spec.loading import load_variables
from wardround.spec.variables import Variable

CASES = Path(__file__).parent
UCUM = "http://unitsofmeasure.org"
ADMITTED = datetime.fromisoformat("2026-03-09T12:00:00+00:00")
AS_OF = ADMITTED + timedelta(hours=24)


@dataclass(frozen=True)
class Case:
    """One example: what was charted, and what the features must be."""

    number: int
    file: str
    content: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.file}: {self.content['title']}"


def load_cases(folder: str) -> list[Case]:
    """All cases of a folder, numbered through."""
    read = [(path.stem, case) for path in sorted((CASES / folder).glob("*.yaml")) for case in _read(path)]
    return [Case(number, stem, case) for number, (stem, case) in enumerate(read, start=1)]


def _read(path: Path) -> list[dict[str, Any]]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def features_of(source: str, where: str, out: Path) -> pd.DataFrame:
    """What `wardround features sepsis --at 24h` makes of a source, by stay_id."""
    arguments = ["features", "sepsis", source, where, "--at", "24h", "--out", str(out)]
    result = CliRunner().invoke(wardround, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return pd.read_parquet(out).set_index("stay_id")


@pytest.fixture(scope="session")
def all_variables(schemas) -> dict[str, Variable]:
    """The project's variables by name."""
    return load_variables(schemas)


@pytest.fixture(scope="session")
def mimic_cases(tmp_path_factory, all_variables) -> Path:
    """Every case of mimic/ as one MIMIC-IV folder, one patient each."""
    folder = tmp_path_factory.mktemp("cases-mimic")
    tables = _mimic_tables(load_cases("mimic"), all_variables)
    for name, rows in tables.items():
        path = folder / f"{name}.csv.gz"
        path.parent.mkdir(exist_ok=True)
        with gzip.open(path, "wt", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def fhir_of_mimic_cases(mimic_cases, tmp_path_factory) -> Path:
    """The same cases after `wardround mimic2fhir`."""
    folder = tmp_path_factory.mktemp("cases-mimic2fhir")
    arguments = ["mimic2fhir", "--mimic", str(mimic_cases), "--out", str(folder)]
    result = CliRunner().invoke(wardround, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="session")
def mimic_results(mimic_cases, fhir_of_mimic_cases, tmp_path_factory) -> dict[str, pd.DataFrame]:
    """The features of the mimic/ cases by source."""
    out = tmp_path_factory.mktemp("cases-out")
    with running_server(data=fhir_of_mimic_cases) as server:
        return {
            "MIMIC CSV": features_of("--mimic", str(mimic_cases), out / "csv.parquet"),
            "NDJSON folder": features_of("--fhir", str(fhir_of_mimic_cases), out / "ndjson.parquet"),
            "FHIR server": features_of("--fhir", server.base_url, out / "server.parquet"),
        }


@pytest.fixture(scope="session")
def fhir_results(tmp_path_factory) -> dict[str, pd.DataFrame]:
    """The features of the fhir/ cases by source."""
    folder, out = tmp_path_factory.mktemp("cases-fhir"), tmp_path_factory.mktemp("cases-fhir-out")
    resources = [resource for case in load_cases("fhir") for resource in _fhir_resources(case)]
    for kind in ("Patient", "Encounter", "Observation"):
        lines = [orjson.dumps(resource) for resource in resources if resource["resourceType"] == kind]
        (folder / f"{kind}.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    with running_server(data=folder) as server:
        return {
            "NDJSON folder": features_of("--fhir", str(folder), out / "ndjson.parquet"),
            "FHIR server": features_of("--fhir", server.base_url, out / "server.parquet"),
        }


def mimic_stay(case: Case) -> str:
    """The stay_id of a case of mimic/."""
    return stay_id(case.number)


def _mimic_tables(cases: list[Case], variables: dict[str, Variable]) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for case in cases:
        for name, rows in _mimic_case(case, variables).items():
            tables[name] += rows
    item = {"label": "x", "category": "x"}
    items = {(v.mimic.table, i) for v in variables.values() for i in v.mimic.itemids} | {("labevents", 50843)}
    tables["icu/d_items"] = [{"itemid": i, **item} for table, i in sorted(items) if table == "chartevents"]
    tables["hosp/d_labitems"] = [{"itemid": i, **item} for table, i in sorted(items) if table == "labevents"]
    tables["hosp/diagnoses_icd"] = [
        {"subject_id": case.number, "hadm_id": case.number, "seq_num": 1, "icd_code": "A419", "icd_version": 10}
        for case in cases
    ]
    return tables


def _mimic_case(case: Case, variables: dict[str, Variable]) -> dict[str, list[dict[str, Any]]]:
    number, content = case.number, case.content
    admitted: datetime = content["admitted"]
    left = admitted + timedelta(hours=content.get("hours", 72))
    keys = {"subject_id": number, "hadm_id": number}
    tables: dict[str, list[dict[str, Any]]] = {
        "hosp/patients": [
            {
                "subject_id": number, "gender": content.get("sex", "F"), "anchor_age": content.get("born", 60),
                "anchor_year": admitted.year, "anchor_year_group": "2017 - 2019", "dod": "",
            }
        ],
        "hosp/admissions": [
            {
                **keys, "admittime": admitted, "dischtime": left, "deathtime": "", "admission_type": "URGENT",
                "admission_location": "EMERGENCY ROOM", "discharge_location": "HOME", "insurance": "Other",
                "language": "ENGLISH", "marital_status": "SINGLE", "race": "WHITE", "edregtime": "", "edouttime": "",
                "hospital_expire_flag": 0,
            }
        ],
        "hosp/transfers": [
            {
                **keys, "transfer_id": number, "eventtype": "admit",
                "careunit": "Medical Intensive Care Unit (MICU)", "intime": admitted, "outtime": left,
            }
        ],
        "icu/icustays": [
            {
                **keys, "stay_id": number, "first_careunit": "Medical Intensive Care Unit (MICU)",
                "last_careunit": "Medical Intensive Care Unit (MICU)", "intime": admitted, "outtime": left, "los": 3,
            }
        ],
        "icu/chartevents": [],
        "hosp/labevents": [],
    }  # fmt: skip
    for line, text in enumerate(content["events"].splitlines()):
        table, row = _mimic_event(text, variables)
        hadm_id = "" if row.pop("note") == "no-admission" else number
        key = {"stay_id": number, "caregiver_id": ""} if table == "icu/chartevents" else _lab_key(number, line)
        tables[table].append({**keys, "hadm_id": hadm_id, **key, **row})
    return tables


def _lab_key(number: int, line: int) -> dict[str, Any]:
    return {
        "labevent_id": number * 1000 + line, "specimen_id": line, "ref_range_lower": "", "ref_range_upper": "",
        "flag": "", "priority": "ROUTINE", "comments": "",
    }  # fmt: skip


def _mimic_event(text: str, variables: dict[str, Variable]) -> tuple[str, dict[str, Any]]:
    charttime, storetime, itemid, value, unit, note = _event_parts(text)
    charted = {i for v in variables.values() if v.mimic.table == "chartevents" for i in v.mimic.itemids}
    table = "icu/chartevents" if int(itemid) in charted else "hosp/labevents"
    number = value if value.lstrip("-").replace(".", "", 1).isdigit() else ""
    row = {
        "charttime": charttime, "storetime": storetime, "itemid": itemid, "value": value, "valuenum": number,
        "valueuom": unit, "note": note,
    }  # fmt: skip
    return table, row if table == "hosp/labevents" else {**row, "warning": 0}


def _event_parts(text: str) -> Iterator[str]:
    words = text.split()
    times = []
    while len(times) < 2:
        times.append("" if words[0] == "-" else f"{words[0]} {words[1]}")
        words = words[1:] if words[0] == "-" else words[2:]
    itemid, value, unit, *note = words
    return iter((*times, itemid, value, "" if unit == "-" else unit.replace("_", " "), *(note or [""])))


def fhir_stay(case: Case) -> str:
    """The stay_id of a case of fhir/."""
    return f"stay-{case.number}"


def _fhir_resources(case: Case) -> Iterator[dict[str, Any]]:
    patient = f"patient-{case.number}"
    yield {"resourceType": "Patient", "id": patient, "gender": "male", "birthDate": "1960-01-01"}
    yield {
        "resourceType": "Encounter",
        "id": fhir_stay(case),
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "ACUTE"},
        "subject": {"reference": f"Patient/{patient}"},
        "period": {"start": ADMITTED.isoformat(), "end": (AS_OF + timedelta(hours=24)).isoformat()},
    }
    for number, given in enumerate(case.content["observations"]):
        yield {
            "resourceType": "Observation",
            "id": f"observation-{case.number}-{number}",
            "status": given.get("status", "final"),
            "subject": {"reference": f"Patient/{patient}"},
            **_times(given),
            **_coded_value(given),
            **({"component": [_coded_value(part) for part in given["components"]]} if "components" in given else {}),
        }


def _times(given: dict[str, Any]) -> dict[str, str]:
    times = {} if given.get("hours") == "none" else {"effectiveDateTime": given.get("time") or _before(given["hours"])}
    return {**times, **({"issued": _before(given["issued"])} if "issued" in given else {})}


def _before(hours: float) -> str:
    return (AS_OF - timedelta(hours=hours)).isoformat()


def _coded_value(given: dict[str, Any]) -> dict[str, Any]:
    codings = [dict(zip(("system", "code"), text.split("|"), strict=True)) for text in given["codings"]]
    coded: dict[str, Any] = {"code": {"coding": codings}}
    if "text" in given:
        coded["valueString"] = given["text"]
    if "value" in given:
        code, system = given["unit"], given.get("system", UCUM)
        quantity = {"value": given["value"], "unit": given.get("unit_text", code), "code": code, "system": system}
        coded["valueQuantity"] = {**quantity, **({"comparator": given["comparator"]} if "comparator" in given else {})}
    return coded


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per case: a test that takes `mimic_case` or `fhir_case` runs for each of the folder's cases."""
    for folder in ("mimic", "fhir"):
        if f"{folder}_case" in metafunc.fixturenames:
            metafunc.parametrize(f"{folder}_case", load_cases(folder), ids=str)


@pytest.fixture
def stay_of():
    """Case -> its stay_id."""
    return lambda case: fhir_stay(case) if case.content.get("observations") else mimic_stay(case)
