"""Finds the times of an Encounter, given as a dict, that count as a stay: by class, by type, or in Locations."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from wardround.fhir.periods import Bounds, bounds_of, latest_end
from wardround.fhir.references import Resource, locations_of

_NEVER_THERE: Final = ("planned", "reserved")
_STINTS: Final = ("active", "completed", *_NEVER_THERE)


class EncounterRule(NamedTuple):
    """Which Encounters are stays: by class or type (`code` or `system|code`), or by time in a Location (by id).

    An Encounter of such a class or type counts for its whole period; any other one for its time in the Locations and
    everything inside them.
    """

    classes: frozenset[str] = frozenset()
    locations: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()

    def bounds(self, encounter: Resource, whole: Bounds, places: Mapping[str, str]) -> list[Bounds]:
        """Returns the times that count; none if the Encounter is not a stay. `places` are all Locations that count."""
        if self._is_of_class(encounter):
            return self._of_class(encounter, whole)
        if self._is_of_type(encounter):
            return [whole]
        if not places:
            return []
        return [bounds_of(part.get("period"), whole) for place, part in stints(encounter) if place in places]

    def is_of_more(self, encounter: Resource) -> bool:
        """Returns whether a stay's Encounter shows that it covers more than the stay.

        Then it counts for its time in Locations only, or was of another class before or after.
        """
        if self._is_of_class(encounter):
            return any(not self._is_of_class(entry) for entry in list_in(encounter, "classHistory"))
        return not self._is_of_type(encounter)

    def _is_of_type(self, encounter: Resource) -> bool:
        return any(
            _is_among(coding, self.types) for concept in list_in(encounter, "type") for coding in _codings(concept)
        )

    def _is_of_class(self, encounter: Resource) -> bool:
        return _is_among(encounter.get("class") or {}, self.classes)

    def _of_class(self, encounter: Resource, whole: Bounds) -> list[Bounds]:
        """Returns the whole period, without the time that it was of another class if its history tells."""
        history = list_in(encounter, "classHistory")
        others = [entry.get("period") or {} for entry in history if not self._is_of_class(entry)]
        same = [bounds_of(entry.get("period"), whole) for entry in history if self._is_of_class(entry)]
        return [whole.after(latest_end(others)), *same]


def stints(encounter: Resource) -> Iterator[tuple[str, Resource]]:
    """Yields the Encounter's parts in a Location, with its id: those that took place, as far as it is known when.

    Planned and reserved parts never took place; a part completed at an unknown time cannot be going on.
    """
    for place, part in zip(locations_of(encounter), list_in(encounter, "location"), strict=True):
        status = part.get("status")
        if status is not None and status not in _STINTS:
            raise TypeError("status")
        over = status == "completed" and not (part.get("period") or {}).get("end")
        if status not in _NEVER_THERE and not over:
            yield place, part


def list_in(resource: Resource, name: str) -> list[Any]:
    """Returns the elements of a list; none if it is missing. Raises TypeError for anything else."""
    found = resource.get(name)
    if not isinstance(found, list | None):
        raise TypeError(name)
    return found or []


def _is_among(coding: Any, wanted: frozenset[str]) -> bool:
    return bool(wanted & {coding.get("code"), f"{coding.get('system')}|{coding.get('code')}"})


def _codings(concept: Any) -> list[Any]:
    return concept.get("coding") or []
