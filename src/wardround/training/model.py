"""The model card, and the model that scores: it turns feature rows into probabilities and their contributions."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from wardround.candidates.base import Scorer
from wardround.errors import ModelError
from wardround.evaluation.by_time import ByTime
from wardround.evaluation.calibration import calibrated
from wardround.evaluation.gates import GateResult
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import BandShare, Calibration, Design, Evaluation, Task
from wardround.imported.about import Imported
from wardround.results.training_hours import TrainingHours
from wardround.spec.base import Duration, SpecModel
from wardround.spec.conditions import Label
from wardround.training.about import About
from wardround.training.fitting import CandidateResult

SAFETY: Final = (
    "Adjunct only: never the sole basis of a decision. Needs validation on local patients before use."
    " Figures of a small demonstration data set support no claim about accuracy."
)
HOSPITAL_STAY: Final = "hospital_stay"
NOT_STATED: Final = "not stated"  # for a model that was trained elsewhere


class Flow(SpecModel):
    """Every stay of the training data: found = used + all excluded."""

    found: int
    excluded: dict[str, int] = Field(description="Stays left out, by reason.")
    used: int

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.found != self.used + sum(self.excluded.values()):
            raise ValueError(f"got {self.found} stays found, {self.used} used, {self.excluded} excluded: do not add up")
        return self


class Side(SpecModel):
    """One side of the split."""

    patients: int
    stays: int
    positives: int = Field(description="Stays with the outcome.")
    patients_with_outcome: int | None = Field(
        default=None, description="Patients with the outcome in any stay. None: not counted by an earlier release."
    )


class Split(SpecModel):
    """How patients, not stays, were split; only the chosen candidate scored the test set, and only once."""

    rule: Literal["patient", "calendar"] = Field(
        default="patient", description="How the test set was chosen: random patients, or patients of the latest years."
    )
    train: Side
    test: Side
    test_share: float
    folds: int


class ModelCard(SpecModel):
    """What is known about a model; card.json in its folder. `version` identifies the rest of it, except `created`."""

    condition: str
    title: str
    version: str
    created: datetime
    safety: str = SAFETY
    about: About = Field(
        default=About(), description="The condition in words, and people's statements about the model."
    )
    columns: tuple[str, ...] = Field(description="Inputs of the model, in order.")
    spec_digest: str
    data_digest: str = Field(description="SHA-256 of the training table: ids, features, outcomes.")
    label: Label | None = Field(description="What it learned; None if unknown, for an imported model.")
    horizon: str = Field(description="A duration, hospital_stay, or not stated.")
    prediction_time: Duration | None = Field(
        description="The earliest prediction after admission to the unit; None if unknown."
    )
    training_hours: TrainingHours | None = Field(
        default=None,
        description="The hours since admission that the model covers: it is asked only within them. None if not stated,"
        " by an earlier release or for a model trained elsewhere: it is asked at any hour.",
    )
    cohort: Flow
    readings_set_aside: dict[str, dict[str, int]] = Field(
        default={}, description="Readings of the source that did not become events, by variable and reason."
    )
    split: Split
    candidates: dict[str, CandidateResult]
    chosen: str
    metrics: dict[str, Metric] = Field(description="On the test patients, with 95 % intervals over patients.")
    task: Task | None = Field(default=None, description="None for a model trained elsewhere.")
    evaluation: Evaluation | None = Field(default=None, description="None for a model trained elsewhere.")
    by_time: ByTime | None = Field(
        default=None,
        description="What the ranking owes to the time since the stay began. None if no input is such a time, and not"
        " measured by an earlier release or for a model trained elsewhere.",
    )
    gates: tuple[GateResult, ...] = Field(
        default=(), description="The gates against leakage; none if trained elsewhere."
    )
    thresholds: dict[Literal["moderate", "high"], float] = Field(description="Where the bands start.")
    calibration: Calibration = Calibration()
    contributions_unit: Literal["log-odds", "probability"]
    imputation: dict[str, float] = Field(description="What replaces an unknown input: medians of the training set.")
    seed: int | None = Field(description="None for a model trained elsewhere.")
    libraries: dict[str, str]
    files: dict[str, str] = Field(description="SHA-256 of each file of the model folder beside this card.")
    imported: Imported | None = Field(default=None, description="Where it came from, if it was not trained here.")

    @property
    def usual(self) -> Mapping[str, float]:
        """The patient that reasons compare with, by column: the medians of the training set, or typical values."""
        return self.imported.typical if self.imported else self.imputation

    @property
    def is_hourly(self) -> bool:
        """Whether the model predicts at every full hour."""
        return self.task is not None and self.task.task == "hourly"

    @property
    def design(self) -> Design | None:
        """Which predictions the figures are of; None if an earlier release, or nobody, has judged the model."""
        return self.evaluation.design if self.evaluation else None

    @property
    def bands(self) -> tuple[BandShare, ...]:
        """How many predictions are in each band; empty in the same cases."""
        return self.evaluation.bands if self.evaluation else ()

    def content_version(self, condition_version: str) -> str:
        """Returns `<condition version>-<12 hex>`, which is the same for the same data, seed, spec and libraries."""
        content = self.model_dump(mode="json", exclude={"version": True, "created": True, "imported": {"trusted_by"}})
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return f"{condition_version}-{digest[:12]}"


@dataclass(frozen=True, eq=False)
class Inputs:
    """Where a model's inputs are among the columns of rows, and what replaces an unknown one.

    Attributes:
        places: the column of each input, in the model's order.
        imputation: the value for each unknown input; NaN if there is none, and the model gets NaN.
        required: the places of the inputs without which there is no score.
    """

    places: np.ndarray
    imputation: np.ndarray
    required: np.ndarray

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Returns the model's inputs of these rows, imputed."""
        inputs = np.ascontiguousarray(rows[:, self.places])
        np.copyto(inputs, self.imputation, where=np.isnan(inputs))
        return inputs

    def have_required(self, rows: np.ndarray) -> np.ndarray:
        """Returns, for each row, whether it has all inputs that are required and have no imputation."""
        return np.asarray(~np.isnan(rows[:, self.required]).any(axis=1))

    def spread(self, contributions: np.ndarray, width: int) -> np.ndarray:
        """Returns the contributions of inputs as contributions of all `width` columns: 0 for those not taken."""
        of_all = np.zeros((len(contributions), width))
        of_all[:, self.places] = contributions
        return of_all


@dataclass(frozen=True)
class ScoringModel:
    """A fitted candidate with its card. The score of a row depends only on that row.

    Features are frames with at least the card's columns, found by name; NaN means unknown and is imputed from the card,
    if the card has a value. `inputs_among` does the same for rows of other columns.
    """

    card: ModelCard
    fitted: Scorer

    @property
    def version(self) -> str:
        return self.card.version

    def inputs_among(self, columns: Sequence[str]) -> Inputs:
        """Returns where the model's inputs are among these columns. Raises ModelError if one is missing."""
        place = {name: number for number, name in enumerate(columns)}
        missing = [column for column in self.card.columns if column not in place]
        if missing:
            raise ModelError(
                f"model {self.version}: column {missing[0]} is missing from the features, expected all of its card's"
                " columns; build the features with the condition that the model was trained for"
            )
        known = self.card.imputation
        required = [one.column for one in self.card.imported.inputs if one.required] if self.card.imported else []
        return Inputs(
            np.array([place[name] for name in self.card.columns], dtype=np.int64),
            np.array([known.get(name, np.nan) for name in self.card.columns]),
            np.array([place[name] for name in required if name not in known], dtype=np.int64),
        )

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the calibrated probability of the outcome for each row of inputs, of which there is at least one."""
        return calibrated(self.fitted.predict(inputs), self.card.calibration)

    def explained(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the same and each input's part in it (rows x inputs), in `card.contributions_unit`.

        The parts of a row and the candidate's bias add up to its prediction in that unit (log-odds: before the logistic
        function), before calibration, which changes neither their order nor their signs.
        """
        scores, contributions = self.fitted.explained(inputs)
        return calibrated(scores, self.card.calibration), contributions.values

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Returns the calibrated probability of the outcome for each row. Raises ModelError if a column is missing."""
        inputs = self._inputs(features)
        return self.probabilities(inputs) if len(inputs) else np.zeros(0)

    def can_score(self, features: pd.DataFrame) -> np.ndarray:
        """Returns, for each row, whether it has all inputs that are required and have no imputation."""
        columns, rows = self._rows(features)
        return self.inputs_among(columns).have_required(rows)

    def _inputs(self, features: pd.DataFrame) -> np.ndarray:
        columns, rows = self._rows(features)
        return self.inputs_among(columns).of(rows)

    def _rows(self, features: pd.DataFrame) -> tuple[list[str], np.ndarray]:
        columns = [name for name in self.card.columns if name in features]
        return columns, features[columns].to_numpy(dtype=float)
