"""A server in; which of its patients' Observations are read, and which codes no variable names, out.

Read with the rule of a screening, from the first ICU patients that the server gives, so that a house sees before its
first run which of its own codes need a source map.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Final

from requests.adapters import BaseAdapter

from wardround.core.readings import KIND, Kind
from wardround.core.unmapped_codes import UnmappedCode
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.references import Resource, patient_values
from wardround.fhir.times import no_earlier_than, no_later_than
from wardround.sources.fhir import stays as fhir_stays
from wardround.sources.fhir.observation import readings_of
from wardround.sources.fhir.observation_shape import OBSERVATION
from wardround.sources.fhir.unmapped import Unmapped
from wardround.spec.base import SpecModel
from wardround.spec.variables import Variable
from wardround.workflows.check_source.counting import LOOK_BACK

PATIENTS: Final = 20
OBSERVATIONS: Final = 10_000


class Sample(SpecModel):
    """What was met.

    Attributes:
        patients: how many ICU patients were looked at, the first that the server gave.
        observations: how many of their Observations of the last day; `whole` if these are all.
        read: how many readings of each variable they hold, of whatever use they are.
        unmapped: the codes that no variable names, by how many Observations bear them.
        draft: a source map that maps nothing yet, as YAML.
    """

    patients: int
    observations: int
    whole: bool
    read: dict[str, int]
    unmapped: tuple[UnmappedCode, ...]
    draft: str


def sample(
    source: FhirEndpoint, variables: Mapping[str, Variable], now: datetime, transport: BaseAdapter | None = None
) -> Sample:
    """Looks at the Observations of the day before `now`. Raises FhirError where the ICU's patients are not found."""
    unmapped = Unmapped(variables, source.translation)
    read, looked_at = Counter[str](), 0
    with FhirClient(source, transport) as client:
        stays = fhir_stays.find(client, source.icu, now - LOOK_BACK, now).stays
        patients = stays["patient_id"].drop_duplicates().head(PATIENTS).tolist()
        found = _observations(client, patients, now)
        for resource in islice(found, OBSERVATIONS):
            looked_at += 1
            unmapped.note(resource, frozenset(patients), source.bases)
            readings = readings_of((OBSERVATION.of(resource),), unmapped.rule, source.bases)
            read.update(Kind(*reading[KIND]).variable for reading in readings)
        whole = next(found, None) is None
    return Sample(
        patients=len(patients),
        observations=looked_at,
        whole=whole,
        read=dict(sorted(read.items())),
        unmapped=tuple(unmapped.codes.most_frequent()),
        draft=unmapped.draft,
    )


def _observations(client: FhirClient, patients: list[str], now: datetime) -> Iterator[Resource]:
    """All Observations of the day, whatever their code, a patient at a time: the profile may ask for categories."""
    profile = client.source.profile
    categories = [("category", list(profile.observation_categories))] if profile.observation_needs != "nothing" else []
    dates = [("date", no_earlier_than(now - LOOK_BACK)), ("date", no_later_than(now))]
    for patient in patients:
        mine = ("patient", patient_values([patient], profile))
        for resource in client.search("Observation", [mine, *categories, *dates]):
            if resource.get("resourceType") == "Observation":
                yield resource
