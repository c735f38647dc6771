"""Computes the onsets of the MIMIC-IV demo a second time, with pandas from the raw tables (docs/sepsis3.md)."""

import re

import numpy as np
import pandas as pd
import pytest

from wardround.sources.mimic import MimicFolder
from wardround.sources.mimic.eastern import ZONE
from wardround.sources.mimic.sepsis3 import read_antibiotics, read_screening

pytestmark = pytest.mark.mimic

HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
# Of each suspicion: septic stays; and by onset those that have one, within 6 h of admission, and later than after 1 h.
COUNTS = {
    "any_culture": (62, {"sofa_time": (62, 56, 31), "sofa_rise_time": (49, 30, 47)}),
    "without_screening_cultures": (54, {"sofa_time": (54, 46, 26), "sofa_rise_time": (46, 26, 44)}),
}
# The names of the demo's tests that look for carriers, as found by looking through all of its 1,336 specimens.
SCREENS = {"MRSA SCREEN", "Staph aureus Screen", "R/O VANCOMYCIN RESISTANT ENTEROCOCCUS", "Swab - R/O Yeast - IC"}


@pytest.fixture(scope="module")
def stays(mimic_demo) -> pd.DataFrame:
    return pd.read_csv(mimic_demo / "icu" / "icustays.csv.gz", parse_dates=["intime", "outtime"])


@pytest.fixture(scope="module")
def found(mimic_demo) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels by suspicion and stay, and hourly SOFA, with times in MIMIC's."""
    parts = list(MimicFolder(mimic_demo).sepsis3_parts())
    labels = pd.concat([part.labels for part in parts]).set_index(["suspicion", "mimic_stay_id"])
    hourly = pd.concat([part.hourly for part in parts])
    for frame, names in ((labels, ["suspected_infection_time", "sofa_time", "sofa_rise_time"]), (hourly, ["endtime"])):
        for name in names:
            frame[name] = frame[name].dt.tz_convert(ZONE).dt.tz_localize(None)
    return labels, hourly


@pytest.fixture(scope="module")
def specimens(mimic_demo) -> pd.DataFrame:
    tests = pd.read_csv(mimic_demo / "hosp" / "microbiologyevents.csv.gz", parse_dates=["chartdate", "charttime"])
    tests["screen"] = tests["test_name"].isin(SCREENS)
    return (
        tests.groupby(["subject_id", "micro_specimen_id"])
        .agg(time=("charttime", "max"), day=("chartdate", "max"), screen=("screen", "all"))
        .reset_index()
    )


def _antibiotics(mimic_demo, stays: pd.DataFrame) -> pd.DataFrame:
    orders = pd.read_csv(mimic_demo / "hosp" / "prescriptions.csv.gz", parse_dates=["starttime"], low_memory=False)
    drug, route = orders["drug"].fillna("").str.lower(), orders["route"].fillna("").str.upper()
    given = (
        drug.str.contains("|".join(map(re.escape, read_antibiotics()["name"])))
        & ~drug.str.contains(r"cream|gel\b|oint|ophth|otic|lotion|desensiti")
        & (orders["drug_type"] != "BASE")
        & ~route.str.contains(r"^(?:OU|OS|OD|AU|AS|AD|TP)$|\bEYES?\b|\bEARS?\b")
    )
    both = orders[given].merge(stays, on="hadm_id", suffixes=("", "_of_stay"))
    inside = (both["starttime"] >= both["intime"]) & (both["starttime"] < both["outtime"])
    return both.loc[inside, ["stay_id", "starttime"]].drop_duplicates()


def _suspicions(antibiotics: pd.DataFrame, specimens: pd.DataFrame, stays: pd.DataFrame) -> pd.DataFrame:
    """Each antibiotic's first culture, and the earlier of the two."""
    pairs = antibiotics.merge(stays[["stay_id", "subject_id"]], on="stay_id").merge(specimens, on="subject_id")
    ordered = pairs["starttime"].dt.normalize()
    by_day = (pairs["day"] >= ordered - 3 * DAY) & (pairs["day"] <= ordered + DAY)
    by_time = (pairs["time"] >= pairs["starttime"] - 72 * HOUR) & (pairs["time"] <= pairs["starttime"] + 24 * HOUR)
    pairs["untimed"] = pairs["time"].isna()
    pairs["taken"] = pairs["time"].fillna(pairs["day"])
    pairs["after"] = pairs["taken"] > pairs["starttime"]
    near = pairs[np.where(pairs["untimed"], by_day, by_time)]
    first = near.sort_values(["stay_id", "starttime", "after", "day", "untimed", "taken"])
    first = first.drop_duplicates(["stay_id", "starttime"])
    return first.assign(suspected=first[["taken", "starttime"]].min(axis=1))[["stay_id", "suspected"]].drop_duplicates()


@pytest.mark.parametrize("suspicion", COUNTS)
def test_pandas_finds_the_same_onsets_in_the_raw_tables(mimic_demo, stays, found, specimens, suspicion: str) -> None:
    accepted = specimens if suspicion == "any_culture" else specimens[~specimens["screen"]]
    suspicions = _suspicions(_antibiotics(mimic_demo, stays), accepted, stays)
    labels, hourly = found
    hours = suspicions.merge(
        hourly.rename(columns={"stay_id": "encounter"}), left_on="stay_id", right_on="mimic_stay_id"
    )
    ahead = hours["endtime"] - hours["suspected"]
    hours = hours[(ahead >= -48 * HOUR) & (ahead <= 24 * HOUR)].sort_values(["stay_id", "suspected", "endtime"])
    hours["baseline"] = hours.groupby(["stay_id", "suspected"])["sofa_24hours"].cummin()
    ours = labels.loc[suspicion]
    for name, counts in (
        ("sofa_time", hours["sofa_24hours"] >= 2),
        ("sofa_rise_time", hours["sofa_24hours"] >= hours["baseline"] + 2),
    ):
        wanted = hours[counts].drop_duplicates("stay_id").set_index("stay_id")["endtime"]
        assert ours[name].dropna().sort_index().to_dict() == wanted.sort_index().to_dict(), name
    assert set(ours.index[ours["sepsis3"]]) == set(ours.index[ours["sofa_time"].notna()])


@pytest.mark.parametrize("suspicion", COUNTS)
def test_so_many_stays_are_septic_early_and_so_many_remain_to_be_predicted(stays, found, suspicion: str) -> None:
    ours, (septic, by_onset) = found[0].loc[suspicion], COUNTS[suspicion]
    assert ours["sepsis3"].sum() == septic
    for name, expected in by_onset.items():
        begins = (ours[name] - stays.set_index("stay_id")["intime"].reindex(ours.index)).dropna() / HOUR
        assert (len(begins), (begins <= 6).sum(), (begins > 1).sum()) == expected, name


def test_screening_names_exactly_the_screens_among_the_demos_tests(mimic_demo, specimens) -> None:
    tests = pd.read_csv(mimic_demo / "hosp" / "microbiologyevents.csv.gz")
    table = read_screening()
    by_test, by_specimen = (
        tests[column].isin(table.loc[table["column"] == column, "name"]) for column in ("test_name", "spec_type_desc")
    )
    assert set(tests.loc[by_test | by_specimen, "test_name"]) == SCREENS
    assert (len(specimens), specimens["screen"].sum()) == (1336, 133)


def test_every_screen_says_what_it_looks_for_and_who_says_so() -> None:
    table = read_screening()
    assert table.notna().all(axis=None)
    assert set(table["column"]) == {"spec_type_desc", "test_name"}
    assert not table.duplicated(["column", "name"]).any()
