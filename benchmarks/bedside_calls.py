"""Makes calls of the bedside door from the simulated ward, with its times moved to now, each about a new patient."""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from benchmarks.population import NOW, ward

STAYS = 1000
_TIME = re.compile(rb'(?<=")\d{4}-\d\d-\d\dT[^"]+(?=")')
_MOST = 250  # different patients' data; each call has its own ids
# Where a call gets its own patient's and stay's id, which are the same, as ids of different kinds may be.
_ID = "00000000-0000-4000-8000-000000000000"


def write_calls(file: Path, kilobytes: int, now: datetime) -> None:
    """Writes bodies of calls, one a line, each of about this many kilobytes: a stay with its latest Observations.

    They are of stays in progress that have that many.
    """
    folder, moved_by = ward(STAYS) / "fhir", now - datetime.fromisoformat(NOW)

    def moved(found: re.Match[bytes]) -> bytes:
        return (datetime.fromisoformat(found[0].decode()) + moved_by).isoformat().encode()

    people = {one["id"]: one for one in _resources(folder, "MimicPatient.*")}
    observations = defaultdict(list)
    for one in _resources(folder, "MimicObservation*"):
        observations[one["subject"]["reference"]].append(one)
    written = 0
    with file.open("wb") as lines:
        for stay in _resources(folder, "MimicEncounterICU.*"):
            person = stay["subject"]["reference"]
            latest = sorted(observations[person], key=lambda one: str(one["effectiveDateTime"]), reverse=True)
            body = _body(people[person.removeprefix("Patient/")], stay, latest, kilobytes * 1000)
            if stay["status"] == "in-progress" and body is not None and written < _MOST:
                lines.write(_TIME.sub(moved, body) + b"\n")
                written += 1


def calls_in(file: Path) -> Iterator[bytes]:
    """Yields bodies without end, each of a patient who is in no other one."""
    parts = [line.split(_ID.encode()) for line in file.read_bytes().splitlines()]
    while True:
        for one in parts:
            yield str(uuid4()).encode().join(one)


def _resources(folder: Path, pattern: str) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob(pattern)):
        with gzip.open(file, "rt") as lines:
            yield from map(json.loads, lines)


def _body(person: dict[str, Any], stay: dict[str, Any], latest: Sequence[Any], size: int) -> bytes | None:
    """Returns a body with as many of the Observations as bring it to this size; None if there are too few."""
    left, taken = size - len(orjson.dumps(_call(person, stay, []))), list[Any]()
    for one in latest:
        left -= len(orjson.dumps(one)) + len('{"resource":},')
        if left < 0:
            text = orjson.dumps(_call(person, stay, taken)).decode()
            return text.replace(person["id"], _ID).replace(stay["id"], _ID).encode()
        taken.append(one)
    return None


def _call(person: dict[str, Any], stay: dict[str, Any], observations: Sequence[Any]) -> dict[str, Any]:
    searched = {"resourceType": "Bundle", "type": "searchset"}
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/1", "patientId": person["id"]},
        "prefetch": {
            "patient": person,
            "encounters": {**searched, "entry": [{"resource": stay}]},
            "observations": {**searched, "entry": [{"resource": one} for one in observations]},
        },
    }
