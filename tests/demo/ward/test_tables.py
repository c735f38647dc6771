"""Tests the synthetic ward: the properties of its stays, and how similar it is to the MIMIC demo."""

from typing import Final

import numpy as np
import pandas as pd
import pytest

from wardround.demo.ward.patients import MINOR_EVERY, RECENT_EVERY, SPARSE_EVERY, Batch
from wardround.demo.ward.tables import dictionaries, make_tables

NOW: Final = pd.Timestamp("2026-01-02T05:00:00Z")
LOCAL_NOW: Final = pd.Timestamp("2026-01-02T00:00:00")
OPEN: Final = Batch(first=0, count=200, now=int(NOW.timestamp()), discharged=False)
DISCHARGED: Final = Batch(first=200, count=600, now=int(NOW.timestamp()), discharged=True)

Tables = dict[str, pd.DataFrame]

# itemid: quartiles of the MIMIC demo (README of the shared data), and how far ours may deviate, in the item's unit.
CHARTED: Final = {
    220045: ((78, 90, 104), 8),
    223761: ((98, 98.4, 99), 0.4),
    223762: ((36.2, 36.9, 37.5), 0.6),
    220210: ((16, 20, 23), 2),
    220277: ((95, 97, 99), 1.5),
    220052: ((69, 76, 84), 6),
    220181: ((66, 74, 84), 6),
    220050: ((99, 112, 127), 9),
    220179: ((100, 113, 128), 9),
}
MEASURED: Final = {
    51301: ((6.4, 9.3, 13.6), 2),
    50813: ((1.4, 1.8, 2.7), 0.5),
    50912: ((0.7, 1.0, 1.7), 0.35),
    51265: ((111.75, 190, 283), 50),
    50885: ((0.3, 0.5, 1.3), 0.4),
    51006: ((13, 19, 35), 6),
    50820: ((7.31, 7.38, 7.43), 0.03),
    50882: ((22, 25, 28), 2),
}


@pytest.fixture(scope="module")
def ward() -> Tables:
    return make_tables(OPEN, np.random.default_rng(3))


@pytest.fixture(scope="module")
def discharged() -> Tables:
    return make_tables(DISCHARGED, np.random.default_rng(4))


def test_every_open_stay_has_no_end_and_began_before_now(ward: Tables) -> None:
    assert len(ward["icustays"]) == OPEN.count
    assert ward["icustays"]["outtime"].isna().all()
    assert ward["admissions"][["dischtime", "deathtime"]].isna().all(axis=None)
    assert (ward["icustays"]["intime"] < LOCAL_NOW).all()
    assert not ward["transfers"]["eventtype"].eq("discharge").any()
    assert ward["diagnoses_icd"].empty


@pytest.mark.parametrize("batch", ["ward", "discharged"])
def test_nothing_is_later_than_now(batch: str, request: pytest.FixtureRequest) -> None:
    for frame in request.getfixturevalue(batch).values():
        for column in frame.select_dtypes("datetime"):
            assert not (frame[column] > LOCAL_NOW).any(), column


def test_stays_units_and_admissions_follow_each_other_without_a_gap(discharged: Tables) -> None:
    moves = discharged["transfers"].sort_values(["hadm_id", "intime", "transfer_id"])
    following = moves.groupby("hadm_id")["intime"].shift(-1)
    assert (following.isna() | (following == moves["outtime"])).all()
    stays = discharged["icustays"].merge(discharged["admissions"], on="hadm_id")
    assert (stays["admittime"] <= stays["intime"]).all()
    assert (stays["intime"] < stays["outtime"]).all()
    assert (stays["outtime"] <= stays["dischtime"]).all()
    assert discharged["icustays"]["first_careunit"].ne(discharged["icustays"]["last_careunit"]).sum() > 20


def test_patients_who_died_in_hospital_have_a_time_place_and_date_of_death(discharged: Tables) -> None:
    table = discharged["admissions"].merge(discharged["patients"], on="subject_id")
    died = table[table["hospital_expire_flag"] == 1]
    assert 0.05 < len(died) / len(table) < 0.2
    assert (died["deathtime"] == died["dischtime"]).all()
    assert (died["discharge_location"] == "DIED").all()
    assert (died["dod"] == died["deathtime"].dt.strftime("%Y-%m-%d")).all()
    assert (died["dischtime"] == table.groupby("subject_id")["dischtime"].max()[died["subject_id"]].to_numpy()).all()


def test_stays_of_one_patient_do_not_overlap(discharged: Tables) -> None:
    stays = discharged["icustays"].merge(discharged["admissions"], on=["subject_id", "hadm_id"])
    stays = stays.sort_values(["subject_id", "admittime"])
    before = stays.groupby("subject_id")["dischtime"].shift()
    assert before.notna().sum() == 48
    assert (before.isna() | (before < stays["admittime"])).all()


def test_a_few_stays_are_of_minors_just_begun_or_just_ended(ward: Tables, discharged: Tables) -> None:
    assert (ward["patients"]["anchor_age"] < 18).sum() == OPEN.count // MINOR_EVERY
    ended = discharged["icustays"]["outtime"]
    assert 10 <= (ended > LOCAL_NOW - pd.Timedelta(hours=24)).sum() <= DISCHARGED.count // RECENT_EVERY
    hours = (LOCAL_NOW - ward["icustays"]["intime"]) / pd.Timedelta(hours=1)
    assert (hours < 1).sum() == OPEN.count // SPARSE_EVERY
    begun = ward["icustays"]["stay_id"][hours < 1]
    assert ward["chartevents"]["itemid"][ward["chartevents"]["stay_id"].isin(begun)].isin([220045, 220277]).all()


def test_a_day_of_a_stay_has_enough_events(ward: Tables) -> None:
    rows = len(ward["chartevents"]) + len(ward["labevents"])
    assert rows / OPEN.count > 170


@pytest.mark.parametrize("itemid", CHARTED)
def test_vital_signs_have_the_quartiles_of_the_demo(discharged: Tables, itemid: int) -> None:
    expected, tolerance = CHARTED[itemid]
    values = discharged["chartevents"].query("itemid == @itemid")["valuenum"]
    assert np.percentile(values, [25, 50, 75]) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("itemid", MEASURED)
def test_laboratory_results_have_the_quartiles_of_the_demo(discharged: Tables, itemid: int) -> None:
    expected, tolerance = MEASURED[itemid]
    values = discharged["labevents"].query("itemid == @itemid")["valuenum"].dropna()
    assert np.percentile(values, [25, 50, 75]) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("table", "person", "itemid", "hours"),
    [
        ("chartevents", "stay_id", 220045, (0.9, 1.1)),
        ("chartevents", "stay_id", 223761, (3.9, 4.1)),
        ("labevents", "subject_id", 51301, (18, 27)),
        ("labevents", "subject_id", 50813, (4.5, 8)),
    ],
)
def test_gaps_between_values_are_those_of_the_demo(
    discharged: Tables, table: str, person: str, itemid: int, hours: tuple[float, float]
) -> None:
    rows = discharged[table].query("itemid == @itemid").sort_values([person, "charttime"])
    gap = rows.groupby(person)["charttime"].diff().median() / pd.Timedelta(hours=1)
    assert hours[0] <= gap <= hours[1]


def test_implausible_bounded_and_missing_values_occur_but_are_rare(discharged: Tables) -> None:
    rates = discharged["chartevents"].query("itemid == 220045")["valuenum"]
    assert 0 < (rates == 0).mean() < 0.005
    means = discharged["chartevents"].query("itemid == 220052")["valuenum"]
    assert 0 < ((means < 10) | (means > 250)).mean() < 0.005
    results = discharged["labevents"]
    assert 0 < (results["value"] == "___").mean() < 0.02
    bounded = results[results["value"].str.match("[<>]")]
    assert 0 < len(bounded) / len(results) < 0.05
    assert bounded["valuenum"].isna().all()
    assert 0.02 < results["hadm_id"].isna().mean() < 0.4


def test_both_temperature_scales_and_both_methods_of_measuring_pressure_occur(discharged: Tables) -> None:
    stays = discharged["chartevents"].groupby("itemid")["stay_id"].nunique() / DISCHARGED.count
    assert 0.05 < stays[223762] < 0.2
    assert stays[223761] > 0.95
    assert 0.25 < stays[220050] < 0.7
    assert stays[220179] > 0.95


def test_every_item_that_occurs_is_in_its_dictionary(discharged: Tables) -> None:
    known = dictionaries()
    assert set(discharged["chartevents"]["itemid"]) <= set(known["d_items"]["itemid"])
    assert set(discharged["labevents"]["itemid"]) <= set(known["d_labitems"]["itemid"])


def test_codes_of_sepsis_are_undotted_and_in_both_versions(discharged: Tables) -> None:
    codes = discharged["diagnoses_icd"]
    assert not codes["icd_code"].str.contains(".", regex=False).any()
    for version, pattern in ((10, "A41"), (9, "038")):
        assert codes["icd_code"][codes["icd_version"] == version].str.startswith(pattern).any()


def test_sepsis_can_be_learnt_but_not_perfectly(discharged: Tables) -> None:
    codes = discharged["diagnoses_icd"]
    septic = discharged["icustays"]["hadm_id"].isin(codes["hadm_id"][codes["icd_code"].str.match("A41|R652|038|99592")])
    assert 0.12 < septic.mean() < 0.28
    chart = discharged["chartevents"].merge(discharged["icustays"][["stay_id", "intime"]], on="stay_id")
    first_day = chart[chart["charttime"] <= chart["intime"] + pd.Timedelta(hours=24)]
    means = first_day.pivot_table(index="stay_id", columns="itemid", values="valuenum")
    means = means.reindex(discharged["icustays"]["stay_id"])
    scaled = (means - means.mean()) / means.std()
    score = scaled[220045].fillna(0) + scaled[220210].fillna(0) - scaled[220181].fillna(0)
    rank = score.rank().to_numpy()
    positive = septic.to_numpy()
    pairs = positive.sum() * (~positive).sum()
    area = (rank[positive].sum() - positive.sum() * (positive.sum() + 1) / 2) / pairs
    assert 0.65 < area < 0.9


def test_the_same_generator_state_gives_the_same_ward(ward: Tables) -> None:
    again = make_tables(OPEN, np.random.default_rng(3))
    for table, frame in ward.items():
        pd.testing.assert_frame_equal(frame, again[table])


def test_batches_share_no_ids(ward: Tables, discharged: Tables) -> None:
    for table, key in (("patients", "subject_id"), ("icustays", "stay_id"), ("labevents", "labevent_id")):
        assert ward[table][key].is_unique
        assert not set(ward[table][key]) & set(discharged[table][key])
    assert not set(ward["labevents"]["specimen_id"]) & set(discharged["labevents"]["specimen_id"])
