"""Gathers one patient's Encounters, Observations and screening results, from a prefetch and from a server.

What is about somebody else is set aside and counted. This code sees patient values; it never logs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Final

from wardround.core.reading_rule import ReadingRule
from wardround.core.readings import Readings
from wardround.features.windows import within_reach
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.page import only
from wardround.fhir.references import Resource, is_id, patient_of, patient_values
from wardround.fhir.times import no_earlier_than
from wardround.results.risk_assessment import is_scheduled
from wardround.sources.fhir import encounter_search, hospital_search, locations, observations
from wardround.sources.fhir.current_stay import CurrentStay, NoStay, current_stay
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.sources.fhir.encounters_by_id import encounters_by_id
from wardround.sources.prefetch.prefetch import ENCOUNTER, PATIENT, Prefetched
from wardround.spec.conditions import Condition
from wardround.workflows.screen.cohort import asked_for

RISK_ASSESSMENT: Final = "RiskAssessment"
_OLDER: Final = 50  # a screening's results that are looked through for the latest one of the stay, if none is recent
_MOST_OLDER: Final = 500  # the same with those of this door, one for each time that somebody opened the chart
SCREENED: Final = only("identifier", "status", "subject", "encounter", "method", "occurrenceDateTime", "prediction")
"""Keeps what a RiskAssessment says of whom and when, not the basis, which is nine tenths of it."""


class Gathered:
    """What is known of one patient at as_of."""

    def __init__(
        self,
        condition: Condition,
        source: FhirEndpoint,
        rule: ReadingRule,
        patient_id: str,
        encounter_id: str | None,
        as_of: datetime,
    ) -> None:
        """Begins with nothing. Raises FhirError if the condition's Locations are not named anywhere."""
        self.encounters = asked_for(source, condition, condition.cohort.source)
        self.assessments: list[Resource] = []
        self._condition = condition
        self._source = source
        self._rule = rule
        self._patient_id = patient_id
        self._encounter_id = encounter_id
        self.as_of = as_of
        self._records = EncounterRecords(source.bases)
        self._collected = observations.Collected(rule, source.bases)
        self._others: Counter[str] = Counter()
        self._has_patient = False

    def add_prefetch(self, prefetch: Prefetched) -> None:
        """Adds what a client sent."""
        self.add(one for part in prefetch.parts.values() for one in part.others)
        self._collected.add_new(prefetch.observations)

    def add(self, resources: Iterable[Resource]) -> None:
        """Adds Patients, Encounters, Locations and RiskAssessments; other types are passed over."""
        self._records.add(self._mine(resources))
        self.__dict__.pop("found", None)

    @cached_property
    def found(self) -> CurrentStay | NoStay:
        """The stay, as far as it is known by now."""
        return current_stay(self._records, self.encounter_rule, self._encounter_id, self.as_of, self._condition)

    @property
    def encounter_rule(self) -> EncounterRule:
        """Which Encounters are stays. A Location that is named by its id counts even if nothing is known of it."""
        known = {key for name in self.encounters.locations for key in locations.called(self._records.locations, name)}
        ids = {key for name in self.encounters.locations if is_id(key := name.removeprefix("Location/"))}
        return encounter_search.rule_of(self.encounters, known | ids)

    @property
    def unknown_locations(self) -> bool:
        """Returns whether Locations that define the stays are not known."""
        known = self._records.locations
        return any(not locations.called(known, name) for name in self.encounters.locations)

    @property
    def lacks_hospital(self) -> bool:
        """Returns whether the Encounter that tells when the hospital stay began is missing."""
        found = self.found
        return isinstance(found, CurrentStay) and bool(
            hospital_search.missing_whole(self._records, found.stay.stay_id, self.encounter_rule)
        )

    def readings(self) -> Readings:
        """Returns the readings as far back as each variable is needed, as a screening; others' have a problem."""
        found = self._collected.readings(self._source.translation, (self._patient_id,))
        return within_reach(found, self._condition.reach, self.as_of)

    def others(self) -> dict[str, int]:
        """Returns how many resources of each type are about somebody else."""
        return dict(self._others)

    def known_locations(self) -> list[Resource]:
        """Returns the Locations that are known, as resources."""
        return [{**one, "resourceType": "Location", "id": key} for key, one in self._records.locations.items()]

    def read_locations(self, client: FhirClient) -> None:
        encounter_search.add_locations(self._records, client, self.encounters.locations)
        self.__dict__.pop("found", None)

    def read_encounters(self, client: FhirClient) -> None:
        """Reads the patient's Encounters of the look-back, and the one that the call names, whenever it was."""
        start = self.as_of - self._condition.cohort.look_back
        patients = patient_values([self._patient_id], client.source.profile)
        self.add(encounter_search.encounters_of(client, [("patient", patients)], start, self.as_of))
        if self._encounter_id and self._records.encounter(self._encounter_id) is None:
            self.add(encounters_by_id(client, [self._encounter_id]))
        encounter_search.add_missing(self._records, client, self.encounter_rule, start, self.as_of)
        self.__dict__.pop("found", None)

    def read_patient(self, client: FhirClient) -> None:
        if not self._has_patient:
            self.add(client.search(PATIENT, [("_id", [self._patient_id])]))

    def read_hospital(self, client: FhirClient) -> None:
        """Reads the Encounters that the stay is a part of, if there is a stay and they are missing."""
        if isinstance(found := self.found, CurrentStay):
            hospital_search.add_wholes(client, self._records, found.stay.stay_id, self.encounter_rule)
            self.__dict__.pop("found", None)

    def read_observations(self, client: FhirClient) -> None:
        starts = {name: self.as_of - window for name, window in self._condition.reach.items()}
        searches = observations.searches_for(self._rule, client.source.profile, starts)
        observations.search(client, [self._patient_id], searches, self.as_of, self._collected)

    def read_assessments(self, client: FhirClient, within: timedelta) -> None:
        """Reads the patient's RiskAssessments of this time before as_of, or else the latest that there are."""
        patients = ("patient", patient_values([self._patient_id], client.source.profile))
        since = ("date", no_earlier_than(self.as_of - within))
        before = len(self.assessments)
        self.add(client.search(RISK_ASSESSMENT, [patients, since], SCREENED))
        if len(self.assessments) == before:
            latest = client.search(RISK_ASSESSMENT, [patients, ("_sort", "-date"), ("_count", str(_OLDER))], SCREENED)
            self.add(islice(filter(is_scheduled, islice(latest, _MOST_OLDER)), _OLDER))

    def _mine(self, resources: Iterable[Resource]) -> Iterator[Resource]:
        """Yields the Encounters of the patient, the Patient and Locations; keeps RiskAssessments.

        An Encounter of somebody else is still known as the whole of another, such as a mother's of her newborn's.
        """
        for one in resources:
            kind = one.get("resourceType")
            if kind == PATIENT:
                if one.get("id") != self._patient_id:
                    self._others[PATIENT] += 1
                    continue
                self._has_patient = True
            elif kind in (ENCOUNTER, RISK_ASSESSMENT):
                if self._whose(one) not in ("", self._patient_id):
                    self._others[str(kind)] += 1
                    self._records.add_wholes([one])
                    continue
                if kind == RISK_ASSESSMENT and is_scheduled(one):
                    self.assessments.append(self._source.bases.localised(one))
            yield one

    def _whose(self, resource: Resource) -> str:
        return patient_of(self._source.bases.localised({"subject": resource.get("subject")}))
