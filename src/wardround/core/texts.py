"""Stores a column of repeated texts: each row has a number, and each text is kept once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd
import pyarrow as pa

_TEXT: Final = pa.large_string()


@dataclass(frozen=True, eq=False)
class Texts:
    """Rows whose texts are `names[codes]`; every name occurs once, whether or not a row uses it."""

    codes: np.ndarray
    names: Sequence[str]

    @classmethod
    def of(cls, rows: Sequence[str]) -> Self:
        return cls(*numbered(rows))

    @classmethod
    def of_series(cls, rows: pd.Series) -> Self:
        """Returns the texts of a series; raises ValueError for a row without a text."""
        codes, names = pd.factorize(rows)
        if len(codes) and codes.min() < 0:
            raise ValueError(f"column {rows.name}: a row has no text, expected one in each; give the empty text")
        return cls(codes, names.tolist())

    @classmethod
    def together(cls, parts: Sequence["Texts"]) -> "Texts":
        """Returns the rows of all parts, one part after the other."""
        if len(parts) == 1:
            return parts[0]
        names: dict[str, int] = {}
        codes = [part.each(lambda name: names.setdefault(name, len(names)), np.int64) for part in parts]
        return cls(np.concatenate(codes), list(names))

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return map(self.names.__getitem__, self.codes.tolist())

    def take(self, rows: np.ndarray) -> "Texts":
        return Texts(self.codes.take(rows), self.names)

    def each(self, of: Callable[[str], Any], kind: Any) -> np.ndarray:
        """Returns the result of `of` for each row's text; `of` is called once per name."""
        return np.array([of(name) for name in self.names], dtype=kind)[self.codes]

    def places_in(self, names: Iterable[str]) -> np.ndarray:
        """Returns each row's position among these names; -1 if it is not among them."""
        place: Mapping[str, int] = {name: number for number, name in enumerate(names)}
        return self.each(lambda name: place.get(name, -1), np.int64)

    def array(self) -> Any:
        """Returns the texts as a column of a frame, of type `str`."""
        texts = pa.DictionaryArray.from_arrays(pa.array(self.codes), pa.array(self.names, type=_TEXT)).cast(_TEXT)
        return pd.array(texts, dtype="str")


def text_column(rows: np.ndarray) -> Any:
    """Returns texts that do not repeat as a column of a frame, of type `str`."""
    return pd.array(pa.array(rows, type=_TEXT), dtype="str")


class _Numbers(dict[Any, int]):
    """Numbers values in the order of their first look-up."""

    def __missing__(self, value: Any) -> int:
        self[value] = number = len(self)
        return number


def numbered(rows: Sequence[Any]) -> tuple[np.ndarray, list[Any]]:
    """Returns the number of each row's value among the distinct values, and these values as they first occur."""
    number = _Numbers()
    return np.fromiter(map(number.__getitem__, rows), dtype=np.int64, count=len(rows)), list(number)
