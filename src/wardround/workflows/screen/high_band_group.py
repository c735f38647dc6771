"""Brings the server's Group of the patients in the high band up to date with a reconciled run, and accounts for it.

These functions see record numbers; they never log.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from wardround.core.ledger import SCORED
from wardround.core.run_summary import HighBandAccount, Kept
from wardround.errors import ConditionSuspended, FhirError, FhirUnreachable
from wardround.fhir import high_band_groups, risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource
from wardround.results.amendment import is_withdrawn
from wardround.results.bands import HIGH
from wardround.results.fhir_validity import check_structure
from wardround.results.high_band_group import Decision, decide, group, group_identity, is_as_of, without
from wardround.results.referring import Reference
from wardround.results.risk_assessment import Screening, identity
from wardround.settings import Settings
from wardround.workflows.screen.refer import about_of
from wardround.workflows.screen.run import Run, require_active
from wardround.workflows.screen.taking_turns import alone

# The last round only looks; two competing runs need a second round.
ROUNDS: Final = 4
# A RiskAssessment names all its Observations, so only this many are in memory together.
AT_ONCE: Final = 500


def keep_group(ledger: pd.DataFrame, opened: Run, client: FhirClient, settings: Settings) -> HighBandAccount | None:
    """Makes the Group of the condition and source list the high band of this run; returns None if it keeps none.

    A run of a cohort other than the condition's own knows only part of the ward, and leaves the Group alone. So
    does one with an earlier as_of than the Group's, and one whose condition was switched off meanwhile. If the
    server takes no Group, the account says so. Raises FhirUnreachable.
    """
    if not _keeps_group(opened):
        return None
    screening = opened.screening(settings)
    with opened.step("high_band", client) as step:
        try:
            require_active(opened, settings)
        except ConditionSuspended:
            return _account(Kept.SUSPENDED)
        wanted = group(_subjects(ledger, opened, screening, client.results), screening)
        check_structure(wanted)
        account = _settled(lambda held: decide(wanted, held), screening, client.results, settings)
        step.count(members=account.members)
        if account.is_refused:
            step.warn("the server does not have the current Group of the high band")
    return account


def _keeps_group(opened: Run) -> bool:
    """Returns whether the run covers everybody whom its condition screens, writes results, and was not retracted."""
    condition, request = opened.condition, opened.request
    whole = request.cohort in (None, condition.cohort.source)
    whole &= request.look_back in (None, condition.cohort.look_back)
    return condition.high_band_group and whole and opened.writes and not opened.retracted


def take_out(stays: pd.DataFrame, others: pd.DataFrame, opened: Run, client: FhirClient, settings: Settings) -> None:
    """Removes the patients of these stays, whose results were retracted, from the Group, if it is of this run's as_of.

    Patients with a result that stands among the `others` remain. `client` is for the server with the results. Raises
    FhirError if the server refuses.
    """
    if not opened.condition.high_band_group:
        return
    standing = [about.subject for about in about_of(others, opened).values()]
    gone = [about.subject for about in about_of(stays, opened).values() if about.subject not in standing]

    def change(held: Sequence[Resource]) -> Decision:
        ours = [one for one in held if is_as_of(one, opened.request.as_of)]
        changed = [(one, without(one, gone)) for one in ours]
        smaller = tuple(new for one, new in changed if new["quantity"] != one.get("quantity"))
        return Decision(smaller, Kept.WRITTEN if smaller else Kept.UNCHANGED)

    account = _settled(change, opened.screening(settings), client, settings)
    if account.is_refused:
        raise FhirError(
            f"run {opened.id}: the Group of the high band still lists patients whose results were retracted"
            f" ({account.why}), expected it to be updated; allow this client to update Groups,"
            " and retract the run again"
        )


def _subjects(ledger: pd.DataFrame, opened: Run, screening: Screening, client: FhirClient) -> list[Reference]:
    """Returns the patients whose result is high and stands: not withdrawn by a person since it was written."""
    high = ledger[(ledger["outcome"] == SCORED) & (ledger["band"] == HIGH) & ledger["written"]]
    subjects: list[Reference] = []
    for start in range(0, len(high), AT_ONCE):
        some = high.iloc[start : start + AT_ONCE]
        identities = {stay: identity(screening, stay) for stay in some["stay_id"]}
        held = risk_assessments.held(client, list(identities.values()), risk_assessments.JUDGED)
        for stay, about in about_of(some, opened).items():
            if any(not is_withdrawn(resource) for resource in held.get(identities[stay], [])):
                subjects.append(about.subject)
    return subjects


def _settled(
    decision: Callable[[Sequence[Resource]], Decision], screening: Screening, client: FhirClient, settings: Settings
) -> HighBandAccount:
    """Writes what is decided until the server holds it, one run at a time."""
    sought = group_identity(screening.source_url, screening.condition.id)
    with alone(client, [sought], settings):
        return _written(decision, sought, client)


def _written(decision: Callable[[Sequence[Resource]], Decision], sought: str, client: FhirClient) -> HighBandAccount:
    refusal, written = None, False
    try:
        for number in range(ROUNDS):
            held = high_band_groups.held(client, sought)
            changes, kept = decision(held)
            if not changes:
                return _account(Kept.WRITTEN if written else kept, held)
            if number == ROUNDS - 1 or (refusal and not refusal.is_overtaken):
                break
            answers = [high_band_groups.write(client, change) for change in changes]
            refusal = next((one for one in answers if not one.taken), None)
            written = written or any(one.taken for one in answers)
    except FhirUnreachable:
        raise
    except FhirError as error:
        # The server has no Groups, or cannot find them by identifier, or this client may not use them.
        return _account(Kept.REFUSED, why=type(error).__name__)
    return _account(Kept.REFUSED, why=str(refusal or "not kept"))


def _account(kept: Kept, held: Sequence[Mapping[str, Any]] = (), why: str = "") -> HighBandAccount:
    first = min(held, key=lambda one: str(one["id"]), default=None)
    quantity = first.get("quantity") if first else 0
    return HighBandAccount(
        kept=kept,
        why=why,
        reference=f"Group/{first['id']}" if first else None,
        members=quantity if isinstance(quantity, int) else 0,
    )
