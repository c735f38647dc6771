"""Compares two stored versions of a condition on the same test patients.

The patients are the test set of the table that one of the two was trained on: from its training run, if that is
kept, or rebuilt from MIMIC-IV by the request that its card states.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from wardround.adapters.files.run_folder import run_id
from wardround.adapters.files.scratch import scratch_folder
from wardround.adapters.models.store import ModelStore
from wardround.errors import ModelError
from wardround.evaluation.comparison import counted
from wardround.evaluation.two_versions import ComparedVersion, TwoVersions, both_measured
from wardround.results.bands import HIGH, MODERATE
from wardround.settings import Settings
from wardround.spec.base import format_duration
from wardround.spec.loading import load_condition
from wardround.training.labels import label_named
from wardround.training.model import ModelCard, ScoringModel
from wardround.workflows.steps import logged
from wardround.workflows.stores import model_store
from wardround.workflows.train.build_table import build_table
from wardround.workflows.train.load import load
from wardround.workflows.train.request import TrainingRequest
from wardround.workflows.train.run import Run, load_run, run_that_made
from wardround.workflows.train.seen import seen_by
from wardround.workflows.train.table import Rows, Table


def compare_versions(
    first: str, second: str, condition_id: str | None, mimic: Path | None, settings: Settings
) -> TwoVersions:
    """Returns both versions' figures on the same test patients, and what makes the comparison unfair.

    Args:
        condition_id: the condition of the versions; None if the store has them for only one condition.
        mimic: MIMIC-IV, to make the test patients again; None to use those of a training run that is kept.

    Raises:
        ModelError: a version is not stored, cannot be used today, or answers another question than the other one; or
            there are no patients to compare them on.
        SourceDataError: MIMIC-IV cannot be read.
        StorageError: there is no room for the table.
    """
    store = model_store(settings)
    condition = load_condition(condition_id or _condition_of(first, second, store), settings.schemas)
    with logged(condition.id, "compare_versions") as step:
        both = tuple(store.load(condition, version) for version in (first, second))
        _require_one_question(both[0].card, both[1].card)
        with _test_side(both, mimic, settings) as (run, patients):
            every = run.table.side(on_test=True)
            covered = _covered_by(both, every)
            test = every.take(covered)
            scores = tuple(_scores(model, run.table, covered) for model in both)
            digest = run.table.digest()
            seen = [seen_by(model.card, test.patients, digest, settings) for model in both]
            step.count(rows=len(test.frame))
            return TwoVersions(
                condition=condition.id,
                first=ComparedVersion(version=first, seen=seen[0]),
                second=ComparedVersion(version=second, seen=seen[1]),
                patients=patients,
                test=counted(test.outcome, test.patients, not_covered=int((~covered).sum())),
                metrics=both_measured(
                    test.outcome,
                    test.sample,
                    (scores[0], scores[1]),
                    {band: (both[0].card.thresholds[band], both[1].card.thresholds[band]) for band in (HIGH, MODERATE)},
                    run.task.hours_per_row,
                ),
                notes=tuple(_note(model.card) for model in both if model.card.imported),
            )


def _covered_by(both: tuple[ScoringModel, ...], rows: Rows) -> np.ndarray:
    """Returns, for each row, whether both versions cover its hour. Raises ModelError if they share no hour."""
    covered = rows.covered_by(*(model.card.training_hours for model in both))
    if not covered.any():
        raise ModelError(
            f"models {both[0].version} and {both[1].version}: no prediction for these test patients is at an hour that"
            " both cover, expected some to compare them on; train one of them for hours that the other covers"
        )
    return covered


def _condition_of(first: str, second: str, store: ModelStore) -> str:
    """Returns the condition that both versions are stored for."""
    known = {one: set(store.versions(one)) for one in store.conditions()}
    of_both = [one for one, versions in known.items() if {first, second} <= versions]
    if len(of_both) == 1:
        return of_both[0]
    if of_both:
        raise ModelError(
            f"model store: {first} and {second} are stored for several conditions ({', '.join(of_both)}); say which"
            " with --condition"
        )
    places = {one: next((name for name, versions in known.items() if one in versions), None) for one in (first, second)}
    missing = [version for version, place in places.items() if place is None]
    if missing:
        raise ModelError(
            f"model store: has no version {missing[0]!r}; `wardround model list` shows the versions that it has"
        )
    raise ModelError(
        f"models {first} and {second}: are of different conditions ({places[first]}, {places[second]}), expected two of"
        " one; what they predict cannot be compared"
    )


def _require_one_question(first: ModelCard, second: ModelCard) -> None:
    """Raises ModelError if they learned to predict different things; this is unknown for a model from elsewhere."""
    if first.imported or second.imported:
        return
    asked = [_question(card) for card in (first, second)]
    if (first.label, first.horizon, first.task) != (second.label, second.horizon, second.task):
        same = " (their definitions of the label differ)" if asked[0] == asked[1] else ""
        raise ModelError(
            f"models {first.version} and {second.version}: were trained for different questions ({asked[0]};"
            f" {asked[1]}{same}), expected the same; train one of them for the other's label,"
            " horizon and prediction time"
        )


def _question(card: ModelCard) -> str:
    at = format_duration(card.task.at) if card.task else "at a time not stated"
    task = card.task.task if card.task else "task not stated"
    return f"{label_named(card.label)}, horizon {card.horizon}, {task} from {at}"


@contextmanager
def _test_side(both: tuple[ScoringModel, ...], mimic: Path | None, settings: Settings) -> Iterator[tuple[Run, str]]:
    """Yields the run whose test set both are compared on, and whose patients these are, in words."""
    cards = [model.card for model in both if not model.card.imported]
    if not cards:
        raise ModelError(
            f"models {both[0].version} and {both[1].version}: both were trained elsewhere, so there are no"
            " patients to compare them on; compare each with a version that was trained here"
        )
    if mimic is None:
        for card in cards:
            if run := run_that_made(card.condition, card.version, settings):
                yield (
                    load_run(run, settings),
                    f"the test patients of {card.version}, from its training run {run}",
                )
                return
        raise ModelError(
            f"models {both[0].version} and {both[1].version}: neither training run is kept in {settings.runs},"
            " expected one for its test patients; give --mimic DIR to rebuild them"
        )
    card = cards[0]
    with scratch_folder() as scratch:
        own = replace(settings, runs=str(scratch))
        run = load(_request_of(card, mimic), own)
        build_table(run, own)
        opened = load_run(run, own)
        again = opened.table.digest() == card.data_digest
        whose = (
            f"the test patients of {card.version}, rebuilt from MIMIC-IV"
            if again
            else (f"test patients drawn as for {card.version}, from data other than it was trained on")
        )
        yield opened, whose


def _request_of(card: ModelCard, mimic: Path) -> TrainingRequest:
    """Returns the request that made the card's table, for this copy of MIMIC-IV."""
    design = card.design
    stated = {
        "condition": card.condition,
        "mimic": mimic,
        "created": card.created,
        "label": card.label.rule if card.label else None,
        "onset": card.label.onset if card.label else None,
        "suspicion": card.label.suspicion if card.label else None,
        "horizon": card.task.horizon if card.task else None,
        "seed": card.seed,
        "split": card.split.rule,
        **({"fitted_on": design.fitted_on} if design else {}),
        "run": run_id(f"train_{card.condition}", pd.Timestamp(card.created)),
        **({"at": card.prediction_time} if card.prediction_time else {}),
    }
    return TrainingRequest.model_validate(stated)


def _scores(model: ScoringModel, table: Table, covered: np.ndarray) -> np.ndarray:
    """Returns the score of each covered row, of which there is at least one."""
    can = table.scored(model.can_score)[covered]
    lacking = int((can == 0).sum())
    if lacking:
        raise ModelError(
            f"model {model.version}: cannot score {lacking:,} of {len(can):,} rows of test patients, who"
            " lack an input that it requires; give it values to impute, and import it again"
        )
    return table.scored(model.predict)[covered]


def _note(card: ModelCard) -> str:
    return f"{card.version} was trained elsewhere: which label and patients it learned from is not stated."
