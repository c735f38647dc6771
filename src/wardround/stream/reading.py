"""Reads the stays and readings of several visits from a FHIR server together, as a screening reads them.

Which Encounters are stays, which of a patient's stays is meant, which Observations are read and what they mean is
decided by the code of the screening and of the bedside. This code sees patient values; it never logs.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from wardround.core.exclusion import Decisive, Stay, reasons_against
from wardround.core.identifier import Identifier
from wardround.core.microseconds import micros
from wardround.core.reading_rule import ReadingRule
from wardround.core.readings import Readings
from wardround.errors import FhirError
from wardround.features.windows import within_reach
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource, patient_values
from wardround.fhir.versions import newest_of
from wardround.sources.fhir import encounter_search, hospital_search, locations, observations
from wardround.sources.fhir.current_stay import NO_ICU_STAY, CurrentStay, NoStay, current_stay
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.sources.fhir.encounters_by_id import encounters_by_id
from wardround.sources.fhir.linking import Linked
from wardround.spec.conditions import Condition
from wardround.stream.own_encounters import OwnEncounters
from wardround.workflows.screen.cohort import asked_for

DISCHARGED: Final = "discharged"
NOT_YET_ADMITTED: Final = "not_yet_admitted"
_FINISHED: Final = "finished"
# What tells which Encounters belong to a visit, and which version of them counts.
_READ: Final[tuple[str, ...]] = ("resourceType", "id", "meta", "identifier", "status", "subject", "period", "partOf")


class Wanted(NamedTuple):
    """A visit that was linked, its number, when it came to the unit as its message says, and the prediction time."""

    linked: Linked
    number: Identifier
    since: datetime
    as_of: datetime


class Read(NamedTuple):
    """The stay, and the readings of its windows, which `admit` judges."""

    stay: Stay
    readings: Readings


class Places(NamedTuple):
    """Which Encounters are stays there, and the Locations that this rests on."""

    rule: EncounterRule
    locations: Sequence[Resource]


def places_of(client: FhirClient, condition: Condition) -> Places:
    """Returns the condition's rule at this server. Raises FhirError, also for a Location that it does not know."""
    encounters = asked_for(client.source, condition, condition.cohort.source)
    kept = _Kept(client)
    encounter_search.add_locations(kept, client, encounters.locations)
    meant = locations.meant(kept.locations, encounters.locations, client.source.base_url, FhirError)
    return Places(encounter_search.rule_of(encounters, meant), kept.resources)


def read_stays(
    client: FhirClient, condition: Condition, places: Places, rule: ReadingRule, wanted: Sequence[Wanted]
) -> list[Read | NoStay]:
    """Returns, in order, each visit's stay with its readings, or why there is none to score at its as_of.

    Args:
        client: of the server.
        condition: the spec.
        places: which Encounters are stays there.
        rule: which Observations are read there, and for which variables.
        wanted: any number of visits; a patient may be among them more than once.

    Raises FhirError.
    """
    if not wanted:
        return []
    stays = _stays(client, condition, places, wanted)
    going_on = [one for one, found in zip(wanted, stays, strict=True) if isinstance(found, Stay)]
    readings = _readings(client, condition, rule, going_on)
    return [
        Read(found, _of(readings, one, condition)) if isinstance(found, Stay) else found
        for one, found in zip(wanted, stays, strict=True)
    ]


class _Kept(EncounterRecords):
    """Records that also keep what was added, so that each visit can be looked at alone."""

    def __init__(self, client: FhirClient) -> None:
        super().__init__(client.source.bases)
        self._client = client
        self.resources: list[Resource] = []

    def add(self, resources: Iterable[Resource]) -> None:
        some = list(resources)
        self.resources += some
        super().add(some)

    def of(self, visit: OwnEncounters) -> EncounterRecords:
        """Returns the records of one visit: own Encounters and Locations; all others are known as wholes alone."""
        own = EncounterRecords(self._client.source.bases)
        for one in self.resources:
            is_other = one.get("resourceType") == "Encounter" and not visit.has(str(one.get("id")))
            (own.add_wholes if is_other else own.add)([one])
        return own


def _stays(client: FhirClient, condition: Condition, places: Places, wanted: Sequence[Wanted]) -> list[Stay | NoStay]:
    kept, rule = _Kept(client), places.rule
    kept.add(places.locations)
    start, end = min(one.as_of for one in wanted) - condition.cohort.look_back, max(one.as_of for one in wanted)
    ids = list(dict.fromkeys(one.linked.patient_id for one in wanted))
    size = client.source.patients_per_search
    for place in range(0, len(ids), size):
        patients = patient_values(ids[place : place + size], client.source.profile)
        kept.add(encounter_search.encounters_of(client, [("patient", patients)], start, end))
    named = dict.fromkeys(one.linked.encounter_id for one in wanted if one.linked.encounter_id)
    kept.add(encounters_by_id(client, [key for key in named if kept.encounter(key) is None]))
    encounter_search.add_missing(kept, client, rule, start, end)
    read = ({name: one[name] for name in _READ if name in one} for one in kept.resources)
    encounters = newest_of("Encounter", read, client.source.bases)
    return [
        _stay(client, kept, OwnEncounters.of(one.linked, one.number, encounters), rule, one, condition)
        for one in wanted
    ]


def _stay(
    client: FhirClient, kept: _Kept, visit: OwnEncounters, rule: EncounterRule, one: Wanted, condition: Condition
) -> Stay | NoStay:
    records, named = kept.of(visit), visit.visit or None
    found = current_stay(records, rule, named, one.as_of, condition)
    if isinstance(found, CurrentStay) and hospital_search.missing_whole(records, found.stay.stay_id, rule):
        hospital_search.add_wholes(client, records, found.stay.stay_id, rule)
        found = current_stay(records, rule, named, one.as_of, condition)
    if isinstance(found, CurrentStay):
        return found.stay
    return _why_none(records, rule, visit.visit, one, condition, found)


def _why_none(
    records: EncounterRecords, rule: EncounterRule, visit: str, one: Wanted, condition: Condition, found: NoStay
) -> NoStay:
    """Returns why there is no stay. `records` are of this visit alone."""
    if visit and _is_over(records, rule, visit, one, condition):
        return NoStay(DISCHARGED)
    ahead, _ = records.rows(rule)
    if any(stay.intime > micros(one.as_of) for stay in ahead):
        return NoStay(NOT_YET_ADMITTED)
    return NoStay(NO_ICU_STAY) if found.reason in (DISCHARGED, NOT_YET_ADMITTED) else found


def _is_over(records: EncounterRecords, rule: EncounterRule, visit: str, one: Wanted, condition: Condition) -> bool:
    """Returns whether the stay that was announced is over: not an earlier one of somebody who came back."""
    stays, _ = records.rows(rule, as_of=one.as_of)
    against = zip(stays, reasons_against(Decisive.of(stays), one.as_of, condition).tolist(), strict=True)
    ends = [stay.outtime for stay, why in against if why == DISCHARGED]
    is_finished = (records.encounter(visit) or {}).get("status") == _FINISHED
    return any(is_finished or end >= micros(one.since) for end in ends)


def _readings(client: FhirClient, condition: Condition, rule: ReadingRule, wanted: Sequence[Wanted]) -> Readings:
    """Returns the readings of these patients in all windows of theirs; a server may add some of others."""
    if not wanted:
        return Readings.of(())
    first, last = min(one.as_of for one in wanted), max(one.as_of for one in wanted)
    starts = {name: first - window for name, window in condition.reach.items()}
    searches = observations.searches_for(rule, client.source.profile, starts)
    ids, size = list(dict.fromkeys(one.linked.patient_id for one in wanted)), client.source.patients_per_search
    parts = []
    for place in range(0, len(ids), size):
        some = ids[place : place + size]
        collected = observations.Collected(rule, client.source.bases)
        observations.search(client, some, searches, last, collected)
        parts.append(collected.readings(client.source.translation, some))
    return Readings.together(parts)


def _of(readings: Readings, one: Wanted, condition: Condition) -> Readings:
    """Returns the patient's own readings of the windows that end at the prediction time."""
    mine = readings.patient_id.each(one.linked.patient_id.__eq__, np.bool_)
    return within_reach(readings.take(np.flatnonzero(mine)), condition.reach, one.as_of)
