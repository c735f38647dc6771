"""Compares what a card says with what happens on another simulated ward of the same kind, which gives the truth.

The other ward is far larger and has another seed. It is asked as a unit asks: hourly models at every full hour before
onset, daily ones every night at one hour of the day, each through the code that screens. Its figures are counted here,
without any of the code that evaluates models. A card is right if its intervals contain them, about 19 times in 20.
"""

import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from benchmarks.measure import table
from wardround.adapters.models.store import ModelStore
from wardround.demo.simulate import Plan, simulate
from wardround.evaluation.metrics import Metric
from wardround.settings import Settings, settings_from
from wardround.sources.mimic.folder import MimicFolder
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition
from wardround.training.labels import LabelSources, label_of, outcomes
from wardround.training.model import ModelCard
from wardround.workflows.features import features_of
from wardround.workflows.screen.scoring import Scoring
from wardround.workflows.train import TrainingRequest, train

TRAINED_ON, TRUTH, SEED = 400, 1000, 1
_NOW: Final = pd.Timestamp("2026-03-10T06:00:00Z")
_HOUR: Final = pd.Timedelta(hours=1)
_NIGHT: Final = pd.Timedelta(hours=5)
_HORIZON: Final = 6
QUESTIONS: Final[dict[str, dict[str, Any]]] = {
    "daily, icd": {},
    "hourly, sepsis3, fitted to all hours": {"label": "sepsis3", "horizon": "6h"},
    "hourly, sepsis3, fitted to matched hours": {"label": "sepsis3", "horizon": "6h", "fitted_on": "matched"},
}


@dataclass(frozen=True)
class Truth:
    """The ward's own predictions and what followed."""

    score: np.ndarray
    outcome: np.ndarray
    hours_per_row: float


def main(seed: int = SEED, trained_on: int = TRAINED_ON, truth: int = TRUTH) -> None:
    """Trains on one ward and prints each figure of the cards beside that of the other ward."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_from({"WARDROUND_VAR": f"{folder}/var", "WARDROUND_MODELS": f"{folder}/models"})
        condition = load_condition("sepsis", settings.schemas)
        wards = {
            name: _ward(Path(folder) / name, stays, number, condition)
            for name, stays, number in (("trained", trained_on, seed), ("truth", truth, seed + 1000))
        }
        rows = [
            row
            for name, asked in QUESTIONS.items()
            for row in _compared(name, asked, wards["trained"], wards["truth"], settings, seed)
        ]
    table(
        f"what cards of {trained_on:,} stays say, and what happens on a ward of {truth:,} others (seed {seed})",
        ["model", "figure", "card", "95 % interval", "the ward's own", "inside"],
        rows,
    )


def _ward(folder: Path, stays: int, seed: int, condition: Condition) -> Path:
    simulate(Plan(1, stays, seed, _NOW), folder, condition.variables, lambda _said: None)
    return folder / "mimic"


def _compared(
    name: str, asked: dict[str, Any], mimic: Path, other: Path, settings: Settings, seed: int
) -> list[list[str]]:
    request = TrainingRequest.model_validate(
        {
            "condition": "sepsis",
            "mimic": mimic,
            "created": datetime(2026, 3, 10, 6, tzinfo=UTC),
            "candidates": ("logistic_regression",),
            "budget": 1,
            "seed": seed,
            **asked,
        }
    )
    card = train(request, settings, "benchmark", lambda *_: None).card
    found = _figures(_asked(card, other, settings), card.thresholds["high"])
    return [
        [
            *(name, figure, _text(said.value), f"{_text(said.low)} to {_text(said.high)}"),
            *(_text(found[figure]), _inside(said, found[figure])),
        ]
        for figure, said in _said(card).items()
    ]


def _said(card: ModelCard) -> dict[str, Metric]:
    assert card.evaluation is not None
    return {
        "share with the outcome": card.metrics["prevalence"],
        "AUROC": card.metrics["auroc"],
        "sensitivity": card.metrics["sensitivity"],
        "PPV": card.metrics["ppv"],
        "calibration in the large": card.evaluation.calibration.intercept,
        "calibration slope": card.evaluation.calibration.slope,
        "alerts per 100 patient-days": card.evaluation.alerts_per_100_patient_days,
    }


def _asked(card: ModelCard, mimic: Path, settings: Settings) -> Truth:
    """Asks the model about the ward's stays at the times at which a unit would, and sees what follows."""
    condition = load_condition("sepsis", settings.schemas)
    source = MimicFolder(mimic)
    stays, hourly = source.stays(), card.task is not None and card.task.task == "hourly"
    label = label_of(condition, card.label.rule if card.label else None)
    known = outcomes(LabelSources(stays, source.diagnoses(), source.sepsis3() if hourly else None), label)
    stays = stays.assign(happened=known["outcome"], onset=known["onset"])
    stays = stays[stays["outtime"].notna() & stays["happened"].notna()]
    index = pd.concat([_times(stay, hourly) for stay in stays.to_dict("records")], ignore_index=True)
    features, _ = features_of(source, index, condition)
    rows = features.merge(index[["stay_id", "as_of", "intime", "happened", "onset"]], on=["stay_id", "as_of"])
    hours = ((rows["as_of"] - rows["intime"]) / _HOUR).to_numpy(dtype=float)
    scoring = Scoring.of(condition, ModelStore(settings.models).load(condition, card.version))
    said = [one.score for one in scoring.stated(rows[list(condition.columns)].to_numpy(dtype=float), hours)]
    score = np.array([np.nan if one is None else one for one in said])
    outcome = rows["happened"].to_numpy(dtype=bool)
    if hourly:
        ahead = ((pd.to_datetime(rows["onset"], utc=True) - rows["as_of"]) / _HOUR).to_numpy(dtype=float)
        outcome = outcome & (ahead <= _HORIZON)
    scored = ~np.isnan(score)
    return Truth(score[scored], outcome[scored], 1.0 if hourly else 24.0)


def _times(stay: dict[str, Any], hourly: bool) -> pd.DataFrame:
    """Returns when a unit asks about a stay: each full hour since admission before onset, or each night."""
    end = stay["outtime"]
    if stay["happened"] and pd.notna(stay["onset"]):
        end = min(end, stay["onset"])
    first = stay["intime"] + _HOUR if hourly else stay["intime"].floor("D") + _NIGHT
    times = pd.date_range(first, end, freq=_HOUR if hourly else timedelta(days=1), inclusive="left")
    return pd.DataFrame({"as_of": times[times > stay["intime"]]}).assign(**stay)


def _figures(truth: Truth, threshold: float) -> dict[str, float]:
    score, outcome, flagged = truth.score, truth.outcome, truth.score >= threshold
    odds = logit(np.clip(score, 1e-6, 1 - 1e-6))
    ranks = pd.Series(score).rank().to_numpy()
    cases, others = int(outcome.sum()), int((~outcome).sum())
    return {
        "share with the outcome": float(outcome.mean()),
        "AUROC": float((ranks[outcome].sum() - cases * (cases + 1) / 2) / (cases * others)),
        "sensitivity": float(flagged[outcome].mean()),
        "PPV": float(outcome[flagged].mean()),
        "calibration in the large": float(brentq(lambda shift: (outcome - expit(odds + shift)).sum(), -8, 8)),
        "calibration slope": float(LogisticRegression(C=1e9).fit(odds[:, None], outcome).coef_[0, 0]),
        "alerts per 100 patient-days": float(flagged.mean() * 2400 / truth.hours_per_row),
    }


def _inside(said: Metric, truth: float) -> str:
    if said.low is None or said.high is None:
        return "no interval"
    return "yes" if said.low <= truth <= said.high else "no"


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
