"""A server in; how many Encounters of which class and in which Location it has now, and what a screening finds, out.

Counted with the searches of a screening, so that a setting that finds nobody shows here and not at night.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from requests.adapters import BaseAdapter

from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.references import Resource
from wardround.sources.fhir import stays as fhir_stays
from wardround.sources.fhir.encounter_rule import stints
from wardround.sources.fhir.encounter_search import encounters_of
from wardround.spec.base import SpecModel
from wardround.spec.cohorts import Encounters
from wardround.workflows.check_source.begins import Begins, begins_of

LOOK_BACK: Final = timedelta(hours=24)
SAMPLE: Final = 1000
"""So many Encounters are looked at, at most, for their classes and Locations."""
_MOST_LOCATIONS: Final = 100
_UNKNOWN: Final = "none"


class Counts(SpecModel):
    """What a server has now, and what is found in it.

    Attributes:
        encounters: how many of the last day were looked at.
        whole: whether these are all; else they are a sample, the first ones that the server gave.
        classes: how many of them are of each class.
        locations: how many of them are in each of the commonest Locations, by name, or id if it has none.
        stays: how many stays a screening would find, by what finds them: "the source", or a condition's id.
        begins: of how many of these it is known when they began, by what finds them.
        unmatched: what the settings name and no Encounter looked at, or searched for, has.
    """

    encounters: int
    whole: bool
    classes: dict[str, int]
    locations: dict[str, int]
    stays: dict[str, int]
    begins: dict[str, Begins]
    unmatched: tuple[str, ...]


def count(
    source: FhirEndpoint, conditions: Mapping[str, Encounters], now: datetime, transport: BaseAdapter | None = None
) -> Counts:
    """Counts the Encounters of the day before `now`. Raises FhirError, also for a Location that does not exist."""
    start, asked = now - LOOK_BACK, {"the source": source.icu, **conditions}
    with FhirClient(source, transport) as client:
        found = {who: fhir_stays.find(client, encounters, start, now) for who, encounters in asked.items()}
        looked_at = list(islice(_encounters(client, start, now), SAMPLE + 1))
        some = looked_at[:SAMPLE]
        named = {code for encounters in asked.values() for code in encounters.classes}
        return Counts(
            encounters=len(some),
            whole=len(looked_at) <= SAMPLE,
            classes=dict(Counter(_class_of(one) for one in some).most_common()),
            locations=_named(client, Counter(place for one in some for place in _places(one))),
            stays={who: len(each.stays) + len(each.set_aside) for who, each in found.items()},
            begins={who: begins_of(each.stays) for who, each in found.items()},
            unmatched=tuple(f"class {code}" for code in sorted(named) if not _any_of_class(client, code, some)),
        )


def _encounters(client: FhirClient, start: datetime, now: datetime) -> Iterator[Resource]:
    """Each once, though several searches may find it."""
    seen: set[str] = set()
    for one in encounters_of(client, [], start, now):
        key = str(one.get("id"))
        if one.get("resourceType") == "Encounter" and key not in seen:
            seen.add(key)
            yield client.source.bases.localised(one)


def _named(client: FhirClient, places: Counter[str]) -> dict[str, int]:
    """The most frequent Locations under their names; one that has none, or is not found, keeps its id."""
    ids = [place for place, _ in places.most_common(_MOST_LOCATIONS)]
    found = client.search("Location", [("_id", ids)]) if ids else ()
    names = {str(one.get("id")): str(one.get("name") or "") for one in found}
    numbers: Counter[str] = Counter()
    for place in ids:
        numbers[names.get(place) or place] += places[place]
    return dict(numbers.most_common())


def _any_of_class(client: FhirClient, code: str, some: list[Resource]) -> bool:
    """Whether any Encounter, of whatever time, has the class; where it cannot be searched by, any of the sample."""
    plain = code.rpartition("|")[2]
    if any(_class_of(one) == plain for one in some):
        return True
    if "class" not in client.source.profile.encounter_by:
        return False
    return next(iter(client.search("Encounter", [("class", [code]), ("_count", "1")])), None) is not None


def _class_of(encounter: Resource) -> str:
    coding = encounter.get("class")
    return str(coding.get("code") or _UNKNOWN) if isinstance(coding, dict) else _UNKNOWN


def _places(encounter: Resource) -> set[str]:
    """The ids of the Locations that the Encounter is in and has not left."""
    try:
        return {place for place, part in stints(encounter) if place and not (part.get("period") or {}).get("end")}
    except (AttributeError, TypeError, ValueError):  # misshapen: a screening sets it aside
        return set()
