"""Scores the same feature rows with a challenger; its scores go to separate files and nowhere else.

No error here stops the run: the challenger is left out, with the reason. These functions never log.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

from wardround.core import run_files
from wardround.core.events import frame_of
from wardround.core.run_summary import ChallengerAccount
from wardround.results.challenger import agreement, with_challenger
from wardround.settings import Settings
from wardround.workflows.screen.run import Run, load_run, why_left_out
from wardround.workflows.screen.scoring import Scoring
from wardround.workflows.stores import store_of


def score_challenger(opened: Run, chunk: int, features: pd.DataFrame, hours: np.ndarray, settings: Settings) -> None:
    """Writes challenger.parquet (CHALLENGER_COLUMNS) of the chunk, or challenger_failed.json with the reason.

    `hours`: since each feature row's admission to the unit.
    """
    if opened.challenger is None or opened.challenger.left_out:
        return
    scores = run_files.of_chunk(chunk, run_files.CHALLENGER)
    failed = run_files.of_chunk(chunk, run_files.CHALLENGER_FAILED)
    for name in (scores, failed):
        opened.folder.remove(name)
    with opened.step("score_challenger", chunk=chunk) as step:
        try:
            scoring = _scoring(opened.id, settings)
            said = scoring.stated(features[list(opened.condition.columns)].to_numpy(dtype=float), hours)
            rows = [
                {"stay_id": stay, "challenger_score": one.score, "challenger_band": one.band}
                for stay, one in zip(features["stay_id"], said, strict=True)
            ]
        except Exception as error:  # noqa: BLE001 - another model's fault must not stop the live one
            opened.folder.write_json(failed, {"reason": why_left_out(error)})
            step.warn("the challenger is left out", error)
        else:
            opened.folder.write_frame(scores, frame_of(run_files.CHALLENGER_COLUMNS, rows))
            step.count(stays=len(rows))


def with_scores(ledger: pd.DataFrame, opened: Run) -> pd.DataFrame:
    """Returns the ledger with the challenger's columns, if the run has a challenger that could be scored."""
    if opened.challenger is None or opened.challenger.left_out:
        return ledger
    names = [run_files.of_chunk(chunk, run_files.CHALLENGER) for chunk in opened.chunks()]
    frames = [opened.folder.read_frame(name) for name in names if opened.folder.exists(name)]
    scores = pd.concat(frames, ignore_index=True) if frames else frame_of(run_files.CHALLENGER_COLUMNS)
    return with_challenger(ledger, scores)


def account_of(ledger: pd.DataFrame, opened: Run) -> ChallengerAccount | None:
    """Returns the summary's account of the challenger: its version, why it was left out, and how the two agree."""
    challenger = opened.challenger
    if challenger is None:
        return None
    names = [run_files.of_chunk(chunk, run_files.CHALLENGER_FAILED) for chunk in opened.chunks()]
    failed = [opened.folder.read_json(name)["reason"] for name in names if opened.folder.exists(name)]
    reason = challenger.left_out or (f"in {len(failed)} of {len(names)} chunks: {failed[0]}" if failed else "")
    compared = {} if challenger.left_out else agreement(ledger)
    return ChallengerAccount.model_validate({"version": challenger.version, "left_out": reason, **compared})


@lru_cache(maxsize=1)
def _scoring(run: str, settings: Settings) -> Scoring:
    """Returns the run's challenger, kept for the next chunk of the same run."""
    opened = load_run(run, settings)
    assert opened.challenger is not None
    model = store_of(opened.request.demo_model, settings).load(opened.condition, opened.challenger.version)
    return Scoring.of(opened.condition, model)
