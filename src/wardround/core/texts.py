"""A column of texts that repeat: each row has a number, and the texts are kept once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd
import pyarrow as pa

_TEXT: Final = pa.large_string()


@dataclass(frozen=True, eq=False)
class Texts:
    """Rows of `names[codes]`; every name is there once, whether or not a row has it."""

    codes: np.ndarray
    names: Sequence[str]

    @classmethod
    def of(cls, rows: Sequence[str]) -> Self:
        return cls(*numbered(rows))

    @classmethod
    def of_series(cls, rows: pd.Series) -> Self:
        """Raises ValueError for a row without a text."""
        codes, names = pd.factorize(rows)
        if len(codes) and codes.min() < 0:
            raise ValueError(f"column {rows.name}: a row has no text, expected one in each; give the empty text")
        return cls(codes, names.tolist())

    @classmethod
    def together(cls, parts: Sequence["Texts"]) -> "Texts":
        """The rows of all parts, one after the other."""
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
        """What `of` gives of each row's text; it is asked once for each name."""
        return np.array([of(name) for name in self.names], dtype=kind)[self.codes]

    def places_in(self, names: Iterable[str]) -> np.ndarray:
        """Each row's place among these names; -1 for none of them."""
        place: Mapping[str, int] = {name: number for number, name in enumerate(names)}
        return self.each(lambda name: place.get(name, -1), np.int64)

    def array(self) -> Any:
        """A column of a frame, of type `str`."""
        texts = pa.DictionaryArray.from_arrays(pa.array(self.codes), pa.array(self.names, type=_TEXT)).cast(_TEXT)
        return pd.array(texts, dtype="str")


def text_column(rows: np.ndarray) -> Any:
    """A column of a frame, of type `str`, of texts that do not repeat."""
    return pd.array(pa.array(rows, type=_TEXT), dtype="str")


class _Numbers(dict[Any, int]):
    """Numbers values in the order in which they are first asked for."""

    def __missing__(self, value: Any) -> int:
        self[value] = number = len(self)
        return number


def numbered(rows: Sequence[Any]) -> tuple[np.ndarray, list[Any]]:
    """The number of each row's value among the different values, and these in the order in which they come."""
    number = _Numbers()
    return np.fromiter(map(number.__getitem__, rows), dtype=np.int64, count=len(rows)), list(number)
