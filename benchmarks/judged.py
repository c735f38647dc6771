"""Counts how often the intervals of cards contain what happens on another simulated ward, which gives the truth.

`python -m benchmarks.judged [TRAININGS] [FIRST_SEED]`. Each training has a ward of its own seed. The other ward is far
larger and the same for all. It is asked as a unit asks: hourly models at every full hour before onset, daily ones every
night at one hour of the day, each through the code that screens. Its figures are counted here, without any of the code
that evaluates models. Cards are right if about 95 % of their intervals contain these figures.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from benchmarks.measure import table
from wardround.adapters.models.store import ModelStore
from wardround.core import run_files
from wardround.demo.simulate import Plan, simulate
from wardround.evaluation.metrics import Metric
from wardround.results.bands import HIGH
from wardround.settings import Settings, settings_from
from wardround.sources.mimic.folder import MimicFolder
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition
from wardround.training.labels import LabelSources, label_of, outcomes
from wardround.training.model import ModelCard
from wardround.workflows.features import features_of
from wardround.workflows.screen.scoring import Scoring
from wardround.workflows.train import TrainingRequest, build_table, evaluate, fit_candidate, load, write_card
from wardround.workflows.train.run import load_run

TRAININGS, FIRST, TRAINED_ON, TRUTH, TRUTH_SEED = 12, 1, 400, 2000, 1001
_NOW: Final = pd.Timestamp("2026-03-10T06:00:00Z")
_HOUR: Final = pd.Timedelta(hours=1)
_NIGHT: Final = pd.Timedelta(hours=5)
_HORIZON: Final = 6
_CANDIDATE: Final = "logistic_regression"
_HOURLY: Final = {"label": "sepsis3", "horizon": "6h"}
QUESTIONS: Final[dict[str, dict[str, Any]]] = {
    "daily": {},
    "daily, from 24 h": {"at": "24h"},
    "hourly": _HOURLY,
    "hourly, matched": {**_HOURLY, "fitted_on": "matched"},
}


@dataclass(frozen=True)
class Asked:
    """Rows of the other ward at which it asks: stay_id, hour, outcome and the condition's columns, in order of time."""

    rows: pd.DataFrame
    condition: Condition
    hours_per_row: float


class Told(NamedTuple):
    """One figure of one card, and the other ward's own."""

    question: str
    figure: str
    said: Metric
    truth: float

    @property
    def inside(self) -> bool | None:
        """Whether the interval contains the truth; None if there is none."""
        if self.said.low is None or self.said.high is None:
            return None
        return self.said.low <= self.truth <= self.said.high


def main(trainings: int = TRAININGS, first: int = FIRST, trained_on: int = TRAINED_ON, truth: int = TRUTH) -> None:
    """Trains on so many wards and prints the medians of each figure, and how many intervals contain the truth."""
    found: list[Told] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_from({"WARDROUND_VAR": f"{folder}/var", "WARDROUND_MODELS": f"{folder}/models"})
        condition = load_condition("sepsis", settings.schemas)
        other = _ward(Path(folder) / "truth", truth, TRUTH_SEED, condition)
        asked = {hourly: _asked(other, hourly, condition) for hourly in (False, True)}
        for seed in range(first, first + trainings):
            ward = _ward(Path(folder) / f"ward-{seed}", trained_on, seed, condition)
            for question, given in QUESTIONS.items():
                card = _card(given, ward, settings, seed)
                found += _compared(question, card, asked["horizon" in given], settings)
            print(f"seed {seed}: {sum(one.inside is False for one in found)} of {len(found)} not inside", flush=True)
    table(
        f"cards of {trained_on:,} stays (seeds {first} to {first + trainings - 1}), and what happens on a ward of"
        f" {truth:,} others (seed {TRUTH_SEED})",
        ["model", "figure", "cards", "ward", "intervals", "contain", "too low", "too high"],
        _lines(found),
    )


def _ward(folder: Path, stays: int, seed: int, condition: Condition) -> Path:
    simulate(Plan(1, stays, seed, _NOW), folder, condition.variables, lambda _said: None)
    return folder / "mimic"


def _card(given: dict[str, Any], mimic: Path, settings: Settings, seed: int) -> ModelCard:
    """Trains as `wardround train` does, but without the gates against leakage, which change no figure."""
    fixed = {"condition": "sepsis", "created": datetime(2026, 3, 10, 6, tzinfo=UTC), "candidates": (_CANDIDATE,)}
    request = TrainingRequest.model_validate({**fixed, "mimic": mimic, "budget": 1, "seed": seed, **given})
    run = load(request, settings)
    build_table(run, settings)
    fit_candidate(run, _CANDIDATE, settings)
    evaluate(run, settings)
    load_run(run, settings).folder.write_json(run_files.GATES, [])
    return ModelStore(settings.models).card("sepsis", write_card(run, settings))


def _asked(mimic: Path, hourly: bool, condition: Condition) -> Asked:
    """Returns the times at which a unit would ask about its stays, with features and with what followed."""
    source = MimicFolder(mimic)
    stays = source.stays()
    sources = LabelSources(stays, source.diagnoses(), source.sepsis3() if hourly else None)
    known = outcomes(sources, label_of(condition, "sepsis3" if hourly else None))
    stays = stays.assign(happened=known["outcome"], onset=known["onset"])
    stays = stays[stays["outtime"].notna() & stays["happened"].notna()]
    index = pd.concat([_times(stay, hourly) for stay in stays.to_dict("records")], ignore_index=True)
    features, _ = features_of(source, index, condition)
    rows = features.merge(index[["stay_id", "as_of", "intime", "happened", "onset"]], on=["stay_id", "as_of"])
    outcome = rows["happened"].to_numpy(dtype=bool)
    if hourly:
        ahead = ((pd.to_datetime(rows["onset"], utc=True) - rows["as_of"]) / _HOUR).to_numpy(dtype=float)
        outcome = outcome & (ahead <= _HORIZON)
    hour = (rows["as_of"] - rows["intime"]) / _HOUR
    rows = rows.assign(hour=hour, outcome=outcome)[["stay_id", "hour", "outcome", *condition.columns]]
    return Asked(rows.sort_values(["stay_id", "hour"], ignore_index=True), condition, 1.0 if hourly else 24.0)


def _times(stay: dict[str, Any], hourly: bool) -> pd.DataFrame:
    """Returns when a unit asks about a stay: each full hour since admission before onset, or each night."""
    end = stay["outtime"]
    if stay["happened"] and pd.notna(stay["onset"]):
        end = min(end, stay["onset"])
    first = stay["intime"] + _HOUR if hourly else stay["intime"].floor("D") + _NIGHT
    times = pd.date_range(first, end, freq=_HOUR if hourly else timedelta(days=1), inclusive="left")
    return pd.DataFrame({"as_of": times[times > stay["intime"]]}).assign(**stay)


def _compared(question: str, card: ModelCard, asked: Asked, settings: Settings) -> Iterator[Told]:
    truth = _figures(card, asked, settings)
    for figure, said in _said(card).items():
        yield Told(question, figure, said, truth[figure])


def _said(card: ModelCard) -> dict[str, Metric]:
    found = card.evaluation
    assert found is not None
    assert found.episodes is not None
    return {
        "share with the outcome": card.metrics["prevalence"],
        "AUROC": card.metrics["auroc"],
        "sensitivity": card.metrics["sensitivity"],
        "PPV": card.metrics["ppv"],
        "calibration in the large": found.calibration.intercept,
        "calibration slope": found.calibration.slope,
        "high band per 100 patient-days": found.alerts_per_100_patient_days,
        "alerts told per 100 patient-days": found.episodes.alerts_per_100_patient_days,
    }


def _figures(card: ModelCard, asked: Asked, settings: Settings) -> dict[str, float]:
    rows, model = asked.rows, ModelStore(settings.models).load(asked.condition, card.version)
    values = rows[list(asked.condition.columns)].to_numpy(dtype=float)
    stated = Scoring.of(asked.condition, model).stated(values, rows["hour"].to_numpy())
    scored = np.array([one.score is not None for one in stated])
    score = model.predict(rows[scored])  # what is stated is rounded to four digits, which would blur the slope
    flagged = np.array([one.band == HIGH for one in stated])[scored]
    outcome, rows = rows["outcome"].to_numpy()[scored], rows[scored]
    odds = logit(np.clip(score, 1e-6, 1 - 1e-6))
    ranks, cases, others = pd.Series(score).rank().to_numpy(), int(outcome.sum()), int((~outcome).sum())
    hundred_days = len(rows) * asked.hours_per_row / 2400
    lock_out = asked.condition.lock_out / timedelta(hours=1)
    return {
        "share with the outcome": float(outcome.mean()),
        "AUROC": float((ranks[outcome].sum() - cases * (cases + 1) / 2) / (cases * others)),
        "sensitivity": float(flagged[outcome].mean()),
        "PPV": float(outcome[flagged].mean()) if flagged.any() else float("nan"),
        "calibration in the large": float(brentq(lambda shift: (outcome - expit(odds + shift)).sum(), -8, 8)),
        "calibration slope": float(LogisticRegression(C=1e9).fit(odds[:, None], outcome).coef_[0, 0]),
        "high band per 100 patient-days": float(flagged.sum()) / hundred_days,
        "alerts told per 100 patient-days": _told(rows[flagged], lock_out) / hundred_days,
    }


def _told(flagged: pd.DataFrame, lock_out: float) -> int:
    """Returns how often people are told, if not again for so many hours."""
    told, last = 0, dict[str, float]()
    for stay, hour in zip(flagged["stay_id"], flagged["hour"], strict=True):
        if hour - last.get(stay, -np.inf) >= lock_out:
            told, last[stay] = told + 1, hour
    return told


def _lines(found: list[Told]) -> Iterator[list[str]]:
    for question in QUESTIONS:
        for figure in dict.fromkeys(one.figure for one in found):
            mine = [one for one in found if (one.question, one.figure) == (question, figure)]
            judged = [one for one in mine if one.inside is not None]
            yield [question, figure, *_counts(mine, judged)]
    judged = [one for one in found if one.inside is not None]
    yield ["all", "all", "", "", *_counts(found, judged)[2:]]


def _counts(all_told: list[Told], judged: list[Told]) -> list[str]:
    said = [one.said.value for one in all_told if one.said.value is not None]
    # A card that puts the figure too low has an interval that ends below the truth.
    low = sum(one.said.high is not None and one.said.high < one.truth for one in judged)
    high = sum(one.said.low is not None and one.said.low > one.truth for one in judged)
    inside = sum(bool(one.inside) for one in judged)
    truths = [one.truth for one in all_told if not np.isnan(one.truth)]
    medians = (f"{np.median(some):.3f}" if some else "–" for some in (said, truths))
    return [*medians, str(len(judged)), str(inside), str(low), str(high)]


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
