"""Stays with their hospital admission in, outcomes out. A new label rule is one function and one line in RULES."""

from collections.abc import Callable
from typing import Final, NamedTuple

import pandas as pd

from wardround.core.events import UTC
from wardround.errors import TrainingError
from wardround.spec.conditions import Condition, Label

# Rules that say when the outcome began, and by which clock; the others know only that it did.
TIMED_RULES: Final = ("hospital_death", "sepsis3")


class LabelSources(NamedTuple):
    """What a label rule sees.

    Attributes:
        stays: stay_id, hadm_id, dischtime and deathtime (NaT if none), hospital_expire_flag.
        diagnoses: hadm_id, icd_code (without dots), icd_version (9 or 10).
        sepsis3: stay_id, sepsis3, suspected_infection_time, sofa_time; None unless the rule is sepsis3.
    """

    stays: pd.DataFrame
    diagnoses: pd.DataFrame
    sepsis3: pd.DataFrame | None = None


# Per stay, in the stays' order: `outcome` (True, False, or NA where it is not known) and `onset` (NaT if not known).
LabelRule = Callable[[LabelSources, Label], pd.DataFrame]


def icd(sources: LabelSources, label: Label) -> pd.DataFrame:
    """Whether the hospital admission was coded with one of the label's prefixes, each matched in its ICD version only.

    Codes are given at discharge: without a discharge, or without any code, the outcome is not known; when it began
    never is.
    """
    stays, diagnoses = sources.stays, sources.diagnoses
    code = diagnoses["icd_code"].astype("str").str.strip().str.upper()
    matches = (code.str.startswith(label.icd10) & diagnoses["icd_version"].isin([10])) | (
        code.str.startswith(label.icd9) & diagnoses["icd_version"].isin([9])
    )
    coded = stays["hadm_id"].isin(diagnoses["hadm_id"]) & stays["dischtime"].notna()
    return _outcomes(stays["hadm_id"].isin(diagnoses.loc[matches, "hadm_id"]), known=coded)


def hospital_death(sources: LabelSources, _label: Label) -> pd.DataFrame:
    """Whether and when the patient died before hospital discharge; not known while the admission goes on."""
    stays = sources.stays
    died = stays["deathtime"].notna() | stays["hospital_expire_flag"].isin([1])
    return _outcomes(died, known=died | stays["dischtime"].notna(), onset=stays["deathtime"])


def sepsis3(sources: LabelSources, label: Label) -> pd.DataFrame:
    """Whether the stay meets Sepsis-3, and its onset by the label's definition; a stay without a row is not known."""
    if sources.sepsis3 is None:
        raise ValueError("sources: sepsis3 is missing, expected the frame of MimicFolder.sepsis3")
    found = sources.sepsis3.set_index("stay_id").reindex(sources.stays["stay_id"]).set_axis(sources.stays.index)
    septic = found["sepsis3"].astype("boolean")
    onset = sepsis3_onset(found, label).where(septic.fillna(False).to_numpy(dtype=bool))
    return _outcomes(septic, known=septic.notna(), onset=onset)


def sepsis3_onset(found: pd.DataFrame, label: Label) -> pd.Series:
    """When sepsis began by the label's definition; of sofa_time and suspected_infection_time."""
    times = found[["sofa_time", "suspected_infection_time"]]
    return times.min(axis=1) if label.onset == "earlier" else times[label.onset]


RULES: Final[dict[str, LabelRule]] = {"icd": icd, "hospital_death": hospital_death, "sepsis3": sepsis3}


def onset_definition(label: Label) -> str | None:
    """In a word, which time the label's onset is; None for a label without one."""
    return label.onset or ("deathtime" if label.rule == "hospital_death" else None)


def label_of(condition: Condition, rule: str | None) -> Label:
    """The condition's label of that rule, its default label for None; raises TrainingError for any other rule."""
    if rule is None:
        return condition.label
    if rule in condition.labels:
        return condition.labels[rule]
    raise TrainingError(
        f"--label: got {rule!r}, expected one of the labels of {condition.id}: {', '.join(condition.labels)};"
        f" add another (rules: {', '.join(RULES)}) to `other_labels` in conditions/{condition.id}.yaml"
    )


def outcomes(sources: LabelSources, label: Label) -> pd.DataFrame:
    """The label's `outcome` (boolean, NA for not known) and `onset` (UTC, NaT) of each stay, in the stays' order and
    with their index."""
    return RULES[label.rule](sources, label)


def _outcomes(value: pd.Series, *, known: pd.Series, onset: pd.Series | None = None) -> pd.DataFrame:
    outcome = value.astype("boolean").mask(~known.to_numpy(dtype=bool), pd.NA)
    times = pd.Series(pd.NaT, index=value.index) if onset is None else onset
    return pd.DataFrame({"outcome": outcome, "onset": pd.to_datetime(times, utc=True).astype(UTC)})
