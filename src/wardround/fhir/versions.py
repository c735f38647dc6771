"""Picks, of several versions of one resource, the one that counts.

The latest `meta.lastUpdated` counts; if times cannot be compared, the version that came later. A version that is older
than one met before never counts, even if one without a time came in between. A resource that an export reports as
deleted does not count.
"""

from collections.abc import Iterable
from typing import Any, Final, Generic, TypeVar

from wardround.core.microseconds import UNKNOWN
from wardround.fhir.references import Bases, Resource, is_id
from wardround.fhir.times import micros_of

T = TypeVar("T")

ALWAYS: Final = 2**63 - 1  # the time of a deletion without a date


def updated_at(text: object) -> int:
    """Returns the microseconds since 1970 of a `lastUpdated`; UNKNOWN if it is not an instant."""
    return micros_of(text) if isinstance(text, str) else UNKNOWN


def last_updated(resource: Resource) -> Any:
    """Returns the `meta.lastUpdated` of a resource unchanged; None if it has none."""
    meta = resource.get("meta")
    return meta.get("lastUpdated") if isinstance(meta, dict) else None


def version_of(updated: object, resource: object) -> str | int:
    """Returns what tells a version of a resource from others: its `lastUpdated`, or else a hash of its content."""
    return updated if type(updated) is str else hash(repr(resource))


class Seen:
    """What a search has given: the newest version of each resource. `again` holds the keys of those given twice."""

    def __init__(self) -> None:
        self.versions: dict[str, str | int] = {}
        self.again: set[str] = set()

    def __len__(self) -> int:
        return len(self.versions)

    def takes(self, key: str, updated: object, resource: object) -> bool:
        """Returns whether this is new, or a newer version of what was given."""
        version = version_of(updated, resource)
        known = self.versions.get(key)
        if known is None:
            self.versions[key] = version
            return True
        if known == version or updated_at(known) >= updated_at(version) > UNKNOWN:
            return False
        self.versions[key] = version
        self.again.add(key)
        return True


class Newest(Generic[T]):
    """What is kept of resources, by id: of each, the version that counts. They are added in order of arrival."""

    def __init__(self) -> None:
        self._kept: dict[str, T] = {}
        self._updated: dict[str, int] = {}

    def add(self, key: str, updated: object, resource: T) -> None:
        time, newest = updated_at(updated), self._updated.get(key, UNKNOWN)
        if time == UNKNOWN or time >= newest:
            self._kept[key] = resource
            self._updated[key] = max(time, newest)

    def remove(self, key: str, deleted: int) -> None:
        """Removes a resource that was deleted at a time, unless its version is known to be later."""
        if self._updated.get(key, UNKNOWN) <= deleted:
            self._kept.pop(key, None)

    @property
    def by_id(self) -> dict[str, T]:
        return self._kept


def newest_of(kind: str, resources: Iterable[Resource], bases: Bases) -> dict[str, Resource]:
    """Returns the resources of a type by id, each in the version that counts; the server's references become local."""
    newest: Newest[Resource] = Newest()
    for one in resources:
        if one.get("resourceType") == kind and is_id(one.get("id")):
            newest.add(one["id"], last_updated(one), bases.localised(one))
    return newest.by_id
