"""Scores feature values with a model: each row gets its stated score, or why it has none, and the reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np

from wardround.errors import ModelError
from wardround.features.basis import UsedEvents
from wardround.features.minimum_data import enough_data
from wardround.results.bands import band_of
from wardround.results.rationale import Columns, missing_inputs, reasons
from wardround.results.training_hours import OUTSIDE_TRAINING_HOURS, outside_training_hours
from wardround.spec.conditions import Condition
from wardround.training.model import Inputs, ScoringModel

# More digits than a probability deserves, but fewer than the noise from a different batch size reaches.
_DIGITS: Final = 4
MINIMUM_DATA: Final = "minimum_data"
REQUIRED_INPUT: Final = "required_input"  # of a model that was trained elsewhere


class Stated(NamedTuple):
    """What a model says of a stay: a probability and its band, or None, `indeterminate` and the reason."""

    score: float | None
    band: str
    why: str


class Explained(NamedTuple):
    """What a model says of a stay, the reasons in words, and the inputs of which nothing is known."""

    stated: Stated
    reasons: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Scoring:
    """A model prepared to score rows of its condition's columns.

    Its functions take such rows (NaN is unknown) and the hours since each stay's admission to the unit (NaN if
    unknown), and raise ModelError if the model returns anything other than probabilities.
    """

    model: ScoringModel
    columns: Columns
    inputs: Inputs

    @classmethod
    def of(cls, condition: Condition, model: ScoringModel) -> Self:
        """Prepares a model; raises ModelError if it takes a column that the condition does not have."""
        return cls(model, Columns.of(condition, model.card.usual), model.inputs_among(condition.columns))

    def stated(self, values: np.ndarray, hours: np.ndarray) -> list[Stated]:
        """Returns what the model says of each row."""
        why = self._why_not(values, hours)
        inputs = self.inputs.of(values[why == ""])
        return self._said(why, self.model.probabilities(inputs) if len(inputs) else np.zeros(0))

    def explained(self, values: np.ndarray, hours: np.ndarray, used: Sequence[UsedEvents]) -> list[Explained]:
        """Returns what the model says of each row, with the reasons; `used` holds the events behind each row."""
        why = self._why_not(values, hours)
        rows = (why == "").nonzero()[0]
        probabilities, told = np.zeros(0), {}
        if len(rows):
            scored, mine = values[rows], rows.tolist()
            probabilities, contributions = self.model.explained(self.inputs.of(scored))
            of_all = self.inputs.spread(contributions, len(self.columns.condition.columns))
            found = reasons(scored, of_all, [used[row] for row in mine], self.columns)
            told = dict(zip(mine, found, strict=True))
        stated, missing = self._said(why, probabilities), missing_inputs(values, self.columns)
        return [Explained(one, told.get(row, ()), missing[row]) for row, one in enumerate(stated)]

    def _why_not(self, values: np.ndarray, hours: np.ndarray) -> np.ndarray:
        """Returns why a row gets no score; empty for rows that do."""
        why = np.full(len(values), "", dtype=object)
        why[outside_training_hours(hours, self.model.card.training_hours)] = OUTSIDE_TRAINING_HOURS
        why[~self.inputs.have_required(values)] = REQUIRED_INPUT
        why[~enough_data(values, self.columns.subjects)] = MINIMUM_DATA
        return why

    def _said(self, why: np.ndarray, probabilities: np.ndarray) -> list[Stated]:
        scored = int((why == "").sum())
        if len(probabilities) != scored or not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise ModelError(f"model {self.model.version}: did not return one probability per stay; train again")
        thresholds = {str(name): at for name, at in self.model.card.thresholds.items()}
        left, said = iter(probabilities.tolist()), []
        for reason in why:
            # The band is derived from the score as stated, so it cannot contradict it or depend on the size of a batch.
            score = None if reason else round(next(left), _DIGITS)
            said.append(Stated(score, band_of(score, thresholds), reason))
        return said
