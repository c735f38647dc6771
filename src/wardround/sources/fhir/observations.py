"""Collects readings from Observations as they arrive, and searches a server for those of patients and variables."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

import numpy as np

from wardround.core.reading_rule import ReadingRule, reading_rule
from wardround.core.readings import SOURCE_REF, Readings, Row
from wardround.fhir.client import FhirClient
from wardround.fhir.page import Misshapen
from wardround.fhir.references import FOREIGN_REFERENCE, Bases, is_id, patient_values
from wardround.fhir.times import no_earlier_than, no_later_than
from wardround.fhir.versions import Seen, version_of
from wardround.sources.fhir.observation import in_our_units, readings_of
from wardround.sources.fhir.observation_shape import OBSERVATION, Observation
from wardround.spec.servers import ServerProfile
from wardround.spec.source_maps import Translation
from wardround.spec.variables import Variable

Criterion = tuple[str, list[str]]

OTHER_PATIENT: Final = "other_patient"  # the source gave a patient who was not asked for


class Collected:
    """The readings of some patients, page by page; of an Observation that came in several versions, the latest counts.

    One about somebody else has problem other_patient or foreign_reference.
    """

    def __init__(self, rule: ReadingRule, bases: Bases) -> None:
        self._rule = rule
        self._bases = bases
        self._rows: list[Row] = []
        self._newest: dict[str, int] = {}  # source_ref -> readings before this place are of an earlier version
        self._undated: dict[str, Observation | Misshapen] = {}
        self.seen = Seen()
        """The Observations so far. A search that is given it yields no other than new ones."""

    def add(self, observations: Iterable[Observation | Misshapen]) -> None:
        """Adds Observations of which each is one that `seen` says to be new, or to be a newer version."""
        again = self.seen.again
        if not again:
            self._rows += readings_of(observations, self._rule, self._bases)
            return
        for one in observations:
            if (ref := _ref_of(one)) in again:
                self._newest[ref] = len(self._rows)
            self._rows += readings_of([one], self._rule, self._bases)

    def add_new(self, observations: Iterable[Observation | Misshapen]) -> None:
        """Adds those of the Observations that have not been seen, or not in this version."""
        given = list(observations)
        self.add(given if self._are_all_new(given) else [one for one in given if self._is_new(one)])

    def readings(self, translation: Translation, patient_ids: Collection[str]) -> Readings:
        """Returns the readings so far; all that are not of these patients have a problem."""
        rows, newest = self._rows, self._newest
        if newest:
            rows = [one for place, one in enumerate(rows) if place >= newest.get(one[SOURCE_REF], 0)]
        readings = in_our_units(Readings.of(rows), translation)
        strangers = set(readings.patient_id.names).difference(patient_ids)
        return _set_apart(readings, strangers) if strangers else readings

    def _are_all_new(self, given: Sequence[Observation | Misshapen]) -> bool:
        """Returns whether none of them has been seen, which is then noted of all at once; else notes nothing."""
        seen, undated = dict[str, str | int](), dict[str, Observation | Misshapen]()
        for one in given:
            kind, key, _, updated = OBSERVATION.about(one)
            seen[name := f"{kind}/{key}"] = updated if type(updated) is str else 0
            if type(updated) is not str:
                undated[name] = one
        if len(seen) < len(given) or not self.seen.versions.keys().isdisjoint(seen):
            return False
        self.seen.versions |= seen
        self._undated |= undated
        return True

    def _is_new(self, one: Observation | Misshapen) -> bool:
        kind, key, _, updated = OBSERVATION.about(one)
        name, versions = f"{kind}/{key}", self.seen.versions
        if name not in versions:
            # What tells an undated version from others is worked out only if another one comes.
            if type(updated) is not str:
                versions[name], self._undated[name] = 0, one
            else:
                versions[name] = updated
            return True
        if not is_id(key):
            return True  # two resources without a usable id cannot be told apart; both count
        if (first := self._undated.pop(name, None)) is not None:
            versions[name] = version_of(None, first)
        return self.seen.takes(name, updated, one)


def fetch(
    client: FhirClient,
    patient_ids: Sequence[str],
    variables: Mapping[str, Variable],
    starts: Mapping[str, datetime],
    end: datetime,
) -> Readings:
    """Returns all readings of the patients that a server dates between their variable's start and end, both inclusive.

    Sends one search for `patients_per_search` patients and each different start, or a few if the profile allows fewer
    codes; `threads` searches at a time. Where a server is searched by category, all is read since the first start. The
    server may read a time as a whole minute or day, so some readings outside come along. If an Observation changes
    meanwhile, its last version counts; one about somebody else has problem other_patient or foreign_reference.
    """
    rule = reading_rule(variables, client.source.translation)
    searches = searches_for(rule, client.source.profile, starts)
    size = client.source.patients_per_search
    groups = [patient_ids[place : place + size] for place in range(0, len(patient_ids), size)]
    with ThreadPoolExecutor(client.source.threads) as pool:
        parts = list(pool.map(lambda group: _fetch_group(client, group, rule, searches, end), groups))
    return Readings.together(parts)


def searches_for(
    rule: ReadingRule, profile: ServerProfile, starts: Mapping[str, datetime]
) -> list[tuple[datetime, Criterion]]:
    """Returns since when to search by which criterion, earliest first, and by none twice."""
    found: dict[str, tuple[datetime, Criterion]] = {}
    for start, part in rule.starting(starts):
        for criterion in part.criteria(profile):
            found.setdefault(str(criterion), (start, criterion))
    return list(found.values())


def _fetch_group(
    client: FhirClient,
    patient_ids: Sequence[str],
    rule: ReadingRule,
    searches: Sequence[tuple[datetime, Criterion]],
    end: datetime,
) -> Readings:
    found = Collected(rule, client.source.bases)
    search(client, patient_ids, searches, end, found)
    return found.readings(client.source.translation, patient_ids)


def search(
    client: FhirClient,
    patient_ids: Sequence[str],
    searches: Sequence[tuple[datetime, Criterion]],
    end: datetime,
    found: Collected,
) -> None:
    """Adds what a server finds for these patients by the searches (see `searches_for`)."""
    patients = ("patient", patient_values(patient_ids, client.source.profile))
    for start, criterion in searches:
        dates = [("date", no_earlier_than(start)), ("date", no_later_than(end))]
        for page in client.pages("Observation", [patients, criterion, *dates], OBSERVATION, found.seen):
            found.add(page)
            page.clear()  # its name would keep it while the next one comes


def _set_apart(readings: Readings, strangers: Collection[str]) -> Readings:
    """Returns the readings, with the problem set for those about somebody else."""
    return readings.with_kinds(
        lambda kind: kind if kind.problem == FOREIGN_REFERENCE else kind._replace(problem=OTHER_PATIENT),
        readings.patient_id.each(strangers.__contains__, np.bool_),
    )


def _ref_of(observation: Observation | Misshapen) -> str:
    kind, key, *_ = OBSERVATION.about(observation)
    return f"{kind}/{key}"
