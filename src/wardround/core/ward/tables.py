"""A batch of the synthetic ward as frames with MIMIC-IV's columns: the one door of this package.

Times are US Eastern wall clock (datetime64[s], NaT where empty), as MIMIC writes them; none is after the batch's now.
"""

from typing import Final

import numpy as np
import pandas as pd

from wardround.core.ward.cohort import HOUR, OPEN, Batch, Cohort, make_cohort
from wardround.core.ward.course import run_course
from wardround.core.ward.diagnoses import diagnoses
from wardround.core.ward.items import CHART_ITEMS, LAB_ITEMS, PANEL_GAP
from wardround.core.ward.labs import Results, measure
from wardround.core.ward.vitals import Rows, chart
from wardround.core.ward.wall_clock import eastern

FOLDERS: Final = {
    "patients": "hosp", "admissions": "hosp", "transfers": "hosp", "diagnoses_icd": "hosp", "labevents": "hosp",
    "d_labitems": "hosp", "icustays": "icu", "chartevents": "icu", "d_items": "icu",
}  # fmt: skip

# Beyond the numbers of MIMIC's own, so that no id of a synthetic resource is that of a real one.
SUBJECT, ADMISSION, STAY, TRANSFER = 90_000_000, 92_000_000, 93_000_000, 940_000_000
SPECIMEN, LABEVENT = 5_000_000_000, 6_000_000_000
_SPECIMENS_PER_STAY, _RESULTS_PER_STAY = 400, 2_000

INTENSIVE_UNITS: Final = (
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
    """The tables of FOLDERS, without the two dictionaries, for one batch of stays.

    The same batch and generator state give the same frames; stays of different batches never share an id.
    """
    cohort = make_cohort(batch, rng)
    course = run_course(cohort.illness, int(np.ceil(cohort.hours.max())) + 1, rng)
    return {
        "patients": _patients(cohort),
        "admissions": _admissions(cohort, rng),
        "transfers": _transfers(cohort),
        "icustays": _icustays(cohort),
        "diagnoses_icd": diagnoses(SUBJECT + cohort.patient, ADMISSION + cohort.number, cohort, rng),
        "labevents": _labevents(cohort, measure(cohort, course, rng), batch, rng),
        "chartevents": _chartevents(cohort, chart(cohort, course, rng), batch, rng),
    }


def dictionaries() -> dict[str, pd.DataFrame]:
    """d_items and d_labitems of what the ward charts and measures."""
    chart_items = [
        {"itemid": i.itemid, "label": i.label, "abbreviation": i.label, "linksto": "chartevents",
         "category": i.category, "unitname": i.unit, "param_type": "Numeric", "lownormalvalue": "",
         "highnormalvalue": ""}
        for i in CHART_ITEMS.values()
    ]  # fmt: skip
    category = dict.fromkeys(PANEL_GAP, "Chemistry") | dict.fromkeys(("count", "clotting", "bands"), "Hematology")
    category["gas"] = "Blood Gas"
    lab_items = [
        {"itemid": i.itemid, "label": i.label, "fluid": "Blood", "category": category[i.panel]} for i in LAB_ITEMS
    ]
    return {"d_items": pd.DataFrame(chart_items), "d_labitems": pd.DataFrame(lab_items)}


def _patients(cohort: Cohort) -> pd.DataFrame:
    year = pd.Series(_clock(cohort.admittime)).dt.year
    frame = pd.DataFrame(
        {
            "subject_id": SUBJECT + cohort.patient,
            "gender": np.where(cohort.male, "M", "F"),
            "anchor_age": cohort.age,
            "anchor_year": year,
            "anchor_year_group": (year // 3 * 3).astype(str) + " - " + (year // 3 * 3 + 2).astype(str),
            "dod": np.where(cohort.died, _clock(cohort.dischtime).astype("datetime64[D]").astype(str), ""),
            "_died": cohort.died,
        }
    )
    # Of a person with two stays the earlier year counts, and a death in either.
    frame = frame.sort_values(["subject_id", "anchor_year"])
    dod = frame.groupby("subject_id")["dod"].max()
    frame = frame.drop_duplicates("subject_id").drop(columns="_died")
    return frame.assign(dod=frame["subject_id"].map(dod)).reset_index(drop=True)


def _admissions(cohort: Cohort, rng: np.random.Generator) -> pd.DataFrame:
    n = len(cohort.number)
    planned = np.array(["URGENT", "SURGICAL SAME DAY ADMISSION", "OBSERVATION ADMIT"])[rng.integers(0, 3, n)]
    discharge = _clock(cohort.dischtime)
    home = np.array(_HOMES)[rng.integers(0, len(_HOMES), n)]
    location = np.where(cohort.died, "DIED", home if cohort.discharged else "")
    return pd.DataFrame(
        {
            "subject_id": SUBJECT + cohort.patient,
            "hadm_id": ADMISSION + cohort.number,
            "admittime": _clock(cohort.admittime),
            "dischtime": discharge,
            "deathtime": np.where(cohort.died, discharge, np.datetime64("NaT", "s")),
            "admission_type": np.where(cohort.emergency, "EW EMER.", planned),
            "admit_provider_id": "",
            "admission_location": np.where(cohort.emergency, "EMERGENCY ROOM", "PHYSICIAN REFERRAL"),
            "discharge_location": location,
            "insurance": np.where(cohort.age >= 65, "Medicare", "Other"),
            "language": "ENGLISH",
            "marital_status": np.array(["MARRIED", "SINGLE", "WIDOWED", "DIVORCED"])[rng.integers(0, 4, n)],
            "race": rng.choice(_RACES, n, p=_RACE_SHARES),
            "edregtime": _clock(np.where(cohort.emergency, _arrival(cohort), OPEN)),
            "edouttime": _clock(np.where(cohort.emergency, cohort.intime, OPEN)),
            "hospital_expire_flag": cohort.died.astype(int),
        }
    )


def _arrival(cohort: Cohort) -> np.ndarray:
    return np.asarray(cohort.admittime - 3 * HOUR)


def _units(cohort: Cohort) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last care unit, and when the one gave way to the other (UTC seconds, OPEN where it did not)."""
    units = np.array(INTENSIVE_UNITS)
    moved = (cohort.number % 9 == 4) & (cohort.hours > 10)
    first = cohort.number % len(units)
    last = np.where(moved, (cohort.number + 3) % len(units), first)
    return units[first], units[last], np.where(moved, cohort.intime + (cohort.hours * HOUR * 0.4).astype(int), OPEN)


def _transfers(cohort: Cohort) -> pd.DataFrame:
    """Emergency department or ward, intensive care unit or two, ward again, and the row of the discharge."""
    first, last, moved = _units(cohort)
    wards = np.array(_WARDS)[cohort.number % len(_WARDS)]
    emergency, later = cohort.emergency, moved != OPEN
    left = (cohort.outtime != OPEN) & (cohort.dischtime > cohort.outtime)
    gone = cohort.dischtime != OPEN
    every = np.ones(len(first), dtype=bool)
    stages = [
        (emergency, "ED", np.full(len(first), "Emergency Department"), _arrival(cohort), cohort.intime),
        (~emergency, "admit", wards, cohort.admittime, cohort.intime),
        (every, "transfer", first, cohort.intime, np.where(later, moved, cohort.outtime)),
        (later, "transfer", last, moved, cohort.outtime),
        (left, "transfer", wards, cohort.outtime, cohort.dischtime),
        (gone, "discharge", np.full(len(first), ""), cohort.dischtime, np.full(len(first), OPEN)),
    ]
    frames = [
        pd.DataFrame(
            {
                "subject_id": SUBJECT + cohort.patient[rows],
                "hadm_id": ADMISSION + cohort.number[rows],
                "transfer_id": TRANSFER + 10 * cohort.number[rows] + step,
                "eventtype": kind,
                "careunit": unit[rows],
                "intime": _clock(start[rows]),
                "outtime": _clock(end[rows]),
            }
        )
        for step, (rows, kind, unit, start, end) in enumerate(stages)
    ]
    return pd.concat(frames).sort_values("transfer_id", ignore_index=True)


def _icustays(cohort: Cohort) -> pd.DataFrame:
    first, last, _ = _units(cohort)
    intime, outtime = _clock(cohort.intime), _clock(cohort.outtime)
    return pd.DataFrame(
        {
            "subject_id": SUBJECT + cohort.patient,
            "hadm_id": ADMISSION + cohort.number,
            "stay_id": STAY + cohort.number,
            "first_careunit": first,
            "last_careunit": last,
            "intime": intime,
            "outtime": outtime,
            "los": (pd.Series(outtime) - pd.Series(intime)) / pd.Timedelta(days=1),
        }
    )


def _chartevents(cohort: Cohort, rows: Rows, batch: Batch, rng: np.random.Generator) -> pd.DataFrame:
    stored = rows.time + np.ceil(rng.lognormal(np.log(8), 0.8, len(rows.time))).astype(np.int64) * 60
    keep = np.maximum(rows.time, stored) <= batch.now
    rows, stored = rows.where(keep), stored[keep]
    units = {item.itemid: item.unit for item in CHART_ITEMS.values()}
    return pd.DataFrame(
        {
            "subject_id": SUBJECT + cohort.patient[rows.stay],
            "hadm_id": ADMISSION + cohort.number[rows.stay],
            "stay_id": STAY + cohort.number[rows.stay],
            "caregiver_id": "",
            "charttime": _clock(rows.time),
            "storetime": _clock(stored),
            "itemid": rows.item,
            "value": _text(rows.value),
            "valuenum": rows.value,
            "valueuom": _looked_up(units, rows.item),
            "warning": 0,
        }
    )


def _labevents(cohort: Cohort, results: Results, batch: Batch, rng: np.random.Generator) -> pd.DataFrame:
    number = LABEVENT + batch.first * _RESULTS_PER_STAY + np.arange(len(results.time))
    keep = np.maximum(results.time, results.stored) <= batch.now
    results, number = results.where(keep), number[keep]
    n = len(number)
    text = np.where(results.bound == "_", "___", results.bound.astype(object) + _text(results.value))
    numbered = np.where(results.bound == "", results.value, np.nan)
    low = _looked_up({item.itemid: item.low for item in LAB_ITEMS}, results.item)
    high = _looked_up({item.itemid: item.high for item in LAB_ITEMS}, results.item)
    outpatient = (results.time < cohort.admittime[results.stay]) | (rng.random(n) < 0.08)
    admission = pd.Series(ADMISSION + cohort.number[results.stay], dtype="Int64").mask(outpatient)
    return pd.DataFrame(
        {
            "labevent_id": number,
            "subject_id": SUBJECT + cohort.patient[results.stay],
            "hadm_id": admission,
            "specimen_id": SPECIMEN + batch.first * _SPECIMENS_PER_STAY + results.specimen,
            "itemid": results.item,
            "order_provider_id": "",
            "charttime": _clock(results.time),
            "storetime": _clock(results.stored),
            "value": text,
            "valuenum": numbered,
            "valueuom": _looked_up({item.itemid: item.unit for item in LAB_ITEMS}, results.item),
            "ref_range_lower": low,
            "ref_range_upper": high,
            "flag": np.where((numbered < low) | (numbered > high), "abnormal", ""),
            "priority": np.where(rng.random(n) < 0.58, "STAT", "ROUTINE"),
            "comments": "",
        }
    )


def _clock(utc: np.ndarray) -> np.ndarray:
    """Wall-clock times of UTC seconds; NaT for OPEN."""
    wall = np.where(utc == OPEN, np.iinfo(np.int64).min, eastern(np.where(utc == OPEN, 0, utc)))
    return np.asarray(wall.astype("datetime64[s]"))


def _text(values: np.ndarray) -> np.ndarray:
    """Numbers as MIMIC writes them, `91` and `98.4`; there are few different ones, so each is formatted once."""
    different, place = np.unique(values, return_inverse=True)
    return np.array([f"{value:.10g}" for value in different], dtype=object)[place]


def _looked_up(table: dict[int, str] | dict[int, float], items: np.ndarray) -> np.ndarray:
    different, place = np.unique(items, return_inverse=True)
    return np.array([table[int(item)] for item in different])[place]
