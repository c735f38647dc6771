"""Tests that stays as rows, for one patient, are the stays of a screening's frames."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from wardround.core.exclusion import Decisive, Stay, reasons_against
from wardround.core.microseconds import UNKNOWN, micros, micros_in
from wardround.core.stays import FOUND_STAY_COLUMNS, hours_at, index_as_of
from wardround.features.index import Index
from wardround.fhir.references import Bases
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.spec.loading import load_condition

AS_OF = pd.Timestamp("2026-03-10T12:00:00Z")
RULE = EncounterRule(classes=frozenset({"ACUTE"}))


def encounter(key: str, patient: str, start: str, **more: Any) -> dict[str, Any]:
    about = {"resourceType": "Encounter", "id": key, "class": {"code": "ACUTE"}, "status": "in-progress"}
    return {**about, "subject": {"reference": f"Patient/{patient}"}, "period": {"start": start}, **more}


@pytest.fixture
def records() -> EncounterRecords:
    made = EncounterRecords(Bases())
    same_as_a = {"type": "seealso", "other": {"reference": "Patient/a"}}
    over = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}
    people = [
        {"id": "a", "birthDate": "1960-03-10", "gender": "male"},
        {"id": "b", "birthDate": "1950", "gender": "female", "link": [same_as_a]},
        {"id": "c", "birthDate": "2012-01-01", "gender": "other"},
        {"id": "d"},
        {"id": "e", "deceasedBoolean": True, "birthDate": "1960-01-01"},
    ]
    made.add({"resourceType": "Patient", **one} for one in people)
    made.add(
        [
            encounter("a1", "a", "2026-03-08T10:00:00.25+01:00", partOf={"reference": "Encounter/h"}),
            encounter("a2", "a", "", period=over),
            encounter("a3", "a", "2026-03-09"),
            encounter("b1", "b", "2026-03-09T00:00:00Z", location=[{"location": {"display": "Unit A"}}]),
            encounter("c1", "c", "2026-03-09T00:00:00Z"),
            encounter("d1", "d", "2026-03-09T00:00:00Z", status="finished"),
            encounter("e1", "e", "2026-03-09T00:00:00Z", status="planned"),
            encounter("today", "a", "2026-03-10"),
            encounter("nobody", "a", "2026-03-09T00:00:00Z", subject=None),
            encounter("h", "a", "2026-03-05T08:00:00Z", **{"class": {"code": "IMP"}}),
        ]
    )
    return made


@pytest.mark.parametrize("as_of", [AS_OF, None])
def test_rows_and_frames_hold_the_same_stays(records, as_of):
    frame, (rows, set_aside) = records.stays(RULE, None, as_of), records.rows(RULE, None, as_of)
    assert Stay._fields == tuple(FOUND_STAY_COLUMNS)
    assert len(rows) > 3
    for name, kind in FOUND_STAY_COLUMNS.items():
        column = frame.stays[name]
        known = micros_in(column).tolist() if kind.startswith("datetime64") else column.fillna("").tolist()
        assert known == [getattr(row, name) or ("" if kind == "str" else getattr(row, name)) for row in rows], name
    assert sorted(set_aside) == sorted(frame.set_aside.itertuples(index=False, name=None))


def test_both_are_excluded_for_the_same_reasons_and_have_the_same_index(records, schemas):
    condition = load_condition("sepsis", schemas)
    frame, (rows, _) = records.stays(RULE, None, AS_OF).stays, records.rows(RULE, None, AS_OF)
    reasons = [
        reasons_against(stays, AS_OF, condition).tolist() for stays in (Decisive.of_frame(frame), Decisive.of(rows))
    ]
    assert reasons[0] == reasons[1]
    assert {"", "discharged", "under_age", "finished_without_end", "unusable_status"} <= set(reasons[0])
    index = [Index.of_frame(index_as_of(frame, AS_OF), condition), Index.of_stays(rows, AS_OF, condition)]
    assert list(index[0].patient_id) == list(index[1].patient_id)
    assert index[0].as_of.tolist() == index[1].as_of.tolist()
    assert index[0].demographics.keys() == index[1].demographics.keys() == set(condition.features.demographics)
    for name, values in index[0].demographics.items():
        np.testing.assert_array_equal(values, index[1].demographics[name])


def test_both_have_the_same_hours_since_the_begin_in_the_unit(records):
    frame, (rows, _) = records.stays(RULE, None, AS_OF).stays, records.rows(RULE, None, AS_OF)
    assert any(row.unit_begin == UNKNOWN for row in rows)
    hours = [row.hours_at(micros(AS_OF)) for row in rows]
    np.testing.assert_array_equal(hours_at(index_as_of(frame, AS_OF), frame), hours)


def test_no_stays_make_no_rows(schemas):
    condition = load_condition("sepsis", schemas)
    rows, set_aside = EncounterRecords(Bases()).rows(RULE, None, AS_OF)
    assert (rows, set_aside, reasons_against(Decisive.of(rows), AS_OF, condition).tolist()) == ([], [], [])
    assert len(Index.of_stays(rows, AS_OF, condition)) == 0
