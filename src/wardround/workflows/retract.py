"""A run in; its RiskAssessments on the server taken back, and the run's own account of it, out. Safe to repeat."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from wardround.core import run_files
from wardround.core.ledger import counts
from wardround.core.reasons import Reason
from wardround.core.run_summary import Retraction, RunSummary
from wardround.errors import FhirError
from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import shown
from wardround.fhir.references import Resource
from wardround.results.amendment import is_withdrawn, retracted
from wardround.results.bands import INDETERMINATE
from wardround.results.risk_assessment import identity, probability
from wardround.settings import Settings
from wardround.workflows.history import keep_history
from wardround.workflows.report import report
from wardround.workflows.screen.high_band import take_out
from wardround.workflows.screen.run import Run, load_run
from wardround.workflows.screen.taking_turns import turn_of

_LOG = logging.getLogger(__name__)

# The last of them only looks. A second one writes again what somebody else has changed meanwhile.
ROUNDS: Final = 4


class Verdict(StrEnum):
    """What became of a result that the run stated (see `Retraction`)."""

    RETRACTED = "retracted"
    SUPERSEDED = "superseded"
    MISSING = "missing"
    FAILED = "failed"


def retract(run: str, client: FhirClient, settings: Settings, why: str, at: datetime) -> Retraction:
    """Marks what the run states as entered-in-error, with a note of when and why; gives the account of it.

    `client` is of the server that holds the run's results: its source, or the other one that it wrote to.

    A run that was taken back completely is not looked at again. The run writes nothing more from the first attempt on.
    Raises RunNotFound; FhirError for another server, or if the server as a whole is at fault: then call it again.
    """
    opened = load_run(run, settings)
    if client.source.base_url != opened.request.results_url:
        raise FhirError(
            f"{shown(client.source.base_url)}: does not hold the results of run {run}, expected "
            f"{shown(opened.request.results_url)}; name that one"
        )
    account = _begun(opened, why, at)
    if not account.complete:
        statements = _statements(opened, settings)
        with turn_of(opened, client, settings, "retract"):
            verdicts = _taken_back(statements, client, account) if statements else {}
        if verdicts:
            _out_of_the_group(opened, verdicts, client, settings)
        counted = {verdict.value: sum(one is verdict for one in verdicts.values()) for verdict in Verdict}
        complete = not counted[Verdict.FAILED]
        account = account.model_copy(update={**counted, "complete": complete})
        _record(opened, account, verdicts)
        _LOG.info(
            "run %s: taken back; %s", run, ", ".join(f"{verdict} {number}" for verdict, number in counted.items())
        )
    keep_history(run, settings)
    report(run, settings)
    return account


Statements = Mapping[str, tuple[str, float]]  # identity -> stay_id, score


def _begun(opened: Run, why: str, at: datetime) -> Retraction:
    """The account of the first attempt, whose time and reason hold, so that all notes say the same."""
    if not opened.folder.exists(run_files.RETRACTION):
        nothing = dict.fromkeys(Verdict, 0)
        account = Retraction.model_validate({"at": at.astimezone(UTC), "why": why, **nothing, "complete": False})
        opened.folder.write_json(run_files.RETRACTION, account.as_json())
    return Retraction.model_validate(opened.folder.read_json(run_files.RETRACTION))


def _statements(opened: Run, settings: Settings) -> Statements:
    """What the run may have written: all that it scored, because a run that was killed has no ledger."""
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


def _taken_back(statements: Statements, client: FhirClient, account: Retraction) -> dict[str, Verdict]:
    """The verdict of each stay, after the server has been told."""
    held: dict[str, list[Resource]] = {}
    for number in range(ROUNDS):
        held = risk_assessments.held(client, list(statements))
        standing = [
            one
            for key, (_, score) in statements.items()
            for one in held.get(key, [])
            if not risk_assessments.is_misshapen(one) and _states(one, score)
        ]
        if not standing or number == ROUNDS - 1:
            break
        risk_assessments.write(client, [retracted(one, account.why, account.at) for one in standing])
    return {stay: _verdict(held.get(key, []), score) for key, (stay, score) in statements.items()}


def _states(resource: Resource, score: float) -> bool:
    """Whether it still says what the run said, as a fraction or as a percentage: a setting may have changed since."""
    stated = [probability(resource, percent) for percent in (False, True)]
    return not is_withdrawn(resource) and any(one is not None and abs(one - score) < 1e-6 for one in stated)


def _verdict(held: list[Resource], score: float) -> Verdict:
    if not held:
        return Verdict.MISSING
    if any(risk_assessments.is_misshapen(one) for one in held):
        return Verdict.FAILED
    if all(is_withdrawn(one) for one in held):
        return Verdict.RETRACTED
    return Verdict.FAILED if any(_states(one, score) for one in held) else Verdict.SUPERSEDED


def _out_of_the_group(opened: Run, verdicts: Mapping[str, Verdict], client: FhirClient, settings: Settings) -> None:
    """Whoever is in the high band by these results alone is so no more. The members of a run before are not put back:
    they were high at another time."""
    stays = opened.folder.read_frame(run_files.STAYS)
    mine, stands = stays[stays["stay_id"].isin(list(verdicts))], (Verdict.SUPERSEDED, Verdict.FAILED)
    standing = mine["stay_id"].map(verdicts).isin(stands)
    take_out(mine[~standing], mine[standing], opened, client, settings)


def _record(opened: Run, account: Retraction, verdicts: Mapping[str, Verdict]) -> None:
    """Ledger and summary, where the run came so far, and the account itself last."""
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
