"""Compares the results at a FHIR server with the runs that wrote them, for example after a restoration.

These functions see ledgers; they never log.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from wardround.adapters.database.database import opened
from wardround.adapters.database.removed_runs import removed_runs
from wardround.core import run_files
from wardround.core.microseconds import micros
from wardround.core.run_overview import RunName
from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.times import micros_of, no_earlier_than
from wardround.results.risk_assessment import MODEL_SYSTEM, identity, is_scheduled, method_codings
from wardround.settings import Settings
from wardround.workflows.check_stores import Finding
from wardround.workflows.run_list import run_names
from wardround.workflows.screen.run import Run, load_run

_AT_ONCE: Final = 500  # results in memory
_Screening = tuple[str, str]
"""A condition, and a prediction time as names of runs have it."""


def check_record(client: FhirClient, since: datetime, conditions: Sequence[str], settings: Settings) -> list[Finding]:
    """Returns what does not fit between the runs of this source since a prediction time, and the results there.

    That are results that a run has written and the server lacks; and results of screenings for the conditions that are
    of no run here. Raises FhirError.
    """
    findings: list[Finding] = []
    identities: set[str] = set()
    # Results of a run that has not ended are known once it is resumed; those of a removed one are not known any more.
    passed_over = _removed(settings)
    for run in _runs(client, since, settings):
        if not run.folder.exists(run_files.LEDGER):
            passed_over.add(RunName.of(run.id)[:2])
            continue
        ledger = run.folder.read_frame(run_files.LEDGER, ["stay_id", "written"])
        screening = run.screening(settings)
        written = {identity(screening, str(stay)): bool(there) for stay, there in ledger.itertuples(index=False)}
        identities |= set(written)
        findings += _lacking(run, [one for one, there in written.items() if there], client)
    for condition in conditions:
        unknown = Counter(_unknown(condition, identities, passed_over, client, since))
        findings += (_of_no_run(condition, when, number, client) for when, number in sorted(unknown.items()))
    return findings


def _removed(settings: Settings) -> set[_Screening]:
    with opened(settings.database) as database, database.reading() as connection:
        return {RunName.of(one.run)[:2] for one in removed_runs(connection)}


def _runs(client: FhirClient, since: datetime, settings: Settings) -> Iterator[Run]:
    """Yields the runs of this source since then that write results."""
    for name in run_names(settings):
        if name.kind == "screening" and name.time >= since.replace(microsecond=0):
            run = load_run(str(name), settings)
            if run.writes and run.request.source_url == client.source.base_url:
                yield run


def _lacking(run: Run, identities: list[str], client: FhirClient) -> Iterator[Finding]:
    missing = 0
    for first in range(0, len(identities), _AT_ONCE):
        some = identities[first : first + _AT_ONCE]
        missing += len(set(some) - set(risk_assessments.held(client.results, some, risk_assessments.PLACED)))
    if missing:
        what = f"{run.id}: the server lacks {missing:,} of the {len(identities):,} results that it had"
        yield Finding("record", what, f"wardround screen --resume {run.id}")


def _unknown(
    condition: str, identities: set[str], passed_over: set[_Screening], client: FhirClient, since: datetime
) -> Iterator[str]:
    """Yields the prediction time of each result of a screening that is of no run."""
    criteria = [("method", [f"{MODEL_SYSTEM}|{condition}"]), ("date", no_earlier_than(since))]
    for one in client.results.search("RiskAssessment", criteria, risk_assessments.PLACED):
        when = one.get("occurrenceDateTime")
        codes = {coding.get("code") for coding in method_codings(one) if coding.get("system") == MODEL_SYSTEM}
        if not isinstance(when, str) or condition not in codes or micros_of(when) < micros(since):
            continue
        as_named = datetime.fromisoformat(when).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        is_known = risk_assessments.identity_of(one) in identities or (condition, as_named) in passed_over
        if is_scheduled(one) and not is_known:
            yield when


def _of_no_run(condition: str, when: str, number: int, client: FhirClient) -> Finding:
    command = f"wardround screen {condition} --source {client.source.base_url} --as-of {when}"
    what = f"{number:,} results of {condition} as of {when} are of no run here"
    return Finding("record", what, f"{command} makes that run again, and writes nothing twice")
