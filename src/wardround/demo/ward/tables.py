"""Returns a batch of the synthetic ward as frames with MIMIC-IV's columns; the entry point of this package.

Times are US Eastern wall clock (datetime64[s], NaT if empty), as in MIMIC; none is after the batch's now.
"""

from typing import Final

import numpy as np
import pandas as pd

from wardround.demo.ward.course import run_course
from wardround.demo.ward.diagnoses import diagnoses
from wardround.demo.ward.ids import ADMISSION, LABEVENT, SPECIMEN, STAY, SUBJECT, TRANSFER
from wardround.demo.ward.items import (
    CHART_ITEMS,
    INTUBATED_WORDS,
    LAB_ITEMS,
    OTHER_ITEMS,
    PANEL_GAP,
    SPECIMEN_TYPE,
    VENTILATOR_MODE,
    VERBAL_WORDS,
)
from wardround.demo.ward.labs import Results, measure
from wardround.demo.ward.order_tables import order_tables
from wardround.demo.ward.patients import HOUR, OPEN, Batch, WardPatients, make_patients
from wardround.demo.ward.suspicion import treat
from wardround.demo.ward.vitals import Rows, chart
from wardround.demo.ward.wall_clock import clock

_SPECIMENS_PER_STAY, _RESULTS_PER_STAY = 400, 2_000

_INTENSIVE_UNITS: Final = (
    "Medical Intensive Care Unit (MICU)",
    "Medical/Surgical Intensive Care Unit (MICU/SICU)",
    "Surgical Intensive Care Unit (SICU)",
    "Cardiac Vascular Intensive Care Unit (CVICU)",
    "Coronary Care Unit (CCU)",
    "Trauma SICU (TSICU)",
    "Neuro Surgical Intensive Care Unit (Neuro SICU)",
)
_WARDS: Final = ("Medicine", "Med/Surg", "Cardiac Surgery", "Neurology", "Surgery/Trauma")
_RACES: Final = ("WHITE", "BLACK/AFRICAN AMERICAN", "HISPANIC OR LATINO", "ASIAN", "OTHER", "UNKNOWN")
_RACE_SHARES: Final = (0.64, 0.15, 0.06, 0.04, 0.05, 0.06)
_HOMES: Final = ("HOME", "HOME HEALTH CARE", "SKILLED NURSING FACILITY", "REHAB")


def make_tables(batch: Batch, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Returns the tables, without the two dictionaries, for one batch of stays.

    The same batch and generator state give the same frames; stays of different batches never share an id.
    """
    patients = make_patients(batch, rng)
    course = run_course(patients.illness, int(np.ceil(patients.hours.max())) + 1, rng)
    return {
        "patients": _patients(patients),
        "admissions": _admissions(patients, rng),
        "transfers": _transfers(patients),
        "icustays": _icustays(patients),
        "diagnoses_icd": diagnoses(SUBJECT + patients.patient, ADMISSION + patients.number, patients, rng),
        "labevents": _labevents(patients, measure(patients, course, rng), batch, rng),
        "chartevents": _chartevents(patients, chart(patients, course, rng), batch, rng),
        **order_tables(patients, treat(patients, course, rng), batch.now),
    }


def dictionaries() -> dict[str, pd.DataFrame]:
    """Returns d_items and d_labitems with the items that the ward charts and measures."""
    chart_items = [
        {"itemid": i.itemid, "label": i.label, "abbreviation": i.label, "linksto": "chartevents",
         "category": i.category, "unitname": i.unit, "param_type": "Numeric", "lownormalvalue": "",
         "highnormalvalue": ""}
        for i in CHART_ITEMS.values()
    ]  # fmt: skip
    other_items = [
        {"itemid": itemid, "label": label, "abbreviation": label, "linksto": table, "category": category,
         "unitname": unit, "param_type": "Numeric", "lownormalvalue": "", "highnormalvalue": ""}
        for itemid, label, unit, category, table in OTHER_ITEMS
    ]  # fmt: skip
    category = dict.fromkeys(PANEL_GAP, "Chemistry") | dict.fromkeys(("count", "clotting", "bands"), "Hematology")
    category |= dict.fromkeys(("gas", "lactate"), "Blood Gas")
    lab_items = [
        {"itemid": i.itemid, "label": i.label, "fluid": "Blood", "category": category[i.panel]} for i in LAB_ITEMS
    ]
    lab_items.append({"itemid": SPECIMEN_TYPE, "label": "Specimen Type", "fluid": "Blood", "category": category["gas"]})
    return {"d_items": pd.DataFrame([*chart_items, *other_items]), "d_labitems": pd.DataFrame(lab_items)}


def _patients(patients: WardPatients) -> pd.DataFrame:
    year = pd.Series(clock(patients.admittime)).dt.year
    frame = pd.DataFrame(
        {
            "subject_id": SUBJECT + patients.patient,
            "gender": np.where(patients.male, "M", "F"),
            "anchor_age": patients.age,
            "anchor_year": year,
            "anchor_year_group": (year // 3 * 3).astype(str) + " - " + (year // 3 * 3 + 2).astype(str),
            "dod": np.where(patients.died, clock(patients.dischtime).astype("datetime64[D]").astype(str), ""),
            "_died": patients.died,
        }
    )
    # For a person with two stays, the earlier year counts, and a death in either stay.
    frame = frame.sort_values(["subject_id", "anchor_year"])
    dod = frame.groupby("subject_id")["dod"].max()
    frame = frame.drop_duplicates("subject_id").drop(columns="_died")
    return frame.assign(dod=frame["subject_id"].map(dod)).reset_index(drop=True)


def _admissions(patients: WardPatients, rng: np.random.Generator) -> pd.DataFrame:
    n = len(patients.number)
    planned = np.array(["URGENT", "SURGICAL SAME DAY ADMISSION", "OBSERVATION ADMIT"])[rng.integers(0, 3, n)]
    discharge = clock(patients.dischtime)
    home = np.array(_HOMES)[rng.integers(0, len(_HOMES), n)]
    location = np.where(patients.died, "DIED", home if patients.discharged else "")
    return pd.DataFrame(
        {
            "subject_id": SUBJECT + patients.patient,
            "hadm_id": ADMISSION + patients.number,
            "admittime": clock(patients.admittime),
            "dischtime": discharge,
            "deathtime": np.where(patients.died, discharge, np.datetime64("NaT", "s")),
            "admission_type": np.where(patients.emergency, "EW EMER.", planned),
            "admit_provider_id": "",
            "admission_location": np.where(patients.emergency, "EMERGENCY ROOM", "PHYSICIAN REFERRAL"),
            "discharge_location": location,
            "insurance": np.where(patients.age >= 65, "Medicare", "Other"),
            "language": "ENGLISH",
            "marital_status": np.array(["MARRIED", "SINGLE", "WIDOWED", "DIVORCED"])[rng.integers(0, 4, n)],
            "race": rng.choice(_RACES, n, p=_RACE_SHARES),
            "edregtime": clock(np.where(patients.emergency, _arrival(patients), OPEN)),
            "edouttime": clock(np.where(patients.emergency, patients.intime, OPEN)),
            "hospital_expire_flag": patients.died.astype(int),
        }
    )


def _arrival(patients: WardPatients) -> np.ndarray:
    return np.asarray(patients.admittime - 3 * HOUR)


def _units(patients: WardPatients) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns first and last care unit, and when the patient moved between them (UTC seconds, OPEN if not)."""
    units = np.array(_INTENSIVE_UNITS)
    moved = (patients.number % 9 == 4) & (patients.hours > 10)
    first = patients.number % len(units)
    last = np.where(moved, (patients.number + 3) % len(units), first)
    return units[first], units[last], np.where(moved, patients.intime + (patients.hours * HOUR * 0.4).astype(int), OPEN)


def _transfers(patients: WardPatients) -> pd.DataFrame:
    """Returns the transfers: emergency department or ward, one or two ICUs, ward again, and the discharge row."""
    first, last, moved = _units(patients)
    wards = np.array(_WARDS)[patients.number % len(_WARDS)]
    emergency, later = patients.emergency, moved != OPEN
    left = (patients.outtime != OPEN) & (patients.dischtime > patients.outtime)
    gone = patients.dischtime != OPEN
    every = np.ones(len(first), dtype=bool)
    stages = [
        (emergency, "ED", np.full(len(first), "Emergency Department"), _arrival(patients), patients.intime),
        (~emergency, "admit", wards, patients.admittime, patients.intime),
        (every, "transfer", first, patients.intime, np.where(later, moved, patients.outtime)),
        (later, "transfer", last, moved, patients.outtime),
        (left, "transfer", wards, patients.outtime, patients.dischtime),
        (gone, "discharge", np.full(len(first), ""), patients.dischtime, np.full(len(first), OPEN)),
    ]
    frames = [
        pd.DataFrame(
            {
                "subject_id": SUBJECT + patients.patient[rows],
                "hadm_id": ADMISSION + patients.number[rows],
                "transfer_id": TRANSFER + 10 * patients.number[rows] + step,
                "eventtype": kind,
                "careunit": unit[rows],
                "intime": clock(start[rows]),
                "outtime": clock(end[rows]),
            }
        )
        for step, (rows, kind, unit, start, end) in enumerate(stages)
    ]
    return pd.concat(frames).sort_values("transfer_id", ignore_index=True)


def _icustays(patients: WardPatients) -> pd.DataFrame:
    first, last, _ = _units(patients)
    intime, outtime = clock(patients.intime), clock(patients.outtime)
    return pd.DataFrame(
        {
            "subject_id": SUBJECT + patients.patient,
            "hadm_id": ADMISSION + patients.number,
            "stay_id": STAY + patients.number,
            "first_careunit": first,
            "last_careunit": last,
            "intime": intime,
            "outtime": outtime,
            "los": (pd.Series(outtime) - pd.Series(intime)) / pd.Timedelta(days=1),
        }
    )


def _chartevents(patients: WardPatients, rows: Rows, batch: Batch, rng: np.random.Generator) -> pd.DataFrame:
    stored = rows.time + np.ceil(rng.lognormal(np.log(8), 0.8, len(rows.time))).astype(np.int64) * 60
    keep = np.maximum(rows.time, stored) <= batch.now
    rows, stored = rows.where(keep), stored[keep]
    units = {item.itemid: item.unit for item in CHART_ITEMS.values()}
    return pd.DataFrame(
        {
            "subject_id": SUBJECT + patients.patient[rows.stay],
            "hadm_id": ADMISSION + patients.number[rows.stay],
            "stay_id": STAY + patients.number[rows.stay],
            "caregiver_id": "",
            "charttime": clock(rows.time),
            "storetime": clock(stored),
            "itemid": rows.item,
            "value": _charted_text(patients, rows),
            "valuenum": np.where(rows.item == CHART_ITEMS["ventilator"].itemid, np.nan, rows.value),
            "valueuom": _looked_up(units, rows.item),
            "warning": 0,
        }
    )


def _labevents(patients: WardPatients, results: Results, batch: Batch, rng: np.random.Generator) -> pd.DataFrame:
    number = LABEVENT + batch.first * _RESULTS_PER_STAY + np.arange(len(results.time))
    keep = np.maximum(results.time, results.stored) <= batch.now
    results, number = results.where(keep), number[keep]
    n = len(number)
    text = np.where(results.bound == "_", "___", results.bound.astype(object) + _text(results.value))
    text = np.where(results.item == SPECIMEN_TYPE, results.bound, text)
    numbered = np.where(results.bound == "", results.value, np.nan)
    nothing = {SPECIMEN_TYPE: np.nan}
    low = _looked_up({item.itemid: item.low for item in LAB_ITEMS} | nothing, results.item)
    high = _looked_up({item.itemid: item.high for item in LAB_ITEMS} | nothing, results.item)
    outpatient = (results.time < patients.admittime[results.stay]) | (rng.random(n) < 0.08)
    admission = pd.Series(ADMISSION + patients.number[results.stay], dtype="Int64").mask(outpatient)
    return pd.DataFrame(
        {
            "labevent_id": number,
            "subject_id": SUBJECT + patients.patient[results.stay],
            "hadm_id": admission,
            "specimen_id": SPECIMEN + batch.first * _SPECIMENS_PER_STAY + results.specimen,
            "itemid": results.item,
            "order_provider_id": "",
            "charttime": clock(results.time),
            "storetime": clock(results.stored),
            "value": text,
            "valuenum": numbered,
            "valueuom": _looked_up({item.itemid: item.unit for item in LAB_ITEMS} | {SPECIMEN_TYPE: ""}, results.item),
            "ref_range_lower": low,
            "ref_range_upper": high,
            "flag": np.where((numbered < low) | (numbered > high), "abnormal", ""),
            "priority": np.where(rng.random(n) < 0.58, "STAT", "ROUTINE"),
            "comments": "",
        }
    )


def _charted_text(patients: WardPatients, rows: Rows) -> np.ndarray:
    """Returns the column `value`: the number, or words for items that MIMIC charts in words."""
    text = _text(rows.value)
    verbal = rows.item == CHART_ITEMS["verbal"].itemid
    text[verbal] = np.array(VERBAL_WORDS, dtype=object)[rows.value[verbal].astype(int) - 1]
    text[verbal & patients.ventilated[rows.stay]] = INTUBATED_WORDS
    text[rows.item == CHART_ITEMS["ventilator"].itemid] = VENTILATOR_MODE
    return text


def _text(values: np.ndarray) -> np.ndarray:
    """Formats numbers as in MIMIC, such as `91` and `98.4`; there are few different ones, so each is formatted once."""
    different, place = np.unique(values, return_inverse=True)
    return np.array([f"{value:.10g}" for value in different], dtype=object)[place]


def _looked_up(table: dict[int, str] | dict[int, float], items: np.ndarray) -> np.ndarray:
    different, place = np.unique(items, return_inverse=True)
    return np.array([table[int(item)] for item in different])[place]
