"""Label rules: which stays have the outcome, which do not, and for which it is unknown."""

from typing import get_args

import pandas as pd
import pytest

from wardround.errors import TrainingError
from wardround.spec.conditions import Label, OnsetDefinition, Suspicion
from wardround.spec.loading import load_condition
from wardround.training.labels import (
    RULES,
    LabelSources,
    definitions_of,
    label_named,
    label_of,
    onset_definition,
    outcomes,
)

SEPSIS = Label(rule="icd", icd10=("A40", "A41", "R6520"), icd9=("038", "99591"))
DEATH = Label(rule="hospital_death")
DISCHARGED = pd.Timestamp("2150-01-09", tz="UTC")


def _sources(stays: list[dict], codes: list[tuple[int, str, int]] = ()) -> LabelSources:
    columns = ["stay_id", "hadm_id", "dischtime", "deathtime", "hospital_expire_flag"]
    frame = pd.DataFrame(
        [{"dischtime": DISCHARGED, "deathtime": None, "hospital_expire_flag": 0, **stay} for stay in stays],
        columns=columns,
    )
    types = dict.fromkeys(("dischtime", "deathtime"), "datetime64[us, UTC]") | {"hospital_expire_flag": "Int64"}
    return LabelSources(frame.astype(types), pd.DataFrame(codes, columns=["hadm_id", "icd_code", "icd_version"]))


def _sepsis(*codes: tuple[str, int]) -> bool:
    sources = _sources([{"hadm_id": 1}], [(1, code, version) for code, version in codes])
    return bool(outcomes(sources, SEPSIS)["outcome"][0])


@pytest.mark.parametrize("code", [("A419", 10), ("R6520", 10), ("0389", 9), ("99591", 9), (" a419 ", 10)])
def test_a_code_with_one_of_the_prefixes_is_an_outcome(code: tuple[str, int]) -> None:
    assert _sepsis(("I10", 10), code)


@pytest.mark.parametrize("code", [("A429", 10), ("038", 10), ("A419", 9), ("R652", 10), ("V038", 9)])
def test_a_prefix_counts_only_in_its_own_icd_version_and_only_at_the_start(code: tuple[str, int]) -> None:
    assert not _sepsis(code)


def test_the_codes_of_another_admission_do_not_count() -> None:
    sources = _sources([{"hadm_id": 1}, {"hadm_id": 2}], [(1, "I10", 10), (2, "A419", 10)])
    assert outcomes(sources, SEPSIS)["outcome"].tolist() == [False, True]


def test_an_admission_without_codes_or_without_discharge_has_no_known_icd_outcome() -> None:
    sources = _sources([{"hadm_id": 1}, {"hadm_id": 2, "dischtime": None}], [(2, "A419", 10)])
    assert outcomes(sources, SEPSIS)["outcome"].isna().tolist() == [True, True]


def test_a_label_with_prefixes_of_one_version_ignores_the_other() -> None:
    sources = _sources([{"hadm_id": 1}], [(1, "99591", 9)])
    assert outcomes(sources, Label(rule="icd", icd10=("A41",)))["outcome"].tolist() == [False]


def test_hospital_death_reads_the_flag_or_the_time_of_death() -> None:
    sources = _sources(
        [
            {"hadm_id": 1},
            {"hadm_id": 2, "hospital_expire_flag": 1},
            {"hadm_id": 3, "deathtime": DISCHARGED},
            {"hadm_id": 4, "hospital_expire_flag": None},
        ]
    )
    assert outcomes(sources, DEATH)["outcome"].tolist() == [False, True, True, False]


def test_hospital_death_is_not_known_while_the_admission_goes_on() -> None:
    sources = _sources([{"hadm_id": 1, "dischtime": None}])
    assert outcomes(sources, DEATH)["outcome"].isna().all()


def test_every_rule_that_a_condition_file_may_name_exists() -> None:
    assert set(RULES) == set(get_args(Label.model_fields["rule"].annotation))


def test_a_condition_learns_its_default_label_or_another_of_its_own(schemas) -> None:
    condition = load_condition("sepsis", schemas)
    assert label_of(condition, None) == label_of(condition, "icd") == condition.label
    assert label_of(condition, "sepsis3").onset == "sofa_time"
    with pytest.raises(TrainingError, match=r"--label: got 'hospital_death', expected one of .*: icd, sepsis3; add"):
        label_of(condition, "hospital_death")


def test_a_death_has_a_time_of_onset_and_a_code_has_none() -> None:
    sources = _sources([{"hadm_id": 1, "deathtime": DISCHARGED}, {"hadm_id": 2}], [(1, "A419", 10), (2, "I10", 10)])
    assert outcomes(sources, DEATH)["onset"].tolist() == [DISCHARGED, pd.NaT]
    assert outcomes(sources, SEPSIS)["onset"].isna().all()
    assert (onset_definition(DEATH), onset_definition(SEPSIS)) == ("deathtime", None)


SUSPECTED, DYSFUNCTION, RISEN = (DISCHARGED + pd.Timedelta(hours=hours) for hours in (0, 3, 9))


def _sepsis3(onset: str, suspicion: str = "any_culture") -> pd.DataFrame:
    """Stays a (septic), b (not septic), and c, about which nothing is known; by its cultures alone a is not septic."""
    known = pd.DataFrame(
        {
            "stay_id": ["b", "a", "a", "b"],
            "suspicion": ["any_culture", "any_culture", "without_screening_cultures", "without_screening_cultures"],
            "sepsis3": [False, True, False, True],
            "suspected_infection_time": pd.to_datetime([SUSPECTED, SUSPECTED, pd.NaT, SUSPECTED], utc=True),
            "sofa_time": pd.to_datetime([pd.NaT, DYSFUNCTION, pd.NaT, DYSFUNCTION], utc=True),
            "sofa_rise_time": pd.to_datetime([pd.NaT, RISEN, pd.NaT, pd.NaT], utc=True),
        }
    )
    sources = _sources([{"stay_id": name, "hadm_id": 1} for name in "abc"])
    return outcomes(sources._replace(sepsis3=known), Label(rule="sepsis3", onset=onset, suspicion=suspicion))


@pytest.mark.parametrize(
    ("onset", "expected"),
    [("sofa_time", DYSFUNCTION), ("suspected_infection_time", SUSPECTED), ("earlier", SUSPECTED), ("sofa_rise", RISEN)],
)
def test_sepsis3_begins_when_the_label_says(onset: str, expected: pd.Timestamp) -> None:
    found = _sepsis3(onset)
    assert found["outcome"].tolist()[:2] == [True, False]
    assert found["outcome"].isna().tolist() == [False, False, True]
    assert found["onset"].tolist() == [expected, pd.NaT, pd.NaT]


def test_the_suspicion_decides_who_is_septic_and_a_septic_stay_may_have_no_rise() -> None:
    found = _sepsis3("sofa_rise", "without_screening_cultures")
    assert found["outcome"].tolist()[:2] == [False, True]
    assert found["onset"].isna().all()
    assert _sepsis3("sofa_time", "without_screening_cultures")["onset"].tolist() == [pd.NaT, DYSFUNCTION, pd.NaT]


def test_a_label_is_compared_with_all_its_other_definitions() -> None:
    label = Label(rule="sepsis3", onset="sofa_rise", suspicion="without_screening_cultures")
    found = definitions_of(label)
    assert found[0] == label
    assert len(set(found)) == len(get_args(OnsetDefinition)) * len(get_args(Suspicion)) == 8
    assert definitions_of(DEATH) == (DEATH,)


def test_a_label_is_named_with_its_definition_of_onset() -> None:
    assert label_named(Label(rule="sepsis3", onset="sofa_rise")) == "sepsis3 (sofa_rise, any_culture)"
    assert (label_named(DEATH), label_named(None)) == ("hospital_death", "label not stated")


def test_onset_and_suspicion_of_a_request_replace_those_of_the_label(schemas) -> None:
    condition = load_condition("sepsis", schemas)
    assert label_of(condition, "sepsis3", "sofa_rise").onset == "sofa_rise"
    assert label_of(condition, "sepsis3", None, "without_screening_cultures") == Label(
        rule="sepsis3", onset="sofa_time", suspicion="without_screening_cultures"
    )
    with pytest.raises(TrainingError, match="--suspicion: the label icd offers no such choice, expected the label sep"):
        label_of(condition, None, suspicion="any_culture")


def test_sepsis3_without_its_frame_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="sepsis3 is missing"):
        outcomes(_sources([{"hadm_id": 1}]), Label(rule="sepsis3", onset="earlier"))


def test_a_time_without_a_verdict_is_no_onset() -> None:
    unsaid = pd.DataFrame(
        {
            "stay_id": ["a"],
            "suspicion": ["any_culture"],
            "sepsis3": pd.Series([pd.NA], dtype="boolean"),
            "suspected_infection_time": [SUSPECTED],
            "sofa_time": [DYSFUNCTION],
            "sofa_rise_time": [RISEN],
        }
    )
    sources = _sources([{"stay_id": "a", "hadm_id": 1}])._replace(sepsis3=unsaid)
    found = outcomes(sources, Label(rule="sepsis3", onset="earlier"))
    assert (found["outcome"].isna().tolist(), found["onset"].tolist()) == ([True], [pd.NaT])


@pytest.mark.parametrize(("label", "expected"), [(SEPSIS, [True, False]), (DEATH, [False, False])])
def test_outcomes_have_the_index_of_the_stays(label: Label, expected: list[bool]) -> None:
    sources = _sources([{"hadm_id": 1}, {"hadm_id": 2}], [(1, "A419", 10), (2, "I10", 10)])
    moved = sources._replace(stays=sources.stays.set_axis([7, 3]))
    found = outcomes(moved, label)
    assert (found.index.tolist(), found["outcome"].tolist()) == ([7, 3], expected)
    assert found["outcome"].dtype == "boolean"
    assert found["onset"].isna().all()
