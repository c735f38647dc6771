"""Label rules: who has the outcome, who has not, and of whom it is not known."""

from typing import get_args

import pandas as pd
import pytest

from wardround.core.labels import RULES, Admissions, label_of, outcomes
from wardround.errors import TrainingError
from wardround.spec.conditions import Label
from wardround.spec.loading import load_condition

SEPSIS = Label(rule="icd", icd10=("A40", "A41", "R6520"), icd9=("038", "99591"))
DEATH = Label(rule="hospital_death")
DISCHARGED = pd.Timestamp("2150-01-09", tz="UTC")


def _admissions(stays: list[dict], codes: list[tuple[int, str, int]] = ()) -> Admissions:
    columns = ["stay_id", "hadm_id", "dischtime", "deathtime", "hospital_expire_flag"]
    frame = pd.DataFrame(
        [{"dischtime": DISCHARGED, "deathtime": None, "hospital_expire_flag": 0, **stay} for stay in stays],
        columns=columns,
    )
    types = dict.fromkeys(("dischtime", "deathtime"), "datetime64[us, UTC]") | {"hospital_expire_flag": "Int64"}
    return Admissions(frame.astype(types), pd.DataFrame(codes, columns=["hadm_id", "icd_code", "icd_version"]))


def _sepsis(*codes: tuple[str, int]) -> bool:
    admissions = _admissions([{"hadm_id": 1}], [(1, code, version) for code, version in codes])
    return bool(outcomes(admissions, SEPSIS)[0])


@pytest.mark.parametrize("code", [("A419", 10), ("R6520", 10), ("0389", 9), ("99591", 9), (" a419 ", 10)])
def test_a_code_with_one_of_the_prefixes_is_an_outcome(code: tuple[str, int]) -> None:
    assert _sepsis(("I10", 10), code)


@pytest.mark.parametrize("code", [("A429", 10), ("038", 10), ("A419", 9), ("R652", 10), ("V038", 9)])
def test_a_prefix_counts_only_in_its_own_icd_version_and_only_at_the_start(code: tuple[str, int]) -> None:
    assert not _sepsis(code)


def test_the_codes_of_another_admission_do_not_count() -> None:
    admissions = _admissions([{"hadm_id": 1}, {"hadm_id": 2}], [(1, "I10", 10), (2, "A419", 10)])
    assert outcomes(admissions, SEPSIS).tolist() == [False, True]


def test_an_admission_without_codes_or_without_discharge_has_no_known_icd_outcome() -> None:
    admissions = _admissions([{"hadm_id": 1}, {"hadm_id": 2, "dischtime": None}], [(2, "A419", 10)])
    assert outcomes(admissions, SEPSIS).isna().tolist() == [True, True]


def test_a_label_with_prefixes_of_one_version_ignores_the_other() -> None:
    admissions = _admissions([{"hadm_id": 1}], [(1, "99591", 9)])
    assert outcomes(admissions, Label(rule="icd", icd10=("A41",))).tolist() == [False]


def test_hospital_death_reads_the_flag_or_the_time_of_death() -> None:
    admissions = _admissions(
        [
            {"hadm_id": 1},
            {"hadm_id": 2, "hospital_expire_flag": 1},
            {"hadm_id": 3, "deathtime": DISCHARGED},
            {"hadm_id": 4, "hospital_expire_flag": None},
        ]
    )
    assert outcomes(admissions, DEATH).tolist() == [False, True, True, False]


def test_hospital_death_is_not_known_while_the_admission_goes_on() -> None:
    admissions = _admissions([{"hadm_id": 1, "dischtime": None}])
    assert outcomes(admissions, DEATH).isna().all()


def test_every_rule_that_a_condition_file_may_name_exists() -> None:
    assert set(RULES) == set(get_args(Label.model_fields["rule"].annotation))


def test_a_condition_learns_its_own_label_only(schemas) -> None:
    condition = load_condition("sepsis", schemas)
    assert label_of(condition, None) == label_of(condition, "icd") == condition.label
    with pytest.raises(TrainingError, match=r"--label: got 'hospital_death', expected 'icd'.*conditions/sepsis\.yaml"):
        label_of(condition, "hospital_death")
