"""Reads the stays and readings of several visits from a FHIR server together, as a screening reads them.

Which Encounters are stays, which of a patient's stays is meant, which Observations are read and what they mean is
decided by the code of the screening and of the bedside. This code sees patient values; it never logs.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from wardround.core.exclusion import Decisive, Stay, reasons_against
from wardround.core.microseconds import micros
from wardround.core.reading_rule import ReadingRule
from wardround.core.readings import Readings
from wardround.errors import FhirError
from wardround.features.windows import within_reach
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource, patient_of, patient_values
from wardround.sources.fhir import encounter_search, hospital_search, locations, observations
from wardround.sources.fhir.current_stay import NO_ICU_STAY, CurrentStay, NoStay, current_stay
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.sources.fhir.encounters_by_id import encounters_by_id
from wardround.sources.fhir.linking import Linked
from wardround.spec.conditions import Condition
from wardround.workflows.screen.cohort import asked_for

DISCHARGED: Final = "discharged"
NOT_YET_ADMITTED: Final = "not_yet_admitted"


class Wanted(NamedTuple):
    """A visit that was linked, and the prediction time."""

    linked: Linked
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
    """Records that also keep what was added, so that each patient can be looked at alone."""

    def __init__(self, client: FhirClient) -> None:
        super().__init__(client.source.bases)
        self._client = client
        self.resources: list[Resource] = []

    def add(self, resources: Iterable[Resource]) -> None:
        some = list(resources)
        self.resources += some
        super().add(some)

    def of(self, patient_id: str) -> EncounterRecords:
        """Returns the records of one patient: own Encounters and Locations; others' are known as wholes alone."""
        bases, own = self._client.source.bases, EncounterRecords(self._client.source.bases)
        for one in self.resources:
            theirs = one.get("resourceType") == "Encounter" and patient_of(bases.localised(_subject(one))) != patient_id
            (own.add_wholes if theirs else own.add)([one])
        return own


def _subject(resource: Resource) -> Resource:
    return {"subject": resource.get("subject")}


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
    return [_stay(client, kept.of(one.linked.patient_id), rule, one, condition) for one in wanted]


def _stay(
    client: FhirClient, records: EncounterRecords, rule: EncounterRule, one: Wanted, condition: Condition
) -> Stay | NoStay:
    encounter_id = one.linked.encounter_id
    found = current_stay(records, rule, encounter_id or None, one.as_of, condition)
    if isinstance(found, CurrentStay) and hospital_search.missing_whole(records, found.stay.stay_id, rule):
        hospital_search.add_wholes(client, records, found.stay.stay_id, rule)
        found = current_stay(records, rule, encounter_id or None, one.as_of, condition)
    if isinstance(found, CurrentStay):
        return found.stay
    return _why_none(records, rule, one, condition, found)


def _why_none(
    records: EncounterRecords, rule: EncounterRule, one: Wanted, condition: Condition, found: NoStay
) -> NoStay:
    """Returns why there is no stay: `discharged` and `not_yet_admitted` are said of this visit's own stay alone."""
    visit = one.linked.encounter_id
    ended, _ = records.rows(rule, as_of=one.as_of)
    against = zip(ended, reasons_against(Decisive.of(ended), one.as_of, condition).tolist(), strict=True)
    if visit and any(why == DISCHARGED and visit in (stay.stay_id, stay.part_of) for stay, why in against):
        return NoStay(DISCHARGED)
    ahead, _ = records.rows(rule)
    if any(stay.intime > micros(one.as_of) and visit in ("", stay.stay_id, stay.part_of) for stay in ahead):
        return NoStay(NOT_YET_ADMITTED)
    return NoStay(NO_ICU_STAY) if found.reason in (DISCHARGED, NOT_YET_ADMITTED) else found


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
