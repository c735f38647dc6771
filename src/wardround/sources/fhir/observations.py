"""Searches a server for the Observations of patients and variables, and returns them as readings."""

from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

import numpy as np

from wardround.core.reading_rule import ReadingRule, reading_rule
from wardround.core.readings import SOURCE_REF, Readings, Row
from wardround.fhir.client import FhirClient
from wardround.fhir.page import Misshapen
from wardround.fhir.references import FOREIGN_REFERENCE, patient_values
from wardround.fhir.times import no_earlier_than, no_later_than
from wardround.fhir.versions import Seen
from wardround.sources.fhir.observation import in_our_units, readings_of
from wardround.sources.fhir.observation_shape import OBSERVATION, Observation
from wardround.spec.servers import ServerProfile
from wardround.spec.variables import Variable

Criterion = tuple[str, list[str]]

OTHER_PATIENT: Final = "other_patient"  # the server answered with a patient who was not asked for


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
    searches = _searches(rule, client.source.profile, starts)
    size = client.source.patients_per_search
    groups = [patient_ids[place : place + size] for place in range(0, len(patient_ids), size)]
    with ThreadPoolExecutor(client.source.threads) as pool:
        parts = list(pool.map(lambda group: _fetch_group(client, group, rule, searches, end), groups))
    return Readings.together(parts)


def _searches(
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
    patients = ("patient", patient_values(patient_ids, client.source.profile))
    rows: list[Row] = []
    seen, newest = Seen(), dict[str, int]()  # source_ref -> readings before this place are of an earlier version
    for start, criterion in searches:
        dates = [("date", no_earlier_than(start)), ("date", no_later_than(end))]
        for page in client.pages("Observation", [patients, criterion, *dates], OBSERVATION, seen):
            if seen.again:
                for observation in page:
                    if (ref := _ref_of(observation)) in seen.again:
                        newest[ref] = len(rows)
                    rows += readings_of([observation], rule, client.source.bases)
            else:
                rows += readings_of(page, rule, client.source.bases)
            page.clear()  # its name would keep it while the next one comes
    if newest:
        rows = [one for place, one in enumerate(rows) if place >= newest.get(one[SOURCE_REF], 0)]
    readings = in_our_units(Readings.of(rows), client.source.translation)
    strangers = set(readings.patient_id.names).difference(patient_ids)
    return _set_apart(readings, strangers) if strangers else readings


def _set_apart(readings: Readings, strangers: Set[str]) -> Readings:
    """Returns the readings, with the problem set for those about somebody else."""
    return readings.with_kinds(
        lambda kind: kind if kind.problem == FOREIGN_REFERENCE else kind._replace(problem=OTHER_PATIENT),
        readings.patient_id.each(strangers.__contains__, np.bool_),
    )


def _ref_of(observation: Observation | Misshapen) -> str:
    kind, key, *_ = OBSERVATION.about(observation)
    return f"{kind}/{key}"
