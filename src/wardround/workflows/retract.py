"""Retracts the RiskAssessments of a run on the server, and records it with the run. Safe to repeat."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from wardround.core import run_files
from wardround.core.ledger import counts
from wardround.core.run_summary import Retraction, RunSummary
from wardround.core.stay_reasons import Reason
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import shown
from wardround.results.bands import INDETERMINATE
from wardround.results.risk_assessment import identity
from wardround.settings import Settings
from wardround.workflows.history import keep_history
from wardround.workflows.report import report
from wardround.workflows.retract_results import Statements, Verdict, retract_results
from wardround.workflows.screen.high_band_group import take_out
from wardround.workflows.screen.run import Run, load_run
from wardround.workflows.screen.taking_turns import turn_of

_LOG = logging.getLogger(__name__)


def retract(run: str, client: FhirClient, settings: Settings, why: str, at: datetime) -> Retraction:
    """Marks the run's results as entered-in-error, with a note of when and why; returns the account of it.

    `client` is for the server that holds the run's results: its source, or the other server that it wrote to.

    A run that was retracted completely is not examined again. From the first attempt on, the run writes nothing more.
    Raises RunNotFound; FhirError for another server, or if the whole server fails: then call it again.
    """
    opened = load_run(run, settings)
    if client.source.base_url != opened.request.results_url:
        raise FhirError(
            f"{shown(client.source.base_url)}: does not hold the results of run {run}, expected "
            f"{shown(opened.request.results_url)}; name that server"
        )
    account = _first_account(opened, why, at)
    if not account.complete:
        statements = _statements(opened, settings)
        with turn_of(opened, client, settings, "retract"):
            verdicts = retract_results(statements, client, account.why, account.at) if statements else {}
        if verdicts:
            _remove_from_group(opened, verdicts, client, settings)
        counted = {verdict.value: sum(one is verdict for one in verdicts.values()) for verdict in Verdict}
        complete = not counted[Verdict.FAILED]
        account = account.model_copy(update={**counted, "complete": complete})
        _record(opened, account, verdicts)
        _LOG.info("run %s: retracted; %s", run, ", ".join(f"{verdict} {number}" for verdict, number in counted.items()))
    keep_history(run, settings)
    report(run, settings)
    return account


def _first_account(opened: Run, why: str, at: datetime) -> Retraction:
    """Returns the account of the first attempt, whose time and reason are kept, so that all notes agree."""

    def begin() -> dict[str, Any]:
        begun = {"at": at.astimezone(UTC), "why": why, "complete": False, **dict.fromkeys(map(str, Verdict), 0)}
        return Retraction.model_validate(begun).as_json()

    return Retraction.model_validate(opened.folder.json_once(run_files.RETRACTION, begin))


def _statements(opened: Run, settings: Settings) -> Statements:
    """Returns what the run may have written: everything that it scored, because a killed run has no ledger."""
    if not opened.writes:
        return {}
    screening = opened.screening(settings)
    names = run_files.of_all_chunks(run_files.SCORES, opened.folder.list())
    frames = [opened.folder.read_frame(name) for name in names]
    return {
        identity(screening, row["stay_id"]): (row["stay_id"], float(row["score"]))
        for frame in frames
        for row in frame[frame["band"] != INDETERMINATE].to_dict("records")
    }


def _remove_from_group(opened: Run, verdicts: Mapping[str, Verdict], client: FhirClient, settings: Settings) -> None:
    """Removes patients who are in the high band by these results alone from the Group. Members of an earlier run are
    not put back, because they were in the high band at another time."""
    stays = opened.folder.read_frame(run_files.STAYS)
    mine, stands = stays[stays["stay_id"].isin(list(verdicts))], (Verdict.SUPERSEDED, Verdict.FAILED)
    standing = mine["stay_id"].map(verdicts).isin(stands)
    take_out(mine[~standing], mine[standing], opened, client, settings)


def _record(opened: Run, account: Retraction, verdicts: Mapping[str, Verdict]) -> None:
    """Updates ledger and summary, if the run has them, and writes the account itself last."""
    if opened.folder.exists(run_files.SUMMARY):
        ledger = opened.folder.read_frame(run_files.LEDGER)
        gone = ledger["stay_id"].isin([stay for stay, verdict in verdicts.items() if verdict is Verdict.RETRACTED])
        ledger = ledger.assign(
            reason=ledger["reason"].where(~gone | (ledger["reason"] != ""), str(Reason(Verdict.RETRACTED))),
            written=ledger["written"] & ~gone,
        )
        opened.folder.write_frame(run_files.LEDGER, ledger)
        summary = RunSummary.model_validate(opened.folder.read_json(run_files.SUMMARY))
        taken_back = summary.model_copy(update={**counts(ledger), "retraction": account})
        opened.folder.write_json(run_files.SUMMARY, taken_back.as_json())
    opened.folder.write_json(run_files.RETRACTION, account.as_json())
