"""Every stay is eligible or excluded with a reason; prediction times count real hours."""

from datetime import timedelta

import pandas as pd
import pytest

from wardround.core.events import UTC, frame_of
from wardround.core.stays import (
    EXCLUDED_COLUMNS,
    FOUND_STAY_COLUMNS,
    completed_years,
    eligible,
    index_after,
    index_as_of,
)
from wardround.spec.loading import load_condition

AS_OF = pd.Timestamp("2026-03-10T12:00Z")


@pytest.fixture(scope="module")
def sepsis(schemas):
    return load_condition("sepsis", schemas)


def stays(*rows: dict) -> pd.DataFrame:
    plain = {
        "patient_id": "p", "intime": AS_OF - pd.Timedelta(hours=30), "outtime": pd.NaT,
        "sex": "male", "unit": "MICU", "status": "in-progress", "barred": "", "part_of": "", "succeeded_by": "",
    }  # fmt: skip
    return frame_of(
        FOUND_STAY_COLUMNS,
        [{**plain, **born("1960-01-01"), "stay_id": f"s{n}", **row} for n, row in enumerate(rows)],
    )


def born(first: str | None, last: str | None = None) -> dict:
    """Born on a day, or nobody knows on which from the first to the last."""
    return {"birth_date": None if last else first, "born_from": first, "born_by": last or first}


def reasons(cohort) -> dict[str, str]:
    return dict(zip(cohort.excluded["stay_id"], cohort.excluded["reason"], strict=True))


@pytest.mark.parametrize(
    ("stay", "reason"),
    [
        ({"status": "cancelled"}, "unusable_status"),
        ({"status": "planned"}, "unusable_status"),
        ({"intime": pd.NaT}, "no_admission_time"),
        ({"intime": AS_OF + pd.Timedelta(minutes=1)}, "not_yet_admitted"),
        ({"outtime": AS_OF}, "discharged"),
        ({"status": "finished"}, "finished_without_end"),
        ({"status": "entered-in-error"}, "unusable_status"),
        ({"status": ""}, "unusable_status"),
        ({"status": "in_progress"}, "unusable_status"),
        ({"barred": "deceased"}, "deceased"),
        ({"barred": "deceased", "outtime": AS_OF}, "discharged"),
        ({"barred": "merged_patient", **born(None)}, "merged_patient"),
        (born(None), "no_birth_date"),
        (born("2008-03-11"), "under_age"),
        (born("2009-01-01", "2009-12-31"), "under_age"),
        (born("2008-01-01", "2008-12-31"), "uncertain_age"),
        (born("2008-03-01", "2008-03-31"), "uncertain_age"),
    ],
)
def test_an_ineligible_stay_is_excluded_with_its_reason(sepsis, stay, reason):
    cohort = eligible(stays(stay), AS_OF, sepsis)
    assert cohort.eligible.empty
    assert cohort.excluded["reason"].tolist() == [reason]


def test_a_stay_that_ended_after_as_of_is_still_screened(sepsis):
    later = stays({"status": "finished", "outtime": AS_OF + pd.Timedelta(hours=1)}, born("2008-03-10"))
    assert len(eligible(later, AS_OF, sepsis).eligible) == 2


def test_a_stay_that_begins_at_as_of_is_screened(sepsis):
    cohort = eligible(stays({"intime": AS_OF}, {"intime": AS_OF + pd.Timedelta(seconds=1)}), AS_OF, sepsis)
    assert reasons(cohort) == {"s1": "not_yet_admitted"}


def test_rows_of_a_longer_table_are_split_by_what_they_say_and_numbered_anew(sepsis):
    rows = stays({"patient_id": "old", "succeeded_by": "new"}, {"outtime": AS_OF}, {"patient_id": "new"}, {})
    cohort = eligible(rows.iloc[::-1], AS_OF, sepsis)
    assert cohort.eligible["stay_id"].tolist() == ["s3", "s2"]
    assert reasons(cohort) == {"s1": "discharged", "s0": "merged_patient"}
    for frame, columns in ((cohort.eligible, FOUND_STAY_COLUMNS), (cohort.excluded, EXCLUDED_COLUMNS)):
        assert frame.index.tolist() == [0, 1]
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == columns
    assert index_as_of(rows.iloc[2:], AS_OF).index.tolist() == [0, 1]


def test_a_year_of_birth_is_enough_where_any_day_of_it_would_be(sepsis):
    cohort = eligible(stays(born("2007-01-01", "2007-12-31"), born("2008-02-01", "2008-02-29")), AS_OF, sepsis)
    assert cohort.eligible["stay_id"].tolist() == ["s0", "s1"]
    assert cohort.eligible["birth_date"].isna().all()


def test_of_an_encounter_and_its_part_the_part_is_screened(sepsis):
    nested = stays({"part_of": "s1"}, {"part_of": "s2"}, {}, {"patient_id": "q"})
    assert reasons(eligible(nested, AS_OF, sepsis)) == {"s1": "parent_encounter", "s2": "parent_encounter"}


def test_a_whole_is_left_out_also_where_a_part_between_is_not_screened(sepsis):
    nested = stays({"part_of": "s1"}, {"part_of": "s2", "status": "cancelled"}, {"part_of": "s3"}, {"part_of": "s9"})
    assert reasons(eligible(nested, AS_OF, sepsis)) == {
        "s1": "unusable_status", "s2": "parent_encounter", "s3": "parent_encounter",
    }  # fmt: skip


def test_encounters_that_are_parts_of_themselves_or_of_each_other_end_with_an_account(sepsis):
    rings = stays({"part_of": "s0"}, {"part_of": "s2"}, {"part_of": "s3"}, {"part_of": "s1"})
    assert reasons(eligible(rings, AS_OF, sepsis)) == dict.fromkeys(("s1", "s2", "s3"), "parent_encounter")


def test_a_part_that_is_not_screened_leaves_its_whole(sepsis):
    nested = stays({"part_of": "s1", "outtime": AS_OF}, {}, {"part_of": "elsewhere"})
    assert reasons(eligible(nested, AS_OF, sepsis)) == {"s0": "discharged"}


def test_a_mothers_stay_is_not_her_newborns(sepsis):
    family = stays({"part_of": "s1"}, {"patient_id": "mother"})
    assert len(eligible(family, AS_OF, sepsis).eligible) == 2


def test_a_person_with_two_records_is_screened_once(sepsis):
    both = stays({"patient_id": "old", "succeeded_by": "older new"}, {"patient_id": "new"})
    assert reasons(eligible(both, AS_OF, sepsis)) == {"s0": "merged_patient"}


def test_a_record_whose_successor_is_not_screened_is(sepsis):
    both = stays({"patient_id": "old", "succeeded_by": "new"}, {"patient_id": "new", "outtime": AS_OF})
    assert reasons(eligible(both, AS_OF, sepsis)) == {"s1": "discharged"}


def test_no_stay_is_lost(sepsis):
    mixed = stays({}, {"status": "planned"}, {"outtime": AS_OF}, {})
    cohort = eligible(mixed, AS_OF, sepsis)
    assert sorted([*cohort.eligible["stay_id"], *cohort.excluded["stay_id"]]) == ["s0", "s1", "s2", "s3"]


def test_an_empty_ward_is_no_error(sepsis):
    cohort = eligible(stays(), AS_OF, sepsis)
    assert cohort.eligible.empty
    assert cohort.excluded.empty


@pytest.mark.parametrize("as_of", ["2026-02-28", "2026-03-01", "2028-02-28", "2028-02-29", "2026-12-31", "2026-01-01"])
def test_a_stay_is_under_age_until_the_years_are_completed(sepsis, as_of):
    now = pd.Timestamp(as_of, tz="UTC") + pd.Timedelta(hours=23)
    days = pd.date_range(now.tz_localize(None).normalize() - pd.DateOffset(years=18, days=3), periods=8)
    found = stays(*(born(str(day.date())) for day in days))
    found = found.assign(intime=now - pd.Timedelta(hours=1))
    cohort = eligible(found, now, sepsis)
    years = completed_years(found["birth_date"], now)
    assert set(years) == {17, 18}
    assert cohort.eligible["stay_id"].tolist() == found["stay_id"][years >= 18].tolist()
    assert set(cohort.excluded["reason"]) == {"under_age"}


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
    for at in (AS_OF, AS_OF.tz_convert("Europe/Berlin"), AS_OF.as_unit("ns")):
        assert [str(index_as_of(some, at)["as_of"].dtype) for some in (stays(), stays({}))] == [UTC, UTC]
