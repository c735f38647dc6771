"""Determines the outcome of each stay. A new label rule: a function, its line in RULES, its name in `Label.rule`."""

from collections.abc import Callable
from typing import Final, NamedTuple, cast, get_args

import pandas as pd

from wardround.core.events import UTC
from wardround.errors import TrainingError
from wardround.spec.conditions import Condition, Label, OnsetDefinition, Suspicion

SOFA_RISE: Final = "sofa_rise"
# The times of which the earliest is the onset, by its definition.
_ONSETS: Final[dict[OnsetDefinition, list[str]]] = {
    "sofa_time": ["sofa_time"],
    "sofa_rise": ["sofa_rise_time"],
    "suspected_infection_time": ["suspected_infection_time"],
    "earlier": ["sofa_time", "suspected_infection_time"],
}
# Rules that know when the outcome began, and from which time; the others only know whether it occurred.
TIMED_RULES: Final = ("hospital_death", "sepsis3")


class LabelSources(NamedTuple):
    """What a label rule may use.

    Attributes:
        stays: stay_id, hadm_id, dischtime and deathtime (NaT if none), hospital_expire_flag.
        diagnoses: hadm_id, icd_code (without dots), icd_version (9 or 10).
        sepsis3: stay_id, suspicion, sepsis3, suspected_infection_time, sofa_time, sofa_rise_time; None unless the rule
            is sepsis3.
    """

    stays: pd.DataFrame
    diagnoses: pd.DataFrame
    sepsis3: pd.DataFrame | None = None


# Per stay, in the order of the stays: `outcome` (True, False, or NA if unknown) and `onset` (NaT if unknown).
LabelRule = Callable[[LabelSources, Label], pd.DataFrame]


def icd(sources: LabelSources, label: Label) -> pd.DataFrame:
    """Returns whether the hospital admission has a code with one of the label's prefixes, of the same ICD version.

    Codes are assigned at discharge: without a discharge, or without any code, the outcome is unknown. The onset is
    always unknown.
    """
    stays, diagnoses = sources.stays, sources.diagnoses
    code = diagnoses["icd_code"].astype("str").str.strip().str.upper()
    matches = (code.str.startswith(label.icd10) & diagnoses["icd_version"].isin([10])) | (
        code.str.startswith(label.icd9) & diagnoses["icd_version"].isin([9])
    )
    coded = stays["hadm_id"].isin(diagnoses["hadm_id"]) & stays["dischtime"].notna()
    return _outcomes(stays["hadm_id"].isin(diagnoses.loc[matches, "hadm_id"]), known=coded)


def hospital_death(sources: LabelSources, _label: Label) -> pd.DataFrame:
    """Returns whether and when the patient died before hospital discharge; unknown while the admission continues."""
    stays = sources.stays
    died = stays["deathtime"].notna() | stays["hospital_expire_flag"].isin([1])
    return _outcomes(died, known=died | stays["dischtime"].notna(), onset=stays["deathtime"])


def sepsis3(sources: LabelSources, label: Label) -> pd.DataFrame:
    """Returns whether the stay meets Sepsis-3, and its onset by the label's definition; unknown without a row.

    By the onset sofa_rise, a septic stay whose SOFA does not rise has an outcome and no onset.
    """
    if sources.sepsis3 is None:
        raise ValueError("sources: sepsis3 is missing, expected the frame of MimicFolder.sepsis3")
    mine = sepsis3_rows(sources.sepsis3, label).set_index("stay_id")
    found = mine.reindex(sources.stays["stay_id"]).set_axis(sources.stays.index)
    septic = found["sepsis3"].astype("boolean")
    onset = sepsis3_onset(found, label).where(septic.fillna(False).to_numpy(dtype=bool))
    return _outcomes(septic, known=septic.notna(), onset=onset)


def sepsis3_rows(found: pd.DataFrame, label: Label) -> pd.DataFrame:
    """Returns the rows of the label's suspicion, one per stay."""
    return found[found["suspicion"] == label.suspicion].drop(columns="suspicion")


def sepsis3_onset(found: pd.DataFrame, label: Label) -> pd.Series:
    """Returns the onset of sepsis by the label's definition, from the times of SEPSIS3_COLUMNS."""
    return found[_ONSETS[cast(OnsetDefinition, label.onset)]].min(axis=1)


def label_named(label: Label | None) -> str:
    """Returns the label's rule with its definition of onset: `sepsis3 (sofa_rise, without_screening_cultures)`."""
    if label is None:
        return "label not stated"
    return f"{label.rule} ({label.onset}, {label.suspicion})" if label.onset else str(label.rule)


def definitions_of(label: Label) -> tuple[Label, ...]:
    """Returns the label by every onset and suspicion, its own first; the label alone if its rule has no choice."""
    if label.rule != "sepsis3":
        return (label,)
    every = [
        label.model_copy(update={"onset": onset, "suspicion": suspicion})
        for suspicion in get_args(Suspicion)
        for onset in get_args(OnsetDefinition)
    ]
    return (label, *(one for one in every if one != label))


RULES: Final[dict[str, LabelRule]] = {"icd": icd, "hospital_death": hospital_death, "sepsis3": sepsis3}


def onset_definition(label: Label) -> str | None:
    """Returns which time the label uses as onset, as a short name; None for a label without an onset."""
    return label.onset or ("deathtime" if label.rule == "hospital_death" else None)


def label_of(
    condition: Condition,
    rule: str | None,
    onset: OnsetDefinition | None = None,
    suspicion: Suspicion | None = None,
) -> Label:
    """Returns the condition's label with that rule, or its default label for None, with the onset and suspicion given.

    Raises TrainingError for a rule that the condition does not have, and for a choice that the rule does not offer.
    """
    label = _with_rule(condition, rule)
    chosen = {name: value for name, value in (("onset", onset), ("suspicion", suspicion)) if value is not None}
    if chosen and label.rule != "sepsis3":
        option = f"--{next(iter(chosen))}"
        raise TrainingError(
            f"{option}: the label {label.rule} offers no such choice, expected the label sepsis3; name it with --label,"
            f" or leave {option} out"
        )
    return label.model_copy(update=chosen)


def _with_rule(condition: Condition, rule: str | None) -> Label:
    if rule is None:
        return condition.label
    if rule in condition.labels:
        return condition.labels[rule]
    raise TrainingError(
        f"--label: got {rule!r}, expected one of the labels of {condition.id}: {', '.join(condition.labels)};"
        f" add another (rules: {', '.join(RULES)}) to `other_labels` in conditions/{condition.id}.yaml"
    )


def outcomes(sources: LabelSources, label: Label) -> pd.DataFrame:
    """Returns the label's `outcome` (boolean, NA if unknown) and `onset` (UTC, NaT if unknown) of each stay, in the
    order of the stays and with their index."""
    return RULES[label.rule](sources, label)


def _outcomes(value: pd.Series, *, known: pd.Series, onset: pd.Series | None = None) -> pd.DataFrame:
    outcome = value.astype("boolean").mask(~known.to_numpy(dtype=bool), pd.NA)
    times = pd.Series(pd.NaT, index=value.index) if onset is None else onset
    return pd.DataFrame({"outcome": outcome, "onset": pd.to_datetime(times, utc=True).astype(UTC)})
