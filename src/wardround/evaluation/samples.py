"""Says how the patients were drawn that a model is judged on, which decides how far chance moves a figure.

If patients come by chance, so does the number of those with the outcome, and every figure that depends on the
prevalence varies with it. A split by patient draws the same share of the patients with the outcome and of those
without. Their numbers then vary only as those of all patients do: a quarter of them has a prevalence as certain as that
of four times as many patients. What differs within a class varies as ever (Cochran 1977, Sampling Techniques, ch. 5).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple, Self

import numpy as np
import pandas as pd

# Of each class; with fewer, neither the variance nor its uncertainty can be known.
FEWEST_PATIENTS: Final = 10
_BY_CHANCE: Final = 1.0
# A share of a class is rounded to whole patients: the variance of an even distribution of width 1.
_ROUNDED: Final = 1 / 12


class Classes(NamedTuple):
    """How many patients have the outcome in any row, and how many in none."""

    with_outcome: int
    without: int

    @classmethod
    def of(cls, has_it: np.ndarray) -> Self:
        """Counts patients, of whom each has the outcome or not (booleans)."""
        return cls(int(has_it.sum()), int((~has_it).sum()))

    def too_few(self, with_outcome: int = FEWEST_PATIENTS, without: int = FEWEST_PATIENTS) -> str | None:
        """Returns why there is no interval; None if there are so many patients with the outcome, and without."""
        if self.with_outcome < with_outcome:
            return f"too few patients with the outcome ({self.with_outcome}) for an interval"
        if self.without < without:
            return f"too few patients without the outcome ({self.without}) for an interval"
        return None


class Drawn(NamedTuple):
    """How some patients were drawn.

    Attributes:
        has_it: whether each of them belongs to the class with the outcome.
        sizes: how many patients were drawn of both classes, also those who are not among these.
        share: how large a share they are of all patients of their class; 1 if they came by chance.
        alike: whether it is the outcome itself that is counted, which every patient of its class has.
    """

    has_it: np.ndarray
    sizes: Classes
    share: float
    alike: bool = False

    @classmethod
    def by_chance(cls, patients: int) -> Self:
        """So many patients, of whom nobody knew beforehand how many have the outcome."""
        return cls(np.zeros(patients, dtype=bool), Classes(0, patients), _BY_CHANCE)

    def some(self, mine: np.ndarray) -> Self:
        """Returns how some of the patients (booleans) were drawn."""
        return self._replace(has_it=self.has_it[mine])

    def varying(self, parts: np.ndarray) -> np.ndarray:
        """Returns each patient's part in a figure, without what cannot vary because of how patients were drawn.

        The sum of their squares is the variance of the figure. What the patients of a class have in common moves it
        with their number, and is known from the products of two patients' parts; of its variance remains `_kept`.
        """
        varying = parts.astype(float)
        if self.share == _BY_CHANCE:
            return varying
        for mine, drawn in ((self.has_it, self.sizes.with_outcome), (~self.has_it, self.sizes.without)):
            total, squares = parts[mine].sum(), (parts[mine] ** 2).sum()
            # The only patient of a class has no other to tell what they have in common: all of it, if they are alike.
            in_common = (total**2 - squares) / (drawn - 1) if drawn > 1 else squares * self.alike
            if not in_common > 0:
                continue
            mean = total / mine.sum()
            varying[mine] -= mean * (1 - np.sqrt(1 - (1 - self._kept) * in_common / (mean * total)))
        return varying

    @property
    def _kept(self) -> float:
        """The share that remains of the variance that is due to the numbers of patients of both classes.

        The number with the outcome varies as that of all patients does, and is then rounded.
        """
        (with_outcome, without), patients = self.sizes, sum(self.sizes)
        rounded = _ROUNDED * patients / (with_outcome * without) if with_outcome and without else 0.0
        return min(self.share + rounded, 1.0)


@dataclass(frozen=True)
class Sample:
    """The patients of some rows, and how they were drawn.

    Attributes:
        patients: patient of each row.
        has_it: whether each row's patient belongs to the class with the outcome.
        sizes: how many patients were drawn of both classes, also those without a row here.
        share: how large a share they are of all patients of their class; 1 if they came by chance.
        most: how many rows of each row's patient can have the outcome; None if all of them can.
    """

    patients: pd.Series
    has_it: np.ndarray
    sizes: Classes
    share: float
    most: np.ndarray | None = None

    @classmethod
    def by_chance(cls, patients: pd.Series) -> Self:
        """Patients of whom nobody knew beforehand how many have the outcome: those of later years, or of a ward."""
        return cls(patients, np.zeros(len(patients), dtype=bool), Classes(0, patients.nunique()), _BY_CHANCE)

    @classmethod
    def of_each_class(cls, outcome: np.ndarray, patients: pd.Series, share: float) -> Self:
        """The same share of all patients with the outcome in any row, and of those without.

        Args:
            outcome: outcome of each row of all patients drawn, 0 or 1.
            patients: patient of each row.
            share: of all patients.
        """
        number = np.asarray(pd.factorize(patients)[0])
        has_it = np.bincount(number, weights=outcome) > 0
        return cls(patients, has_it[number], Classes.of(has_it), share)

    def limited(self, stays: pd.Series, most: int | None) -> Self:
        """Returns the same sample, where each of the rows' stays can have the outcome in so many rows (None: all)."""
        if most is None:
            return self
        number_of_stays = self.by_patient(~stays.duplicated().to_numpy())
        return replace(self, most=most * number_of_stays[self.number])

    def take(self, chosen: np.ndarray) -> Self:
        """Returns the patients of the chosen rows (booleans): they were drawn like the others."""
        most = None if self.most is None else self.most[chosen]
        return replace(self, patients=self.patients[chosen], has_it=self.has_it[chosen], most=most)

    @cached_property
    def number(self) -> np.ndarray:
        """Number of each row's patient, from 0."""
        return np.asarray(pd.factorize(self.patients)[0])

    @cached_property
    def drawn(self) -> Drawn:
        """How the patients were drawn, by number."""
        return Drawn(self.has_it[self._first], self.sizes, self.share)

    def can_have_it(self, rows: np.ndarray) -> np.ndarray:
        """Returns how many of so many rows can have the outcome, both by number of the patient."""
        return rows if self.most is None else np.minimum(rows, self.most[self._first])

    @cached_property
    def _first(self) -> np.ndarray:
        """Place of each patient's first row, by number."""
        return np.unique(self.number, return_index=True)[1]

    def by_patient(self, of_rows: np.ndarray) -> np.ndarray:
        """Returns the sum over each patient's rows."""
        return np.bincount(self.number, weights=of_rows)
