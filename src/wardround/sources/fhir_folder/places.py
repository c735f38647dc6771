"""Finds the resources in a folder that are outdated: older versions and deleted resources.

A place takes eight bytes, so that a folder of any size fits into memory. The folder is read a second time only if ids
occur several times or were deleted; only for these is more kept in memory.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from wardround.core.microseconds import UNKNOWN
from wardround.fhir.versions import updated_at

Numbers = npt.NDArray[np.int64]

_ROWS_AT_ONCE: Final = 100_000
_NONE: Final = np.empty(0, dtype=np.int64)


Line = TypeVar("Line")


class Places:
    """The places in a folder where a resource may be, numbered from 0 in the order of the folder."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._deleted: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._hashes)

    def note(self, reference: str | None) -> int:
        """Records the next place and its `Type/id` (None if there is none), and returns the number of the place."""
        number = len(self._hashes)
        self._hashes.append(hash((None, number) if reference is None else reference))
        return number

    def delete(self, reference: str, time: int) -> None:
        """Records that a resource was deleted at a time."""
        self._deleted[reference] = max(time, self._deleted.get(reference, UNKNOWN))

    def outdated(self, lines: Callable[[], Iterable[Line]], version: Callable[[Line], tuple[str, object]]) -> Numbers:
        """Returns the numbers of the outdated places: older versions, and deleted resources.

        `lines` reads the places again, and `version` returns a line's `Type/id` and lastUpdated; both are called only
        if necessary.
        """
        contested = self._contested()
        return self._decided(contested, lines(), version) if contested.any() else _NONE

    def _contested(self) -> npt.NDArray[np.bool_]:
        hashes = np.frombuffer(self._hashes, dtype=np.int64) if self._hashes else _NONE
        ordered = np.sort(hashes)
        several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        deleted = np.array([hash(key) for key in self._deleted], dtype=np.int64)
        return np.isin(hashes, np.concatenate([several, deleted]))

    def _decided(
        self,
        contested: npt.NDArray[np.bool_],
        lines: Iterable[Line],
        version: Callable[[Line], tuple[str, object]],
    ) -> Numbers:
        columns = {name: array("q") for name in ("place", "other", "time", "removed")}
        # Resources that were added to the folder meanwhile are ignored.
        for place, (line, doubtful) in enumerate(zip(lines, contested, strict=False)):
            if doubtful:
                reference, updated = version(line)
                columns["place"].append(place)
                # A second hash: two references do not share both.
                columns["other"].append(hash(reference[::-1]))
                columns["time"].append(updated_at(updated))
                columns["removed"].append(self._deleted.get(reference, UNKNOWN))
        known = {name: np.frombuffer(column, dtype=np.int64) for name, column in columns.items() if column}
        if not known:
            return _NONE
        known["id"] = np.frombuffer(self._hashes, dtype=np.int64)[known["place"]]
        return np.sort(np.concatenate([_outdated(part) for part in _parts(known)]))


def _parts(columns: Mapping[str, Numbers]) -> Iterator[pd.DataFrame]:
    """Yields the columns as frames of limited size, each with all rows of its ids."""
    count = 1 + len(columns["id"]) // _ROWS_AT_ONCE
    part = (columns["id"] % count).astype(np.int32)
    return (pd.DataFrame({name: column[part == n] for name, column in columns.items()}) for n in range(count))


def _outdated(table: pd.DataFrame) -> Numbers:
    """Returns the places of the outdated rows; `table` has (id, other, time, removed) in the order of the folder."""
    ids = table.groupby(["id", "other"], sort=False)
    newest = ids["time"].cummax()
    may_count = (table["time"] == UNKNOWN) | (table["time"] >= newest)
    last = table["place"].where(may_count, -1).groupby([table["id"], table["other"]]).transform("max")
    counts = (table["place"] == last) & ((table["removed"] == UNKNOWN) | (newest > table["removed"]))
    return table["place"][~counts].to_numpy()
