"""Tests how a census shifts each patient's timeline."""

import pandas as pd
import pytest

from wardround.demo.census_shift import DISCHARGED_WITHIN, SETTLED, place

NOW = pd.Timestamp("2026-01-02T05:00:00Z")


def stays(patients: int, hours: float = 100) -> pd.DataFrame:
    intime = pd.date_range("2150-03-01T10:00Z", periods=patients, freq="97D", unit="us")
    return pd.DataFrame(
        {
            "patient_id": [f"p{n}" for n in range(patients)],
            "stay_id": [f"s{n}" for n in range(patients)],
            "intime": intime,
            "outtime": intime + pd.Timedelta(hours=hours),
        }
    )


def reached(placed: pd.DataFrame, all_stays: pd.DataFrame) -> pd.DataFrame:
    """Hours from admission and from the end of the chosen stay to now."""
    joined = placed.merge(all_stays, on=["patient_id", "stay_id"])
    hour = pd.Timedelta(hours=1)
    return joined.assign(
        since_in=(NOW - joined["intime"] - joined["shift"]) / hour,
        since_out=(NOW - joined["outtime"] - joined["shift"]) / hour,
    )


def test_now_is_within_nine_of_ten_stays_and_shortly_after_the_others() -> None:
    table = reached(place(stays(1000), NOW), stays(1000))
    present, left = table[table["present"]], table[~table["present"]]
    assert 60 <= len(left) <= 140
    assert present["since_in"].between(SETTLED / pd.Timedelta(hours=1), 100).all()
    assert left["since_out"].between(0, DISCHARGED_WITHIN / pd.Timedelta(hours=1)).all()


def test_hours_since_admission_are_spread_evenly() -> None:
    table = reached(place(stays(1000), NOW), stays(1000)).query("present")
    quarters = pd.cut(table["since_in"], [6, 29.5, 53, 76.5, 100]).value_counts(normalize=True)
    assert quarters.between(0.2, 0.3).all()


def test_now_is_in_the_second_half_of_a_stay_shorter_than_six_hours() -> None:
    table = reached(place(stays(50, hours=2), NOW), stays(50, hours=2)).query("present")
    assert table["since_in"].between(1, 2).all()


def test_a_patients_shift_does_not_depend_on_other_patients() -> None:
    alone = place(stays(20).tail(1), NOW)
    among = place(stays(20), NOW).query("patient_id == 'p19'").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)


def test_a_settled_stay_is_preferred_to_a_shorter_one() -> None:
    short, long = stays(30, hours=1), stays(30, hours=50).assign(stay_id=lambda f: "long" + f["stay_id"])
    assert place(pd.concat([short, long]), NOW)["stay_id"].str.startswith("long").all()


@pytest.mark.parametrize("column", ["intime", "outtime"])
def test_a_patient_without_a_completed_stay_is_not_placed(column: str) -> None:
    frame = stays(3)
    frame.loc[1, column] = pd.NaT
    assert list(place(frame, NOW)["patient_id"]) == ["p0", "p2"]


def test_no_stays_give_an_empty_census() -> None:
    assert place(stays(0), NOW).empty


def _two_each(first: float, second: float) -> pd.DataFrame:
    """Two hundred patients with two stays each, of the given number of hours."""
    ones, others = stays(200, hours=first), stays(200, hours=second)
    return pd.concat([ones, others.assign(stay_id=lambda found: "other-" + found["stay_id"])])


def test_two_long_stays_are_equally_likely() -> None:
    placed = place(_two_each(100, 50), NOW)
    assert 0.4 <= placed["stay_id"].str.startswith("other").mean() <= 0.6


def test_a_stay_of_six_hours_counts_as_settled() -> None:
    assert not place(_two_each(6, 5), NOW)["stay_id"].str.startswith("other").any()


def test_a_stay_of_zero_length_is_not_placed() -> None:
    assert place(stays(3, hours=0), NOW).empty
