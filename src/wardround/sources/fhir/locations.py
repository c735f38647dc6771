"""Finds the Locations, given as dicts, that a name means, and which Locations are inside which."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from wardround.errors import WardroundError
from wardround.fhir.references import Resource, id_in

# The elements that are kept of a Location, without status and mode: a bed marked as closed may still be in use.
ELEMENTS: Final = ("name", "alias", "partOf")


def called(locations: Mapping[str, Resource], name: str) -> list[str]:
    """Returns the ids of the Locations with this id, name or alias; the case of names does not matter."""
    wanted = name.casefold()
    return [
        key
        for key, location in locations.items()
        if key == name.removeprefix("Location/") or wanted in (text.casefold() for text in _names(location))
    ]


def meant(locations: Mapping[str, Resource], names: Iterable[str], place: str, error: type[WardroundError]) -> set[str]:
    """Returns the ids of the Locations that the names mean.

    Raises `error`, which names the place, for a name that matches no Location.
    """
    found: set[str] = set()
    for name in names:
        ids = called(locations, name)
        if not ids:
            raise error(
                f"{place}: no Location {name!r}, expected its full name, an alias or its id; correct the cohort, or"
                " the Locations of the condition or of the source"
            )
        found.update(ids)
    return found


def inside(locations: Mapping[str, Resource], roots: Iterable[str]) -> dict[str, str]:
    """Returns every Location inside one of the roots, however deep, with the nearest root; includes the roots."""
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for key, location in locations.items():
        parts[whole_of(location)].append(key)
    found = {root: root for root in roots}
    ahead = list(found)
    while ahead:
        place = ahead.pop()
        new = [part for part in parts[place] if part not in found]
        found |= dict.fromkeys(new, found[place])
        ahead += new
    return found


def whole_of(location: Resource) -> str:
    """Returns the id of the Location that this one is a part of; "" if there is none."""
    return id_in(location.get("partOf"), "Location")


def _names(location: Resource) -> list[str]:
    alias = location.get("alias")
    return [str(text) for text in (location.get("name"), *(alias if isinstance(alias, list) else []))]
