"""Stores readings as columns: each value as raw as the source gives it.

What describes a value (its variable, unit, status and so on) repeats: a thousand readings are of about ten kinds. So
each reading holds the number of its kind, and whatever depends on the kind is worked out once per kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.core.microseconds import micros_in, times_of
from wardround.core.texts import Texts, numbered, text_column


class Kind(NamedTuple):
    """What describes a reading, apart from its patient, time and value.

    `unit` is the unit that counts: for a FHIR Quantity, its code. `other_unit` is the unit given beside it in words,
    or empty. `problem` is the reason why the source itself cannot vouch for the reading, or empty.
    """

    variable: str
    unit: str
    other_unit: str
    comparator: bool
    status: str
    problem: str


Row = tuple[str, int, int, float, str, tuple[str, str, str, bool, str, str]]
"""One reading: patient_id, time, available, value, source_ref and the parts of its Kind; times in microseconds."""
PATIENT_ID: Final = 0
SOURCE_REF: Final = 4
KIND: Final = 5
_NONE: Final = ((),) * 6
_KIND_COLUMNS: Final = Kind._fields


@dataclass(frozen=True, eq=False)
class Readings:
    """Readings in the order in which the source gave them; times in microseconds since 1970, UNKNOWN for none."""

    patient_id: Texts
    time: np.ndarray
    available: np.ndarray
    value: np.ndarray
    source_ref: np.ndarray
    kind: np.ndarray
    kinds: Sequence[Kind]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Readings":
        patient_id, time, available, value, source_ref, kind = zip(*rows, strict=True) if rows else _NONE
        codes, kinds = numbered(kind)
        return cls(
            Texts.of(patient_id),
            np.array(time, dtype=np.int64),
            np.array(available, dtype=np.int64),
            np.array(value, dtype=float),
            np.array(source_ref, dtype=object),
            codes,
            [Kind(*one) for one in kinds],
        )

    @classmethod
    def of_frame(cls, frame: pd.DataFrame) -> "Readings":
        """Returns the readings of a frame with READING_COLUMNS."""
        codes, kinds = _kinds_in(frame[list(_KIND_COLUMNS)])
        return cls(
            Texts.of_series(frame["patient_id"]),
            micros_in(frame["time"]),
            micros_in(frame["available"]),
            frame["value"].to_numpy(dtype=float),
            frame["source_ref"].to_numpy(dtype=object),
            codes,
            kinds,
        )

    @classmethod
    def together(cls, parts: Sequence["Readings"]) -> "Readings":
        """Returns the readings of all parts, one part after the other."""
        if not parts:
            return cls.of(())
        before = np.cumsum([0, *(len(part.kinds) for part in parts)])
        return cls(
            Texts.together([part.patient_id for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.available for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.source_ref for part in parts]),
            np.concatenate([part.kind + first for part, first in zip(parts, before[:-1], strict=True)]),
            [kind for part in parts for kind in part.kinds],
        )

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: np.ndarray) -> "Readings":
        """Returns the readings of these rows, given by position."""
        return Readings(
            self.patient_id.take(rows),
            self.time.take(rows),
            self.available.take(rows),
            self.value.take(rows),
            self.source_ref.take(rows),
            self.kind.take(rows),
            self.kinds,
        )

    def with_kinds(self, changed: Callable[[Kind], Kind], rows: np.ndarray | None = None) -> "Readings":
        """Returns the readings with changed kinds, for these rows (booleans) or for all."""
        new = [changed(kind) for kind in self.kinds]
        if rows is None:
            return replace(self, kinds=new)
        return replace(self, kind=self.kind + rows * len(self.kinds), kinds=[*self.kinds, *new])

    def frame(self) -> pd.DataFrame:
        """Returns the readings as a frame (READING_COLUMNS)."""
        of_kinds = dict(zip(_KIND_COLUMNS, zip(*self.kinds, strict=True) if self.kinds else _NONE, strict=True))
        texts = {name: Texts(self.kind, values).array() for name, values in of_kinds.items() if name != "comparator"}
        return pd.DataFrame(
            {
                "patient_id": self.patient_id.array(),
                "time": times_of(self.time),
                "available": times_of(self.available),
                "variable": texts["variable"],
                "value": self.value,
                "source_ref": text_column(self.source_ref),
                "unit": texts["unit"],
                "other_unit": texts["other_unit"],
                "comparator": np.array(of_kinds["comparator"], dtype=bool)[self.kind],
                "status": texts["status"],
                "problem": texts["problem"],
            }
        )


def _kinds_in(frame: pd.DataFrame) -> tuple[np.ndarray, list[Kind]]:
    frame = frame.assign(other_unit=frame["other_unit"].fillna(""))
    kind = np.zeros(len(frame), dtype=np.int64)
    for name in _KIND_COLUMNS:
        column = Texts.of_series(frame[name])
        # Renumbered after each column, so that the numbers stay small.
        kind = pd.factorize(kind * len(column.names) + column.codes)[0]
    first = np.unique(kind, return_index=True)[1]
    return kind, [Kind(*row) for row in frame.iloc[first].itertuples(index=False)]
