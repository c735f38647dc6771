"""Finds the stay that a call is about: that of its Encounter, or else the patient's current one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from wardround.core.exclusion import Decisive, Excluded, Stay, reasons_against
from wardround.fhir.references import id_in
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.spec.conditions import Condition

NO_ICU_STAY: Final = "no_icu_stay"
_OVER_OR_AHEAD: Final = ("discharged", "not_yet_admitted")
_PARENT: Final = "parent_encounter"
_DEEPEST: Final = 10


class How(StrEnum):
    """How the stay was found."""

    NAMED = "named"  # the call names its Encounter
    PART_OF_NAMED = "part_of_named"  # the call names the hospital stay that it is a part of
    INSTEAD_OF_NAMED = "instead_of_named"  # the call names an Encounter that is not known, or not of the ICU
    CURRENT = "current"  # the call names none


@dataclass(frozen=True)
class CurrentStay:
    """The stay, and how it was found."""

    stay: Stay
    how: How


@dataclass(frozen=True)
class NoStay:
    """Why there is no stay to score: no_icu_stay, or the reason against the patient's stay that comes closest.

    These are the reasons for which a screening excludes a stay.
    """

    reason: str


def current_stay(
    records: EncounterRecords, rule: EncounterRule, encounter_id: str | None, as_of: datetime, condition: Condition
) -> CurrentStay | NoStay:
    """Returns the stay to score at as_of. `records` hold one patient's Encounters.

    A stay that was named is never replaced by another, even if it is over. Of several stays that go on, the one that
    began last counts.
    """
    stays, set_aside = records.rows(rule, as_of=as_of)
    reasons = dict(zip(stays, reasons_against(Decisive.of(stays), as_of, condition).tolist(), strict=True))
    going_on = sorted((one for one in stays if not reasons[one]), key=lambda one: (one.intime, one.stay_id))
    if encounter_id and (found := _named(encounter_id, going_on, reasons, set_aside, records)):
        return found
    if going_on:
        return CurrentStay(going_on[-1], How.INSTEAD_OF_NAMED if encounter_id else How.CURRENT)
    return NoStay(_closest(reasons, set_aside))


def _named(
    encounter_id: str,
    going_on: Sequence[Stay],
    reasons: Mapping[Stay, str],
    set_aside: Sequence[Excluded],
    records: EncounterRecords,
) -> CurrentStay | NoStay | None:
    """Returns what an Encounter that the call names leads to; None if it is no stay, or not known."""
    for stay in going_on:
        if stay.stay_id == encounter_id:
            return CurrentStay(stay, How.NAMED)
    for stay in reversed(going_on):
        if _is_part_of(stay.part_of, encounter_id, records):
            return CurrentStay(stay, How.PART_OF_NAMED)
    against = {stay.stay_id: reason for stay, reason in reasons.items() if reason != _PARENT}
    against |= {one.stay_id: one.reason for one in set_aside}
    return NoStay(against[encounter_id]) if encounter_id in against else None


def _is_part_of(whole: str, encounter_id: str, records: EncounterRecords) -> bool:
    for _ in range(_DEEPEST):
        if not whole or whole == encounter_id:
            break
        whole = id_in((records.encounter(whole) or {}).get("partOf"), "Encounter")
    return bool(whole) and whole == encounter_id


def _closest(reasons: Mapping[Stay, str], set_aside: Sequence[Excluded]) -> str:
    """Returns the reason that says most: one against a stay that may go on comes before one that is over."""
    latest_first = sorted(reasons, key=lambda one: (one.intime, one.stay_id), reverse=True)
    ranked = [reasons[one] for one in latest_first]
    ranked += [one.reason for one in set_aside]
    of_now = [reason for reason in ranked if reason not in _OVER_OR_AHEAD]
    return next(iter([*of_now, *ranked]), NO_ICU_STAY)
