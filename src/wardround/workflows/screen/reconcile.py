"""Reconciles the chunks with the server and writes the run's ledger and summary: every stay has one account."""

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from wardround.core import run_files
from wardround.core.ledger import EXCLUDED, FAILED, SCORED, WITHDRAWN, counts, open_ledger
from wardround.core.run_summary import DIFFERENT, DUPLICATE, MISSING, HighBandAccount, RunSummary, StepAccount
from wardround.core.stay_reasons import FailedAt, Reason
from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource
from wardround.results.amendment import is_withdrawn
from wardround.results.referring import About, leads_to
from wardround.results.risk_assessment import Screening, identity, probability
from wardround.settings import Settings
from wardround.spec.source_maps import NO_TRANSLATION
from wardround.workflows.bedside_use import keep_bedside_use
from wardround.workflows.history import keep_history
from wardround.workflows.run_inputs import keep_unknown
from wardround.workflows.screen import challenge
from wardround.workflows.screen.cohort import account_of
from wardround.workflows.screen.expected_stays import census_of
from wardround.workflows.screen.high_band_group import keep_group
from wardround.workflows.screen.refer import about_of
from wardround.workflows.screen.run import Run, load_run
from wardround.workflows.screen.written import Written
from wardround.workflows.send_gauges import send_gauges

# A RiskAssessment names all its Observations, so only this many are in memory together, whatever the size of the ward.
AT_ONCE = 500
_OF_STAYS = ["stay_id", "patient_id", "unit", "excluded"]


def reconcile(run: str, client: FhirClient, settings: Settings) -> RunSummary:
    """Writes ledger.parquet, set_aside.json and summary.json; returns the summary.

    A stay fails if the server does not hold its RiskAssessment exactly once, with the patient and probability of the
    ledger, or if the task of its chunk failed. A stay whose RiskAssessment somebody else withdrew counts as scored but
    not written, with the reason WITHDRAWN. The Group of the high band follows the ledger. What makes the run incomplete
    is kept in the summary for `require_complete`, so that the report is still written. The figures go to the history; a
    database that cannot be used is left for `require_complete` as well. They go to a collector, too, if one is set.
    Raises RunIncomplete if a stay is unaccounted
    for.
    """
    opened = load_run(run, settings)
    with opened.step("reconcile", client) as step:
        stays = opened.folder.read_frame(run_files.STAYS)
        ledger = open_ledger(_entries(stays, opened), stays["stay_id"])
        verdicts = _verdicts(ledger, opened, opened.screening(settings), client.results)
        ledger = challenge.with_scores(_with_verdicts(ledger, verdicts), opened)
        opened.folder.write_frame(run_files.LEDGER, ledger)
        opened.folder.write_json(run_files.SET_ASIDE, _set_aside(opened))
        step.count(**{name: number for name, number in counts(ledger).items() if name != FAILED})
        step.count_failed(map(Reason.of, ledger["reason"][ledger["outcome"] == FAILED]))
    problems = {stay: verdict for stay, verdict in verdicts.items() if verdict != WITHDRAWN}
    high_band = keep_group(ledger, opened, client, settings)
    summary = _summary(ledger, problems, high_band, opened)
    opened.folder.write_json(run_files.SUMMARY, summary.as_json())
    keep_unknown(opened.folder)
    keep_history(run, settings)
    keep_bedside_use(run, settings)
    send_gauges(run, settings)
    return summary


def _entries(stays: pd.DataFrame, opened: Run) -> Iterator[dict[str, object]]:
    """Yields the outcome of each stay found, as one mapping of the ledger's columns per stay."""
    for chunk, mine in stays.groupby("chunk"):
        accounts = {} if chunk == 0 else _chunk_accounts(opened, int(str(chunk)))
        for stay in mine[_OF_STAYS].to_dict("records"):
            about = {"stay_id": stay["stay_id"], "patient_id": stay["patient_id"], "unit": stay["unit"], "chunk": chunk}
            nothing = {"score": float("nan"), "band": "", "written": False}
            if chunk == 0:
                yield {**about, **nothing, "outcome": EXCLUDED, "reason": stay["excluded"]}
            else:
                account = accounts.get(stay["stay_id"], _failed(Reason("score", FailedAt.TASK)))
                yield {**about, **nothing, **account}
        unknown = set(accounts) - set(mine["stay_id"])
        yield from ({"stay_id": stay, "chunk": chunk, "written": False} for stay in unknown)


def _chunk_accounts(opened: Run, chunk: int) -> dict[str, dict[str, object]]:
    """Returns outcome, reason, score, band and written by stay_id; if a chunk's task failed, the reason names it."""
    for task, name in (("extract", run_files.FEATURES), ("score", run_files.OUTCOMES), ("publish", run_files.WRITTEN)):
        if not opened.folder.exists(run_files.of_chunk(chunk, name)):
            return {stay: _failed(Reason(task, FailedAt.TASK)) for stay in opened.stays(chunk)["stay_id"]}
    outcomes = opened.folder.read_frame(run_files.of_chunk(chunk, run_files.OUTCOMES))
    written = Written.of(opened.folder.read_json(run_files.of_chunk(chunk, run_files.WRITTEN)))
    accounts: dict[str, dict[str, object]] = {}
    for row in outcomes.to_dict("records"):
        stay = str(row.pop("stay_id"))
        account: dict[str, object] = {str(key): value for key, value in row.items()}
        account["written"] = stay in written.written
        if stay in written.failed:
            account |= _failed(written.failed[stay])
        elif stay in written.withdrawn:
            account["reason"] = WITHDRAWN
        accounts[stay] = account
    return accounts


def _failed(reason: Reason) -> dict[str, object]:
    return {"outcome": FAILED, "reason": str(reason)}


def _verdicts(ledger: pd.DataFrame, opened: Run, screening: Screening, client: FhirClient) -> dict[str, str]:
    """Returns stay_id -> what is wrong with the server's RiskAssessment, for stays that the ledger calls written."""
    written = ledger[ledger["written"]]
    verdicts: dict[str, str] = {}
    for start in range(0, len(written), AT_ONCE):
        some = written.iloc[start : start + AT_ONCE]
        identities = {stay: identity(screening, stay) for stay in some["stay_id"]}
        held = risk_assessments.held(client, list(identities.values()), risk_assessments.JUDGED)
        about = about_of(some, opened)
        for stay, score in zip(some["stay_id"], some["score"], strict=True):
            verdict = _verdict(held.get(identities[stay], []), about.get(stay), score, screening)
            verdicts |= {stay: verdict} if verdict else {}
    return verdicts


def _verdict(held: list[Resource], about: About | None, score: float, screening: Screening) -> str:
    if not held:
        return MISSING
    if len(held) > 1:
        return DUPLICATE
    if risk_assessments.is_misshapen(held[0]):
        return DIFFERENT
    if is_withdrawn(held[0]):
        return WITHDRAWN
    stated = probability(held[0], screening.percent)
    # If the run has no reference for a stay, what is there was written by an earlier run.
    same = about is None or all(leads_to(held[0].get(name), expected) for name, expected in about._asdict().items())
    return "" if same and stated is not None and abs(stated - score) < 1e-9 else DIFFERENT


def _with_verdicts(ledger: pd.DataFrame, verdicts: dict[str, str]) -> pd.DataFrame:
    verdict = pd.Series([verdicts.get(stay, "") for stay in ledger["stay_id"]], index=ledger.index, dtype="str")
    withdrawn = verdict == WITHDRAWN
    wrong, scored = (verdict != "") & ~withdrawn, ledger["outcome"] == SCORED
    reasons = verdict.map(lambda one: str(Reason(one, FailedAt.RECONCILE)))
    return ledger.assign(
        outcome=ledger["outcome"].where(~wrong, FAILED),
        reason=ledger["reason"].where(~wrong, reasons).where(~(withdrawn & scored), WITHDRAWN),
        written=ledger["written"] & (verdict != MISSING) & ~withdrawn,
    )


def _set_aside(opened: Run) -> dict[str, dict[str, int]]:
    """Returns the readings set aside, counted by variable and reason."""
    counted: Counter[tuple[str, str]] = Counter()
    for chunk in opened.chunks():
        name = run_files.of_chunk(chunk, run_files.EVENTS_SET_ASIDE)
        if opened.folder.exists(name):
            frame = opened.folder.read_frame(name)
            counted.update(zip(frame["variable"], frame["reason"], strict=True))
    result: dict[str, dict[str, int]] = {}
    for (variable, reason), number in sorted(counted.items()):
        result.setdefault(variable, {})[reason] = number
    return result


def _summary(
    ledger: pd.DataFrame, problems: dict[str, str], high_band: HighBandAccount | None, opened: Run
) -> RunSummary:
    request, limit = opened.request, opened.condition.quality.max_failed
    totals = counts(ledger)
    steps = [StepAccount.model_validate(opened.folder.read_json(name)) for name in opened.folder.list(run_files.STEPS)]
    names = [run_files.of_chunk(chunk, run_files.WRITTEN) for chunk in opened.chunks()]
    written = [Written.of(opened.folder.read_json(name)) for name in names if opened.folder.exists(name)]
    # Excluded stays were never tried, so they do not count towards the share.
    tried = totals["found"] - totals["excluded"]
    refused = high_band is not None and high_band.is_refused
    return RunSummary(
        **totals,
        **account_of(opened).as_json(),
        census=census_of(opened.folder),
        run=opened.id,
        report=opened.folder.location(run_files.REPORT),
        model_version=opened.model_version,
        condition=request.condition,
        as_of=request.as_of,
        mode=request.mode,
        source=request.source_url,
        results_at=request.results_url,
        source_map=opened.translation.digest[:12] if opened.translation != NO_TRANSLATION else None,
        unchanged=sum(len(account.unchanged) for account in written),
        repaired=sum(len(account.repaired) for account in written),
        withdrawn=int((ledger["reason"] == WITHDRAWN).sum()),
        to_write=sum(account.to_write for account in written),
        challenger=challenge.account_of(ledger, opened),
        problems=problems,
        high_band=high_band,
        complete=not problems and totals["failed"] <= limit * tried and not refused,
        hours_after_as_of=_hours_after_as_of(steps, opened),
        durations=_durations(steps),
        http_requests=sum(step.http_requests for step in steps),
    )


def _hours_after_as_of(steps: list[StepAccount], opened: Run) -> float | None:
    """Returns how long after as_of the last score was there; None if there was none. Never written (decision 6)."""
    ended = [step.ended for step in steps if step.step == "score"]
    return round(max(0.0, max(ended) - opened.as_of.timestamp()) / 3600, 2) if ended else None


def _durations(steps: list[StepAccount]) -> dict[str, float]:
    """Returns the seconds from the start of a step's first chunk to the end of its last, in the order of the steps."""
    spans: dict[str, tuple[float, float]] = {}
    for step in sorted(steps, key=lambda step: step.began):
        began, ended = spans.get(step.step, (step.began, step.ended))
        spans[step.step] = min(began, step.began), max(ended, step.ended)
    return {name: round(ended - began, 3) for name, (began, ended) in spans.items()}
