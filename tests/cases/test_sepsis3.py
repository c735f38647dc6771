"""Every case of sepsis3/ as a stay of one MIMIC-IV folder: hourly SOFA and labels are those that the case says."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from wardround.sources.mimic import MimicFolder
from wardround.sources.mimic.eastern import ZONE

CASES = [
    case for path in sorted(Path(__file__).parent.glob("sepsis3/*.yaml")) for case in yaml.safe_load(path.read_text())
]
COLUMNS = {
    "icu/icustays": "subject_id,hadm_id,stay_id,intime,outtime",
    "hosp/admissions": "subject_id,hadm_id,admittime",
    "icu/chartevents": "subject_id,hadm_id,stay_id,charttime,itemid,value,valuenum",
    "hosp/labevents": "subject_id,hadm_id,specimen_id,charttime,itemid,value,valuenum",
    "icu/inputevents": "subject_id,hadm_id,stay_id,starttime,endtime,itemid,rate,rateuom,patientweight",
    "icu/outputevents": "subject_id,hadm_id,stay_id,charttime,itemid,value",
    "hosp/prescriptions": "subject_id,hadm_id,starttime,drug,route,drug_type",
    "hosp/microbiologyevents": "subject_id,hadm_id,micro_specimen_id,chartdate,charttime,spec_type_desc,test_name",
}
TIMES = ("suspected_infection_time", "sofa_time", "sofa_rise_time")
SICK = [f"{day} 08:40  51265  90" for day in range(10, 17)]


def rows_of(case: dict[str, Any], number: int) -> Iterable[tuple[str, dict[str, Any]]]:
    """MIMIC's rows of a case: a stay from the 10th 08:00 to the 17th 08:00, admitted to hospital the evening before."""
    month = case.get("month", "2150-01")
    keys = {"subject_id": number, "hadm_id": number, "stay_id": number}
    admissions = {"no-admission": "", "other-admission": number + 1000}

    def at(text: str) -> str:
        return f"{month}-{text}:00"

    yield "icu/icustays", {**keys, "intime": at("10 08:00"), "outtime": at("17 08:00")}
    yield "hosp/admissions", {**keys, "admittime": at("09 20:00")}
    for time in case.get("heart_rates", ["10 08:30", "10 14:30"]):
        yield "icu/chartevents", {**keys, "charttime": at(time), "itemid": 220045, "value": "80", "valuenum": "80"}
    for time, itemid, value, *text in lines(case, "chartevents"):
        number_or_none = "" if value == "~" else value
        charted = {"charttime": at(time), "itemid": itemid, "valuenum": number_or_none}
        stay = number + 1000 if text == ["earlier-stay"] else number
        yield "icu/chartevents", {**keys, **charted, "stay_id": stay, "value": text[0] if text else value}
    for time, itemid, value, *note in lines(case, "labevents"):
        specimen = 2 * number + (note == ["second-sample"])
        sample = {"specimen_id": specimen, "hadm_id": admissions.get("".join(note), number)}
        result = {"value": value, "valuenum": value if re.fullmatch(r"[\d.]+", value) else ""}
        yield "hosp/labevents", {**keys, **sample, "charttime": at(time), "itemid": itemid, **result}
    for start, stop, itemid, rate, unit, *weight in lines(case, "inputevents"):
        given = {"itemid": itemid, "rate": rate, "rateuom": unit, "patientweight": weight[0] if weight else "80"}
        yield "icu/inputevents", {**keys, "starttime": at(start), "endtime": at(stop), **given}
    for time, itemid, volume in lines(case, "outputevents"):
        yield "icu/outputevents", {**keys, "charttime": at(time), "itemid": itemid, "value": volume}
    for time, drug, route, *kind in lines(case, "prescriptions"):
        order = {"drug": drug, "route": route, "drug_type": kind[0] if kind else "MAIN"}
        yield "hosp/prescriptions", {**keys, "starttime": at(time), **order}
    for line, (time, *notes) in enumerate(lines(case, "microbiologyevents")):
        specimen, _, test = next((note for note in notes if "/" in note), "BLOOD CULTURE/Blood Culture").partition("/")
        named = "".join(note for note in notes if "/" not in note and note != "same-specimen")
        taken = {"chartdate": at(f"{time[:2]} 00:00"), "charttime": at(time) if len(time) > 2 else ""}
        sample = {"micro_specimen_id": number * 100 + line - ("same-specimen" in notes)}
        tested = {"hadm_id": admissions.get(named, number), "spec_type_desc": specimen, "test_name": test}
        yield "hosp/microbiologyevents", {**keys, **sample, **taken, **tested}


def lines(case: dict[str, Any], table: str) -> list[list[str]]:
    """The rows that a case has for a table; two blanks or more part the columns."""
    text = case.get(table, "").splitlines() + (SICK if table == "labevents" and case.get("sick") else [])
    return [re.split(r"\s{2,}", line.strip()) for line in text]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and hourly SOFA of all cases by their number, times in MIMIC's."""
    folder = tmp_path_factory.mktemp("sepsis3")
    tables: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, case in enumerate(CASES):
        for table, row in rows_of(case, number):
            tables[table].append(row)
    for table, columns in COLUMNS.items():
        (folder / table).parent.mkdir(exist_ok=True)
        with (folder / f"{table}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns.split(","), extrasaction="ignore")
            writer.writeheader()
            writer.writerows(tables[table])
    parts = list(MimicFolder(folder, stays_at_once=40).sepsis3_parts())
    labels = pd.concat([part.labels for part in parts]).set_index(["suspicion", "mimic_stay_id"])
    for name in TIMES:
        labels[name] = labels[name].dt.tz_convert(ZONE).dt.tz_localize(None)
    return labels, pd.concat([part.hourly for part in parts]).set_index(["mimic_stay_id", "hour"])


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: CASES[number]["title"])
def test_every_case_of_sepsis3_holds(number, results):
    labels, hourly = results
    case = CASES[number]
    for hour, scores in case.get("sofa", {}).items():
        for name, score in scores.items():
            assert hourly.loc[(number, hour), f"{name}_24hours"] == score, f"hour {hour}: {name}"
    if "hours" in case:
        numbered = hourly.loc[hourly.index.get_level_values(0) == number].index.get_level_values("hour")
        assert list(numbered[[0, -1]] if len(numbered) else []) == case["hours"]
    for key, suspicion in (("sepsis3", "any_culture"), ("without_screens", "without_screening_cultures")):
        if key in case:
            check_label(labels.loc[(suspicion, number)], case[key], case.get("month", "2150-01"))


def check_label(found: pd.Series, wanted: Any, month: str) -> None:
    if not isinstance(wanted, dict):
        assert wanted == ("unknown" if pd.isna(found["sepsis3"]) else bool(found["sepsis3"]))
        assert found[list(TIMES)].isna().all()
        return
    assert found["sepsis3"]
    for name, time in wanted.items():
        assert found[name] is pd.NaT if time == "none" else found[name] == pd.Timestamp(f"{month}-{time}:00"), name
