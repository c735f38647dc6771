"""Stays with their hospital admission in, outcomes out. A new label rule is one function and one line in RULES."""

from collections.abc import Callable
from typing import Final, NamedTuple

import pandas as pd

from wardround.errors import TrainingError
from wardround.spec.conditions import Condition, Label


class Admissions(NamedTuple):
    """What a label rule sees.

    Attributes:
        stays: stay_id, hadm_id, dischtime and deathtime (NaT if none), hospital_expire_flag.
        diagnoses: hadm_id, icd_code (without dots), icd_version (9 or 10).
    """

    stays: pd.DataFrame
    diagnoses: pd.DataFrame


# Per stay, in the stays' order: True, False, or NA where the outcome is not known.
LabelRule = Callable[[Admissions, Label], pd.Series]


def icd(admissions: Admissions, label: Label) -> pd.Series:
    """Whether the hospital admission was coded with one of the label's prefixes, each matched in its ICD version only.

    Codes are given at discharge: without a discharge, or without any code, the outcome is not known.
    """
    stays, diagnoses = admissions
    code = diagnoses["icd_code"].astype("str").str.strip().str.upper()
    matches = (code.str.startswith(label.icd10) & diagnoses["icd_version"].isin([10])) | (
        code.str.startswith(label.icd9) & diagnoses["icd_version"].isin([9])
    )
    coded = stays["hadm_id"].isin(diagnoses["hadm_id"]) & stays["dischtime"].notna()
    return _outcome(stays["hadm_id"].isin(diagnoses.loc[matches, "hadm_id"]), known=coded)


def hospital_death(admissions: Admissions, _label: Label) -> pd.Series:
    """Whether the patient died before hospital discharge; not known while the admission goes on."""
    stays = admissions.stays
    died = stays["deathtime"].notna() | stays["hospital_expire_flag"].isin([1])
    return _outcome(died, known=died | stays["dischtime"].notna())


RULES: Final[dict[str, LabelRule]] = {"icd": icd, "hospital_death": hospital_death}


def label_of(condition: Condition, rule: str | None) -> Label:
    """The condition's label, if `rule` is its rule or None; raises TrainingError for any other rule."""
    if rule in (None, condition.label.rule):
        return condition.label
    known = ", ".join(RULES)
    raise TrainingError(
        f"--label: got {rule!r}, expected {condition.label.rule!r}, the label of {condition.id};"
        f" change `label` in conditions/{condition.id}.yaml to another rule ({known}) to learn something else"
    )


def outcomes(admissions: Admissions, label: Label) -> pd.Series:
    """The label's outcome of each stay: boolean with NA for not known, in the stays' order and with their index."""
    return RULES[label.rule](admissions, label)


def _outcome(value: pd.Series, *, known: pd.Series) -> pd.Series:
    return value.astype("boolean").mask(~known.to_numpy(dtype=bool), pd.NA)
