"""Compares Sepsis-3 and hourly SOFA of the MIMIC-IV demo with the reference from mimic-code (docs/sepsis3.md)."""

import pandas as pd
import pytest

from wardround.sources.mimic import MimicFolder
from wardround.sources.mimic.eastern import ZONE
from wardround.sources.mimic.sepsis3 import read_items

pytestmark = pytest.mark.mimic

COMPONENTS = ("respiration", "coagulation", "liver", "cardiovascular", "cns", "renal")
TIMES = ["suspected_infection_time", "sofa_time"]
# As calculated in docs/sepsis3.md: both times, and the sum and its parts in some hours.
BY_HAND = {
    30057454: ("2171-11-14 10:44", "2171-11-14 11:00", {0: {"cardiovascular": 1, "renal": 1, "sofa": 2}}),
    31316840: (
        "2135-01-04 05:00",
        "2135-01-04 13:00",
        {1: {"renal": 1, "sofa": 1}, 15: {"cardiovascular": 1, "sofa": 2}},
    ),
    39880770: (
        "2147-12-30 00:00",
        "2147-12-30 10:00",
        {0: {"cns": 3, "sofa": 3}, 1: {"respiration": 1}, 2: {"sofa": 5}},
    ),
    33281088: (
        "2140-01-23 13:40",
        "2140-01-23 20:00",
        {0: {"sofa": 1}, 1: {"renal": 2, "cardiovascular": 4, "sofa": 6}},
    ),
    33383124: (None, None, {0: {"coagulation": 1, "cns": 4, "sofa": 5}, 3: {"sofa": 8}}),
}


@pytest.fixture(scope="module")
def demo(mimic_demo) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and hourly SOFA, computed 50 stays at a time."""
    parts = list(MimicFolder(mimic_demo, stays_at_once=50).sepsis3_parts())
    labels = pd.concat([part.labels for part in parts])
    return labels[labels["suspicion"] == "any_culture"], pd.concat([part.hourly for part in parts])


@pytest.fixture(scope="module")
def reference(mimic_demo):
    """Reads a file of the reference; skips the test if it is not next to the demo."""
    folder = mimic_demo.parent / "mimic-iv-demo-reference"
    if not folder.is_dir():
        pytest.skip(f"the reference is not at {folder}")
    return lambda name, times: pd.read_csv(folder / name, parse_dates=times)


def same(found: pd.Series, wanted: pd.Series) -> pd.Series:
    return (found == wanted) | (found.isna() & wanted.isna())


def test_every_stay_of_the_demo_has_a_label_and_septic_ones_have_both_times(demo):
    labels, hourly = demo
    assert len(labels) == 140
    assert labels["stay_id"].is_monotonic_increasing
    assert labels["stay_id"].is_unique
    assert labels["sepsis3"].notna().all()
    for name in TIMES:
        assert (labels[name].notna() == labels["sepsis3"]).all()
    assert set(hourly["stay_id"]) == set(labels["stay_id"])


def test_label_and_both_times_agree_with_the_reference(demo, reference):
    both = reference("sepsis3.csv", TIMES).merge(
        demo[0], left_on="stay_id", right_on="mimic_stay_id", suffixes=("_wanted", "")
    )
    assert len(both) > 60
    wanted = both["sepsis3_wanted"].notna()
    assert (both["sepsis3"] == wanted).all()
    for name in TIMES:
        local = both[name].dt.tz_convert(ZONE).dt.tz_localize(None)
        assert same(local, both[f"{name}_wanted"]).all(), name


def test_every_hour_and_component_agrees_with_the_reference(demo, reference):
    wanted = reference("sofa_hourly.csv.gz", ["endtime"])
    hours = demo[1][demo[1]["mimic_stay_id"].isin(wanted["stay_id"])]
    both = wanted.merge(
        hours, left_on=["stay_id", "hr"], right_on=["mimic_stay_id", "hour"], suffixes=("_wanted", ""), how="outer"
    )
    assert len(both) == len(wanted) == len(hours)
    for name in (*COMPONENTS, "sofa"):
        assert (both[f"{name}_24hours"] == both[f"{name}_24hours_wanted"]).all(), name


@pytest.mark.parametrize("stay", BY_HAND)
def test_stays_agree_with_calculations_by_hand(demo, stay):
    labels, hourly = (frame.set_index("mimic_stay_id").loc[stay] for frame in demo)
    *times, scores = BY_HAND[stay]
    for name, time in zip(TIMES, times, strict=True):
        wanted = pd.NaT if time is None else pd.Timestamp(time, tz=ZONE)
        assert labels[name] is wanted or labels[name] == wanted, name
    for hour, parts in scores.items():
        found = hourly.set_index("hour").loc[hour]
        assert {name: found[f"{name}_24hours"] for name in parts} == parts


def test_every_item_of_the_concepts_has_the_label_that_mimic_gives_it(mimic_demo):
    items = read_items()
    for table, labels in (
        ("icu/d_items", items["table"] != "labevents"),
        ("hosp/d_labitems", items["table"] == "labevents"),
    ):
        known = pd.read_csv(mimic_demo / f"{table}.csv.gz").set_index("itemid")["label"]
        ours = items[labels].set_index("itemid")["label"]
        assert known.reindex(ours.index).tolist() == ours.tolist()
