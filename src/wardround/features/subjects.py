"""Groups a condition's columns by variable and demographic, and tells for which of these a row knows anything."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final, Self

import numpy as np

from wardround.features.build import WITHOUT_EVENTS
from wardround.spec.conditions import Condition

# What tells that something was measured, and when, but not what.
_WITHOUT_VALUE: Final = ("count", "missing", "hours_since_last")


@dataclass(frozen=True, eq=False)
class Subjects:
    """The variables and demographics that a condition's columns are about.

    Attributes:
        condition: the spec.
        names: the name of each subject, in the order of their first columns.
        columns: the positions of all columns in `condition.columns`, grouped by subject.
        starts: where each subject begins in `columns`.
    """

    condition: Condition
    names: tuple[str, ...]
    columns: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, condition: Condition) -> Self:
        places: dict[str, list[int]] = {}
        about = (*condition.features.demographics, *(feature.variable for feature in condition.feature_list))
        for place, name in enumerate(about):
            places.setdefault(name, []).append(place)
        sizes = [len(mine) for mine in places.values()]
        return cls(
            condition,
            tuple(places),
            np.array([place for mine in places.values() for place in mine]),
            np.cumsum([0, *sizes[:-1]]),
        )

    @cached_property
    def sizes(self) -> np.ndarray:
        """Returns how many columns each subject has."""
        return np.diff(self.starts, append=len(self.columns))

    def known(self, values: np.ndarray) -> np.ndarray:
        """Returns rows x subjects: whether at least one of the subject's columns is known.

        Args:
            values: rows x `condition.columns`.
        """
        known = ~np.isnan(values) & (values != self._nothing)
        return np.logical_or.reduceat(known[:, self.columns], self.starts, axis=1)

    @cached_property
    def beyond_values(self) -> np.ndarray:
        """Returns, for each column, whether its window is longer than that of any value of the same variable."""
        features = self.condition.feature_list
        longest: dict[str, timedelta] = {}
        for feature in features:
            if feature.summary not in _WITHOUT_VALUE:
                longest[feature.variable] = max(feature.window, longest.get(feature.variable, feature.window))
        windowed = (feature.window > longest.get(feature.variable, feature.window) for feature in features)
        return np.array([*(False for _ in self.condition.features.demographics), *windowed], dtype=bool)

    @cached_property
    def has_beyond_values(self) -> bool:
        """Returns whether there is such a column."""
        return bool(self.beyond_values.any())

    @cached_property
    def of_minimum_data(self) -> np.ndarray:
        """Returns the positions of the subjects that count for the minimum data."""
        return np.array([self.names.index(name) for name in set(self.condition.minimum_data.of)], dtype=np.int64)

    @cached_property
    def _nothing(self) -> np.ndarray:
        """Returns the value that each column has without events."""
        demographics = [np.nan] * len(self.condition.features.demographics)
        windowed = (WITHOUT_EVENTS.get(feature.summary, np.nan) for feature in self.condition.feature_list)
        return np.array([*demographics, *windowed])
