"""Writes the report of a run and the files that go with it. It sees patient values; its log only says where."""

import logging
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

import pandas as pd

from wardround.adapters.files.run_folder import RunFolder, runs_in
from wardround.adapters.files.stored_request_file import read_request
from wardround.adapters.html.report import render
from wardround.core import run_files
from wardround.core.events import frame_of
from wardround.core.expected_stays import Census
from wardround.core.ledger import EXCLUDED, FAILED, LEDGER_COLUMNS
from wardround.core.run_summary import RunSummary
from wardround.core.stored_request import StoredScreening
from wardround.errors import ModelError, RunNotFound
from wardround.quality.suite import QualityResult
from wardround.report.downloads import aggregates_csv, worklist_csv
from wardround.report.record import RunRecord
from wardround.report.report_view import Link, run_aggregates, run_report
from wardround.report.report_words import UNFINISHED
from wardround.settings import Settings
from wardround.spec.loading import load_condition
from wardround.training.decisions import Standing
from wardround.training.model import ModelCard
from wardround.workflows.bedside_use import kept_bedside_use
from wardround.workflows.earlier_runs import earlier_runs
from wardround.workflows.run_inputs import keep_unknown, kept_unknown
from wardround.workflows.stores import store_of

_LOG = logging.getLogger(__name__)

_MODEL_CARD: Final = Link(run_files.MODEL_CARD, "The model's card")
_WITHOUT_PATIENTS: Final = Link(run_files.AGGREGATES, "The same without patients")
_AGGREGATES_TABLE: Final = Link(run_files.AGGREGATES_TABLE, "Figures as a table (CSV)")
_TABLES: Final = (Link(run_files.WORKLIST, "Worklist as a table (CSV)"), _AGGREGATES_TABLE)
_SCORES: Final = ["stay_id", "reasons", "missing"]
_STAYS: Final = ["stay_id", "intime"]


def report(run: str, settings: Settings, identifiers: bool = True, identified_table: bool = False) -> str:
    """Writes the report of a run and the files that go with it into its folder; returns the path or URL of the page.

    A run that ended early is reported as far as it got. `identifiers` are on the page with the worklist, and with
    `identified_table` also in worklist.csv. The page is written last: if it exists, so do the others.
    Raises RunNotFound, and SpecError if the condition no longer exists.
    """
    folder = _folder(run, settings)
    if not (folder.exists(run_files.SUMMARY) and folder.exists(run_files.INPUTS)):
        keep_unknown(folder)  # `reconcile` has not: the run ended early, or is of an earlier release
    record = _record(folder, run, settings)
    card = _keep_card(folder, record, settings)
    counted = run_aggregates(record, (*card, _AGGREGATES_TABLE))
    folder.write_lines(run_files.WORKLIST, worklist_csv(record, identified_table))
    folder.write_lines(run_files.AGGREGATES_TABLE, aggregates_csv(record, counted.counted))
    folder.write_text(run_files.AGGREGATES, render(counted))
    name = run_files.REPORT if identifiers else run_files.REPORT_WITHOUT_IDENTIFIERS
    folder.write_text(name, render(run_report(record, identifiers, (_WITHOUT_PATIENTS, *card, *_TABLES))))
    _LOG.info("run %s: the report is at %s", run, folder.location(name))
    return folder.location(name)


def report_page(run: str, settings: Settings, identifiers: bool = True) -> str:
    """Returns the report of a run as HTML, without links to other files. Raises RunNotFound and SpecError."""
    folder = _folder(run, settings)
    return render(run_report(_record(folder, run, settings), identifiers))


def _keep_card(folder: RunFolder, record: RunRecord, settings: Settings) -> tuple[Link, ...]:
    """Stores the page of the model's card with the run, as it was at the first report; no link without a card."""
    if folder.exists(run_files.MODEL_CARD):
        return (_MODEL_CARD,)
    try:
        store = store_of(record.request.demo_model, settings)
        page = store.page(record.condition.id, record.request.model_version)
    except ModelError:
        return ()
    folder.write_text(run_files.MODEL_CARD, page)
    return (_MODEL_CARD,)


def _folder(run: str, settings: Settings) -> RunFolder:
    try:
        return RunFolder.existing(settings.runs, run)
    except RunNotFound as error:
        close = get_close_matches(run, runs_in(settings.runs), n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise RunNotFound(f"{error}{hint}") from None


def _record(folder: RunFolder, run: str, settings: Settings) -> RunRecord:
    names = folder.list()
    unknown, rows = kept_unknown(folder)
    request = read_request(folder, StoredScreening)
    condition = load_condition(request.condition, settings.schemas)
    stays = folder.read_frame(run_files.STAYS, _STAYS) if run_files.STAYS in names else pd.DataFrame(columns=_STAYS)
    ledger = folder.read_frame(run_files.LEDGER) if run_files.LEDGER in names else _unfinished(folder, names)
    now, quality = _standing(request, settings), folder.read_json_or(run_files.QUALITY, None)
    census = Census.model_validate(folder.read_json_or(run_files.CENSUS, {}))
    return RunRecord(
        run=run,
        condition=condition,
        request=request,
        summary=RunSummary.model_validate(folder.read_json_or(run_files.SUMMARY, {})),
        ledger=ledger,
        stays=stays,
        scores=_scores(folder, names),
        unknown=unknown,
        rows=rows,
        set_aside=folder.read_json_or(run_files.SET_ASIDE, {}),
        quality=QualityResult.model_validate(quality) if quality else None,
        card=_card(request, settings),
        gates=now.verdict(request.model_version),
        suspended=now.suspended,
        bedside=kept_bedside_use(folder),
        earlier=earlier_runs(census, request, settings),
        census=census,
    )


def _unfinished(folder: RunFolder, names: Sequence[str]) -> pd.DataFrame:
    """Returns a ledger for a run that ended before it had one: no stay was scored, and nothing was written."""
    if run_files.STAYS not in names:
        return frame_of(LEDGER_COLUMNS)
    stays = folder.read_frame(run_files.STAYS)
    excluded = stays["excluded"] != ""
    account = stays.assign(
        outcome=excluded.map({True: EXCLUDED, False: FAILED}),
        reason=stays["excluded"].where(excluded, UNFINISHED),
        score=float("nan"),
        band="",
        written=False,
    )
    return frame_of(LEDGER_COLUMNS, account[list(LEDGER_COLUMNS)])


def _scores(folder: RunFolder, names: Sequence[str]) -> pd.DataFrame:
    """Returns what the lists show about the stays."""
    frames = [folder.read_frame(name, _SCORES) for name in run_files.of_all_chunks(run_files.SCORES, names)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=_SCORES)


def _standing(request: StoredScreening, settings: Settings) -> Standing:
    """Returns the decisions about the condition; none if they cannot be read, because a report is needed most then."""
    try:
        return store_of(request.demo_model, settings).standing(request.condition)
    except ModelError:
        return Standing()


def _card(request: StoredScreening, settings: Settings) -> ModelCard | None:
    """Returns the card of the run's model, or None if it is no longer in the store: an old run keeps its report."""
    try:
        return store_of(request.demo_model, settings).card(request.condition, request.model_version)
    except ModelError:
        return None
