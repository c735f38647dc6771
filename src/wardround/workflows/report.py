"""A run's folder in, report.html out. It sees patient values; its log says where the report is, and no more."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import pandas as pd

from wardround.adapters.model_store import ModelStore
from wardround.adapters.report_html import render
from wardround.adapters.run_folder import RunFolder, runs_in
from wardround.core.decisions import Standing
from wardround.core.events import frame_of
from wardround.core.ledger import EXCLUDED, FAILED, LEDGER_COLUMNS
from wardround.core.model import ModelCard
from wardround.core.report.record import RunRecord
from wardround.core.report.view import run_report
from wardround.core.report.words import UNFINISHED
from wardround.core.report.worklist import listed
from wardround.core.suite import QualityResult
from wardround.errors import ModelError, RunNotFound
from wardround.settings import Settings
from wardround.spec.loading import load_condition

_LOG = logging.getLogger(__name__)

REPORT: Final = "report.html"
# Beside the other one, which stays as it was.
WITHOUT_IDENTIFIERS: Final = "report-no-identifiers.html"
_SCORES: Final = ["stay_id", "reasons", "missing"]
_STAYS: Final = ["stay_id", "intime"]


def report(run: str, settings: Settings, identifiers: bool = True) -> str:
    """Writes the report of a run into its folder; gives its path, or its URL where runs lie in object storage.

    A run that ended early is reported as far as it came. Raises RunNotFound, and SpecError if the condition is gone.
    """
    name = REPORT if identifiers else WITHOUT_IDENTIFIERS
    page = report_page(run, settings, identifiers)
    folder = RunFolder.of(settings.runs, run)
    folder.write_text(name, page)
    _LOG.info("run %s: the report is at %s", run, folder.location(name))
    return folder.location(name)


def report_page(run: str, settings: Settings, identifiers: bool = True) -> str:
    """The report of a run as HTML. Raises RunNotFound and SpecError."""
    return render(run_report(_record(_folder(run, settings), run, settings), identifiers))


def _folder(run: str, settings: Settings) -> RunFolder:
    try:
        return RunFolder.existing(settings.runs, run)
    except RunNotFound as error:
        close = get_close_matches(run, runs_in(settings.runs), n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise RunNotFound(f"{error}{hint}") from None


def _record(folder: RunFolder, run: str, settings: Settings) -> RunRecord:
    names = folder.list()
    request = folder.read_json("request.json")
    condition = load_condition(request["condition"], settings.schemas)
    stays = folder.read_frame("stays.parquet") if "stays.parquet" in names else pd.DataFrame(columns=_STAYS)
    ledger = folder.read_frame("ledger.parquet") if "ledger.parquet" in names else _unfinished(stays)
    unknown, rows = _unknown(folder, names)
    now = _standing(request, settings)
    return RunRecord(
        run=run,
        condition=condition,
        request=request,
        summary=folder.read_json("summary.json") if "summary.json" in names else {},
        ledger=ledger,
        stays=stays[_STAYS],
        scores=_scores(folder, names, listed(ledger)),
        unknown=unknown,
        rows=rows,
        set_aside=folder.read_json("set_aside.json") if "set_aside.json" in names else {},
        quality=QualityResult.model_validate(folder.read_json("quality.json")) if "quality.json" in names else None,
        card=_card(request, settings),
        gates=now.verdict(request["model_version"]),
        suspended=now.suspended,
        census=folder.read_json("census.json") if "census.json" in names else {},
    )


def _unfinished(stays: pd.DataFrame) -> pd.DataFrame:
    """The ledger of a run that ended before it had one: nobody was scored, nothing was written."""
    if stays.empty:
        return frame_of(LEDGER_COLUMNS)
    excluded = stays["excluded"] != ""
    account = stays.assign(
        outcome=excluded.map({True: EXCLUDED, False: FAILED}),
        reason=stays["excluded"].where(excluded, UNFINISHED),
        score=float("nan"),
        band="",
        written=False,
    )
    return frame_of(LEDGER_COLUMNS, account[list(LEDGER_COLUMNS)])


def _scores(folder: RunFolder, names: Sequence[str], wanted: set[str]) -> pd.DataFrame:
    """What the lists say of these stays. The reasons of a whole ward would be most of the report's memory."""
    files = (folder.read_frame(name, _SCORES) for name in names if name.endswith("/scores.parquet"))
    frames = [scores[scores["stay_id"].isin(wanted)] for scores in files]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=_SCORES)


def _unknown(folder: RunFolder, names: Sequence[str]) -> tuple[Counter[str], int]:
    """Unknown values per feature column, and the feature rows; one chunk in memory at a time."""
    unknown: Counter[str] = Counter()
    rows = 0
    for name in names:
        if name.endswith("/features.parquet"):
            features = folder.read_frame(name)
            unknown.update({str(column): int(missing) for column, missing in features.isna().sum().items()})
            rows += len(features)
    return unknown, rows


def _standing(request: Mapping[str, Any], settings: Settings) -> Standing:
    """What was decided about the condition; nothing where that cannot be read: a report is needed most then."""
    try:
        return ModelStore(settings.models).standing(request["condition"])
    except ModelError:
        return Standing()


def _card(request: Mapping[str, Any], settings: Settings) -> ModelCard | None:
    """The card of the run's model, or None if it is no longer in the store: an old run keeps its report."""
    try:
        return ModelStore(settings.models).card(request["condition"], request["model_version"])
    except ModelError:
        return None
