"""The Observations of a folder, line by line, in; the lines that are not to count out.

A line is eight bytes here, so that a folder of any size fits. Only where ids come several times, or were deleted, is
the folder read a second time, and more kept of these.
"""

from array import array
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from wardround.adapters.fhir_references import id_in_text
from wardround.adapters.fhir_times import UNKNOWN
from wardround.adapters.fhir_versions import last_updated, updated_at

Places = npt.NDArray[np.int64]

_NONE: Final = np.empty(0, dtype=np.int64)


class _Version(msgspec.Struct, gc=False):
    id: Any = None
    meta: Any = None


_VERSION: Final = msgspec.json.Decoder(_Version)


class ObservationLines:
    """The lines that may hold an Observation, numbered from 0 in the order of the folder."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._deleted: dict[str, int] = {}

    def note(self, resource_type: object, key: object) -> int:
        """Notes the next line; gives its number."""
        number = len(self._hashes)
        named = resource_type == "Observation" and type(key) is str
        self._hashes.append(hash(key if named else (None, number)))
        return number

    def delete(self, reference: str, time: int) -> None:
        """Notes that a resource (`Type/id`) was deleted at a time."""
        if key := id_in_text(reference, "Observation"):
            self._deleted[key] = max(time, self._deleted.get(key, UNKNOWN))

    def outdated(self, lines: Callable[[], Iterable[bytes]]) -> Places:
        """The numbers of the lines that do not count: older versions, and what was deleted.

        `lines` gives the same lines again; they are asked for only if something is in doubt.
        """
        contested = self._contested()
        return self._decided(contested, lines()) if contested.any() else _NONE

    def _contested(self) -> npt.NDArray[np.bool_]:
        hashes = np.frombuffer(self._hashes, dtype=np.int64) if self._hashes else _NONE
        ordered = np.sort(hashes)
        several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        deleted = np.array([hash(key) for key in self._deleted], dtype=np.int64)
        return np.isin(hashes, np.concatenate([several, deleted]))

    def _decided(self, contested: npt.NDArray[np.bool_], lines: Iterable[bytes]) -> Places:
        places, others, times, removed = array("q"), array("q"), array("q"), array("q")
        for place, line in enumerate(lines):
            if contested[place]:
                key, updated = _version(line)
                places.append(place)
                # A second hash: two ids that share both do not occur.
                others.append(hash(key[::-1]))
                times.append(updated)
                removed.append(self._deleted.get(key, UNKNOWN))
        table = pd.DataFrame({"place": places, "other": others, "time": times, "removed": removed}, dtype="int64")
        table["id"] = np.frombuffer(self._hashes, dtype=np.int64)[table["place"]]
        return np.sort(_losers(table))


def _version(line: bytes) -> tuple[str, int]:
    found = _VERSION.decode(line.removeprefix(BOM_UTF8))
    return str(found.id), updated_at(last_updated({"meta": found.meta}))


def _losers(table: pd.DataFrame) -> Places:
    """Of rows (id, other, time, removed) in the order of the folder, the places of those that do not count."""
    ids = table.groupby(["id", "other"], sort=False)
    newest = ids["time"].cummax()
    may_count = (table["time"] == UNKNOWN) | (table["time"] >= newest)
    last = table["place"].where(may_count, -1).groupby([table["id"], table["other"]]).transform("max")
    counts = (table["place"] == last) & ((table["removed"] == UNKNOWN) | (newest > table["removed"]))
    return table["place"][~counts].to_numpy()
