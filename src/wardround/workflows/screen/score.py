"""Scores a chunk's feature rows and writes the scores with their reasons, and the outcome of each stay.

These functions see patient values; they never log.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pandas as pd

from wardround.core import run_files
from wardround.core.events import Events, frame_of
from wardround.core.ledger import FAILED, INDETERMINATE, SCORED
from wardround.core.stay_reasons import FailedAt, Reason
from wardround.core.stays import hours_at
from wardround.features.basis import NO_EVENTS, used_events
from wardround.settings import Settings
from wardround.workflows.screen.challenge import score_challenger
from wardround.workflows.screen.run import Run, load_run, require_active
from wardround.workflows.screen.scoring import Scoring


def score(run: str, chunk: int, settings: Settings) -> None:
    """Writes scores.parquet (scored and indeterminate stays) and outcomes.parquet (every stay of the chunk).

    Raises ModelError if the run's model can no longer be used.
    """
    opened = load_run(run, settings)
    require_active(opened, settings)
    with opened.step("score", chunk=chunk) as step:
        stays = opened.stays(chunk)
        features = opened.folder.read_frame(run_files.of_chunk(chunk, run_files.FEATURES))
        failures = _failures(opened, chunk)
        usable = features[~features["stay_id"].isin(failures)].reset_index(drop=True)
        hours = hours_at(usable, stays)
        scores = _scores(usable, hours, opened, chunk, _scoring(run, settings), stays)
        opened.folder.write_frame(run_files.of_chunk(chunk, run_files.SCORES), scores)
        outcomes = _outcomes(stays, scores, failures)
        opened.folder.write_frame(run_files.of_chunk(chunk, run_files.OUTCOMES), outcomes)
        step.count(stays=len(stays))
        for outcome, mine in outcomes.groupby("outcome"):
            step.count_reasons(str(outcome), mine["reason"])
    score_challenger(opened, chunk, usable, hours, settings)


@lru_cache(maxsize=1)
def _scoring(run: str, settings: Settings) -> Scoring:
    """Returns the run's model, kept for the next chunk of the same run."""
    opened = load_run(run, settings)
    return Scoring.of(opened.condition, opened.model(settings))


def _failures(opened: Run, chunk: int) -> dict[str, Reason]:
    broken = {stay: Reason(rule, FailedAt.QUALITY) for stay, rule in opened.broken().items()}
    extraction: dict[str, str] = opened.folder.read_json(run_files.of_chunk(chunk, run_files.FAILURES))
    return {**broken, **{stay: Reason.of(text) for stay, text in extraction.items()}}


def _scores(
    features: pd.DataFrame, hours: np.ndarray, opened: Run, chunk: int, scoring: Scoring, stays: pd.DataFrame
) -> pd.DataFrame:
    """Returns one row per usable feature row; everything is joined by stay_id, nothing by position."""
    events = Events.of_frame(opened.folder.read_frame(run_files.of_chunk(chunk, run_files.EVENTS)))
    used_of = used_events(events, opened.condition, opened.as_of)
    patient_of = dict(zip(stays["stay_id"], stays["patient_id"], strict=True))
    patients = [patient_of[stay_id] for stay_id in features["stay_id"]]
    used = [used_of.get(patient, NO_EVENTS) for patient in patients]
    values = features[list(opened.condition.columns)].to_numpy(dtype=float)
    explained = scoring.explained(values, hours, used)
    columns = {
        "stay_id": features["stay_id"],
        "patient_id": patients,
        "score": [np.nan if one.stated.score is None else one.stated.score for one in explained],
        "band": [one.stated.band for one in explained],
        "why": [one.stated.why for one in explained],
        "reasons": [one.reasons for one in explained],
        "missing": [one.missing for one in explained],
        "basis": [one.basis() for one in used],
    }
    return frame_of(run_files.SCORE_COLUMNS, columns)


def _outcomes(stays: pd.DataFrame, scores: pd.DataFrame, failures: Mapping[str, Reason]) -> pd.DataFrame:
    stated = zip(scores["score"], scores["band"], scores["why"], strict=True)
    known = dict(zip(scores["stay_id"], stated, strict=True))
    rows: list[dict[str, object]] = []
    for stay_id in stays["stay_id"]:
        if stay_id in known:
            score, band, why = known[stay_id]
            outcome = INDETERMINATE if why else SCORED
            rows.append({"stay_id": stay_id, "outcome": outcome, "reason": why, "score": score, "band": band})
        elif stay_id in failures:
            failed = {"outcome": FAILED, "reason": str(failures[stay_id]), "score": np.nan, "band": ""}
            rows.append({"stay_id": stay_id, **failed})
    return frame_of(run_files.OUTCOME_COLUMNS, rows)
