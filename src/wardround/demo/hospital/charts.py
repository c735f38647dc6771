"""Keeps the hospital's FHIR server as it would be: a stay when it begins, each reading when it becomes known.

It sees patient values; it never logs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import islice
from typing import Final
from uuid import UUID, uuid5

import orjson

from wardround.core.microseconds import UNKNOWN, micros
from wardround.demo.hospital.places import PEOPLE, VISITS
from wardround.demo.hospital.stays import Stay
from wardround.demo.hospital.visits import Visit
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource
from wardround.fhir.times import micros_of
from wardround.fhir.write_outcome import WriteOutcome

_OURS: Final = UUID("5b0f7b3e-51f0-4a0c-9d5e-8a1f2c3d4e5f")
_IN_PROGRESS: Final = "in-progress"
_FINISHED: Final = "finished"
_IN_ERROR: Final = "entered-in-error"


@dataclass(frozen=True)
class Placed:
    """A stay of the record that begins anew at `begin` (microseconds since 1970), and goes on `speed` times as fast.

    What happened before it is as long before it as in the record.
    """

    stay: Stay
    begin: int
    speed: float
    name: str

    def at(self, recorded: int) -> int:
        """Returns when something happens now that happened at `recorded`."""
        since = recorded - self.stay.begin - self.stay.pace.lead
        return self.begin + (round(since / self.speed) if since > 0 else since)

    @property
    def end(self) -> int | None:
        """When the stay ends; None if the record does not say."""
        return None if self.stay.end is None else self.at(self.stay.end)

    def own(self, resource: Resource) -> str:
        """Returns the id that the resource has in this placing."""
        return str(uuid5(_OURS, f"{self.name} {resource['resourceType']}/{resource['id']}"))

    def reference(self, resource: Resource) -> Resource:
        return {"reference": f"{resource['resourceType']}/{self.own(resource)}"}


class Charts:
    """The charts of the visits that came to the unit, on a FHIR server that lets its clients choose ids.

    Functions raise FhirError if it cannot be written to.
    """

    def __init__(self, client: FhirClient, run: str, speed: float) -> None:
        self._client, self._run, self._speed = client, run, speed
        self._placed: dict[str, Placed] = {}
        self._waiting: list[tuple[int, int, str]] = []  # when the next reading of a visit is known; its place; visit

    def write_places(self, places: Iterable[Resource]) -> None:
        """Writes the Locations and Organizations that stays refer to, as they are."""
        self._put(places)

    def admit(self, visit: Visit, now: datetime) -> None:
        """Writes a visit that comes to the unit now: its person, the admission, the stay, and what is known of it."""
        assert visit.stay is not None
        stay, begin = visit.stay, micros(now)
        placed = Placed(stay, begin, self._speed, f"{self._run} {visit.number}")
        self._placed[visit.number] = placed
        self._put([_patient(placed, visit)])
        self._put([_admission(placed, visit)])
        self._put([_stay(placed)])
        heappush(self._waiting, (begin, 0, visit.number))
        self.write_known(now)

    def write_known(self, now: datetime) -> None:
        """Writes the readings that have become known by now."""
        self._put(self._known(micros(now)))

    def rename(self, visit: Visit) -> None:
        """Gives the person in the record the record numbers that they have now, while the stay is in progress."""
        if placed := self._placed.get(visit.number):
            self._put([_patient(placed, visit)])

    def leave(self, visit: Visit, now: datetime) -> None:
        """Ends the stay in the unit; no further reading is written."""
        self._end(visit, {"status": _FINISHED}, micros(now))

    def withdraw(self, visit: Visit) -> None:
        """Marks the stay as entered in error; no further reading is written."""
        self._end(visit, {"status": _IN_ERROR}, None)

    def end_of(self, visit: Visit) -> int | None:
        """Returns when the visit leaves the unit, in microseconds since 1970; None if the record does not say."""
        return self._placed[visit.number].end

    def _end(self, visit: Visit, change: Resource, at: int | None) -> None:
        placed = self._placed.pop(visit.number)
        stay = {**_stay(placed), **change}
        self._put([stay if at is None else {**stay, "period": {**stay["period"], "end": _text(at)}}])

    def _known(self, now: int) -> Iterator[Resource]:
        while self._waiting and self._waiting[0][0] <= now:
            _, number, visit = heappop(self._waiting)
            placed = self._placed.get(visit)
            readings = placed.stay.readings if placed else []
            while placed and number < len(readings) and placed.at(readings[number].available) <= now:
                yield _observation(placed, orjson.loads(readings[number].content), readings[number].available)
                number += 1
            if placed and number < len(readings):
                heappush(self._waiting, (placed.at(readings[number].available), number, visit))

    def _put(self, resources: Iterable[Resource]) -> None:
        written = iter(resources)
        while part := list(islice(written, self._client.source.entries_per_batch)):
            for one, answer in zip(part, self._client.batch([_entry(one) for one in part]), strict=True):
                if not (outcome := WriteOutcome.of(answer)).taken:
                    raise FhirError(
                        f"{self._client.source.base_url}: refused {one['resourceType']}/{one['id']} ({outcome}),"
                        " expected a server that lets its clients choose ids; see its log"
                    )


def _patient(placed: Placed, visit: Visit) -> Resource:
    person, patient = visit.person, placed.stay.patient
    numbers = [{"system": PEOPLE, "value": number} for number in (person.number, *person.earlier)]
    name = [{"use": "official", "family": person.family, "given": [person.given]}]
    return {**patient, "id": placed.own(patient), "identifier": numbers, "name": name}


def _admission(placed: Placed, visit: Visit) -> Resource:
    admission = placed.stay.admission
    start = micros_of(admission.get("period", {}).get("start"))
    begin = placed.begin if start == UNKNOWN else min(placed.at(start), placed.begin)
    return {
        **admission,
        "id": placed.own(admission),
        "identifier": [{"system": VISITS, "value": visit.number}],
        "status": _IN_PROGRESS,
        "subject": placed.reference(placed.stay.patient),
        "period": {"start": _text(begin)},
        "location": [{"location": one["location"]} for one in admission.get("location", ())[-1:]],
    }


def _stay(placed: Placed) -> Resource:
    encounter = placed.stay.encounter
    return {
        **{key: value for key, value in encounter.items() if key != "identifier"},
        "id": placed.own(encounter),
        "status": _IN_PROGRESS,
        "subject": placed.reference(placed.stay.patient),
        "partOf": placed.reference(placed.stay.admission),
        "period": {"start": _text(placed.begin)},
        "location": [{"location": one["location"]} for one in encounter.get("location", ())[:1]],
    }


def _observation(placed: Placed, reading: Resource, available: int) -> Resource:
    taken = micros_of(reading["effectiveDateTime"])
    return {
        **reading,
        "id": placed.own(reading),
        "subject": placed.reference(placed.stay.patient),
        "encounter": placed.reference(placed.stay.encounter),
        "effectiveDateTime": _text(placed.at(taken)),
        "issued": _text(placed.at(available)),
    }


def _entry(resource: Resource) -> Resource:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "request": {"method": "PUT", "url": url}}


def _text(time: int) -> str:
    return datetime.fromtimestamp(time / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
