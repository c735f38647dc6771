"""Every stay is eligible or excluded with a reason; prediction times count real hours."""

from datetime import timedelta

import pandas as pd
import pytest

from wardround.core.events import frame_of
from wardround.core.stays import STAY_COLUMNS, completed_years, eligible, index_after, index_as_of
from wardround.spec.loading import load_condition

AS_OF = pd.Timestamp("2026-03-10T12:00Z")


@pytest.fixture(scope="module")
def sepsis(schemas):
    return load_condition("sepsis", schemas)


def stays(*rows: dict) -> pd.DataFrame:
    plain = {
        "patient_id": "p", "intime": AS_OF - pd.Timedelta(hours=30), "outtime": pd.NaT,
        "birth_date": pd.Timestamp("1960-01-01"), "sex": "male", "unit": "MICU", "status": "in-progress",
    }  # fmt: skip
    return frame_of(STAY_COLUMNS, [{**plain, "stay_id": f"s{n}", **row} for n, row in enumerate(rows)])


@pytest.mark.parametrize(
    ("stay", "reason"),
    [
        ({"status": "cancelled"}, "unusable_status"),
        ({"status": "planned"}, "unusable_status"),
        ({"intime": pd.NaT}, "no_admission_time"),
        ({"intime": AS_OF + pd.Timedelta(minutes=1)}, "not_yet_admitted"),
        ({"outtime": AS_OF}, "discharged"),
        ({"status": "finished"}, "finished_without_end"),
        ({"birth_date": pd.NaT}, "no_birth_date"),
        ({"birth_date": pd.Timestamp("2008-03-11")}, "under_age"),
    ],
)
def test_an_ineligible_stay_is_excluded_with_its_reason(sepsis, stay, reason):
    cohort = eligible(stays(stay), AS_OF, sepsis)
    assert cohort.eligible.empty
    assert cohort.excluded["reason"].tolist() == [reason]


def test_a_stay_that_ended_after_as_of_is_still_screened(sepsis):
    later = stays({"status": "finished", "outtime": AS_OF + pd.Timedelta(hours=1)}, {"birth_date": "2008-03-10"})
    assert len(eligible(later, AS_OF, sepsis).eligible) == 2


def test_no_stay_is_lost(sepsis):
    mixed = stays({}, {"status": "planned"}, {"outtime": AS_OF}, {})
    cohort = eligible(mixed, AS_OF, sepsis)
    assert sorted([*cohort.eligible["stay_id"], *cohort.excluded["stay_id"]]) == ["s0", "s1", "s2", "s3"]


def test_an_empty_ward_is_no_error(sepsis):
    cohort = eligible(stays(), AS_OF, sepsis)
    assert cohort.eligible.empty
    assert cohort.excluded.empty


def test_completed_years_turn_on_the_birthday():
    born = pd.Series(pd.to_datetime(["2008-03-10", "2008-03-11", "2008-02-29"]))
    assert completed_years(born, AS_OF).tolist() == [18, 17, 18]


def test_a_day_after_admission_is_24_real_hours_in_a_daylight_saving_night():
    # 2026-03-08 02:00 US Eastern becomes 03:00: noon to noon is 23 hours.
    admitted = pd.Timestamp("2026-03-07T12:00", tz="America/New_York").tz_convert("UTC")
    as_of = index_after(stays({"intime": admitted}), timedelta(hours=24))["as_of"].iloc[0]
    assert as_of.tz_convert("America/New_York").isoformat() == "2026-03-08T13:00:00-04:00"


def test_an_index_has_one_row_per_stay_in_order(sepsis):
    index = index_as_of(stays({}, {}, {}), AS_OF)
    assert index["stay_id"].tolist() == ["s0", "s1", "s2"]
    assert (index["as_of"] == AS_OF).all()
