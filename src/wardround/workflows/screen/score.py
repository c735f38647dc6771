"""A chunk's feature rows in; scores with their reasons, and what became of each stay, out.

These functions see patient values; they never log.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
import pandas as pd

from wardround.core import run_files
from wardround.core.events import frame_of
from wardround.core.ledger import FAILED, INDETERMINATE, SCORED
from wardround.core.reasons import FailedAt, Reason
from wardround.features.basis import basis, used_events
from wardround.results.rationale import Columns, missing_inputs, reasons
from wardround.settings import Settings
from wardround.training.model import ScoringModel
from wardround.workflows.screen.challenge import score_challenger
from wardround.workflows.screen.run import Run, load_run, require_active
from wardround.workflows.screen.stated import stated


def score(run: str, chunk: int, settings: Settings) -> None:
    """Writes scores.parquet (scored and indeterminate stays) and outcomes.parquet (every stay of the chunk).

    Raises ModelError if the run's model cannot be used any more.
    """
    opened = load_run(run, settings)
    require_active(opened, settings)
    with opened.step("score", chunk=chunk) as step:
        stays = opened.stays(chunk)
        features = opened.folder.read_frame(run_files.of_chunk(chunk, run_files.FEATURES))
        failures = _failures(opened, chunk)
        usable = features[~features["stay_id"].isin(failures)].reset_index(drop=True)
        scores = _scores(usable, opened, chunk, _model(run, settings), stays)
        opened.folder.write_frame(run_files.of_chunk(chunk, run_files.SCORES), scores)
        outcomes = _outcomes(stays, scores, failures)
        opened.folder.write_frame(run_files.of_chunk(chunk, run_files.OUTCOMES), outcomes)
        step.count(stays=len(stays))
        for outcome, mine in outcomes.groupby("outcome"):
            step.count_reasons(str(outcome), mine["reason"])
    score_challenger(opened, chunk, usable, settings)


@lru_cache(maxsize=1)
def _model(run: str, settings: Settings) -> ScoringModel:
    """The run's model, kept for the next chunk of the same run."""
    return load_run(run, settings).model(settings)


def _failures(opened: Run, chunk: int) -> dict[str, Reason]:
    broken = {stay: Reason(rule, FailedAt.QUALITY) for stay, rule in opened.broken().items()}
    extraction: dict[str, str] = opened.folder.read_json(run_files.of_chunk(chunk, run_files.FAILURES))
    return {**broken, **{stay: Reason.of(text) for stay, text in extraction.items()}}


def _scores(features: pd.DataFrame, opened: Run, chunk: int, model: ScoringModel, stays: pd.DataFrame) -> pd.DataFrame:
    """One row per usable feature row; everything is joined by stay_id, nothing by place."""
    said = stated(features, opened.condition, model)
    scorable = features[[said[stay_id].score is not None for stay_id in features["stay_id"]]]
    contributions = _contributions(model, scorable, opened)
    events = opened.folder.read_frame(run_files.of_chunk(chunk, run_files.EVENTS))
    columns = Columns.of(opened.condition, model.card.usual)
    used = used_events(events, opened.condition, opened.as_of)
    patient_of = dict(zip(stays["stay_id"], stays["patient_id"], strict=True))
    rows = []
    for stay_id, row in _by_stay(features["stay_id"], features[list(opened.condition.columns)]):
        known = used.get(patient_of[stay_id], [])
        score, band, why = said[stay_id]
        rows.append(
            {
                "stay_id": stay_id,
                "patient_id": patient_of[stay_id],
                "score": np.nan if score is None else score,
                "band": band,
                "why": why,
                "reasons": () if score is None else reasons(row, contributions[stay_id], known, columns),
                "missing": missing_inputs(row, columns),
                "basis": basis(known),
            }
        )
    return frame_of(run_files.SCORE_COLUMNS, rows)


def _contributions(model: ScoringModel, scorable: pd.DataFrame, opened: Run) -> dict[str, dict[str, float]]:
    """By stay, of all columns: 0 for those that the model does not take."""
    if scorable.empty:
        return {}
    contributions = model.contributions(scorable).reindex(columns=list(opened.condition.columns), fill_value=0.0)
    return dict(_by_stay(scorable["stay_id"], contributions))


def _by_stay(stay_ids: pd.Series, table: pd.DataFrame) -> Iterator[tuple[str, dict[str, float]]]:
    """Each row of a table of floats as a dict; pandas' own way takes ten times as long with so many columns."""
    columns = list(table.columns)
    for stay_id, values in zip(stay_ids, table.to_numpy(dtype=float).tolist(), strict=True):
        yield stay_id, dict(zip(columns, values, strict=True))


def _outcomes(stays: pd.DataFrame, scores: pd.DataFrame, failures: Mapping[str, Reason]) -> pd.DataFrame:
    known = scores.set_index("stay_id")[["score", "band", "why"]].to_dict("index")
    rows = []
    for stay_id in stays["stay_id"]:
        if stay_id in known:
            reason = known[stay_id].pop("why")
            outcome = INDETERMINATE if reason else SCORED
            rows.append({"stay_id": stay_id, "outcome": outcome, "reason": reason, **known[stay_id]})
        elif stay_id in failures:
            failed = {"outcome": FAILED, "reason": str(failures[stay_id]), "score": np.nan, "band": ""}
            rows.append({"stay_id": stay_id, **failed})
    return frame_of(run_files.OUTCOME_COLUMNS, rows)
