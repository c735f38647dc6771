"""What a run left behind, already read: frames and facts for the report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from wardround.core.expected_stays import Census
from wardround.core.run_summary import RunSummary
from wardround.core.stored_request import StoredScreening
from wardround.evaluation.gates import Verdict
from wardround.quality.suite import QualityResult
from wardround.report.bedside import BedsideUse
from wardround.report.earlier import EarlierRuns
from wardround.spec.conditions import Condition
from wardround.training.decisions import Decision
from wardround.training.model import ModelCard


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        run: its id.
        condition: the condition that was screened for.
        request: what the run was opened with.
        summary: empty for a run that ended before it was written.
        ledger: LEDGER_COLUMNS, one row per stay found.
        stays: stay_id and intime of the stays found.
        scores: stay_id, reasons and missing (sequences of text) of the stays with features.
        unknown: feature column -> in how many of `rows` it is unknown.
        rows: feature rows of the run.
        set_aside: variable -> reason -> how many events were set aside.
        quality: None if the features were never checked against the suite.
        census: empty for a run that never found its stays.
        card: the card of the model that scored; None if it is no longer in the store, or if no model was used.
        gates: the verdict of the promotion gates on that model.
        earlier: the previous runs with the same request.
        suspended: the decision by which the condition is now switched off; None if it is not.
        bedside: what was shown and heard at the bedside before the run; None for nothing.
    """

    run: str
    condition: Condition
    request: StoredScreening
    summary: RunSummary
    ledger: pd.DataFrame
    stays: pd.DataFrame
    scores: pd.DataFrame
    unknown: Mapping[str, int]
    rows: int
    set_aside: Mapping[str, Mapping[str, int]]
    quality: QualityResult | None
    card: ModelCard | None
    gates: Verdict = "not_judged"
    suspended: Decision | None = None
    bedside: BedsideUse | None = None
    earlier: EarlierRuns = field(default_factory=EarlierRuns)
    census: Census = field(default_factory=Census)


def texts_of(value: Any) -> Iterable[str]:
    """Returns the texts in a cell; a stay without a feature row has NaN there."""
    return () if isinstance(value, float) or value is None else (str(text) for text in value)
