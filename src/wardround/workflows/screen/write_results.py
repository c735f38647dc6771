"""Writes scores to a server as RiskAssessments with their Provenance, for a run and for the bedside door alike."""

from collections.abc import Callable, Mapping, Sequence

from wardround.core.stay_reasons import FailedAt, Reason
from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource
from wardround.fhir.write_outcome import WriteOutcome
from wardround.results.amendment import written_at
from wardround.results.fhir_validity import check_risk_assessment, check_structure
from wardround.results.referring import About
from wardround.results.risk_assessment import (
    Assessment,
    Screening,
    device,
    device_identity,
    identity,
    provenance,
    risk_assessment,
)
from wardround.settings import Settings
from wardround.sources.fhir.second_look import second_look
from wardround.workflows.screen.refer import referred
from wardround.workflows.screen.settle import ROUNDS, Settled, settle
from wardround.workflows.screen.taking_turns import alone
from wardround.workflows.screen.written import Written


def write_results(
    assessments: Sequence[Assessment],
    screening: Screening,
    client: FhirClient,
    account: Written,
    *,
    by_identifier: bool,
    performer: str,
    keep: Callable[[Mapping[str, About]], object],
) -> None:
    """Makes the server for the results hold each RiskAssessment once, with its Provenance; writes nothing twice.

    The stays are looked up once more at their source. Raises FhirError if a server as a whole is at fault.

    Args:
        assessments: at most one for a stay.
        screening: what they share.
        client: of the source; its `results` are written to.
        account: is filled in, for every stay.
        by_identifier: whether another server's own Patients and Encounters are found by their identifiers.
        performer: the reference of our Device there.
        keep: is given how the results refer to their stays, before they are written.
    """
    stay_of = {identity(screening, assessment.stay_id): assessment.stay_id for assessment in assessments}
    about = _unchanged(assessments, screening, by_identifier, client, account)
    keep(about)
    wanted = _valid([one for one in assessments if one.stay_id in about], about, screening, performer, account)
    settled = settle(wanted, stay_of, client.results, account)
    _write_provenance(settled, wanted, stay_of, screening, client.results, account)


def device_at(screening: Screening, client: FhirClient, settings: Settings) -> str:
    """Returns the reference of our Device at the server of `client`; whoever needs it creates it, one at a time."""
    wanted = device(screening)
    check_structure(wanted)
    with alone(client, [device_identity(screening)], settings):
        return risk_assessments.device_reference(client, wanted)


class Performers:
    """The references of our Device at each server, each asked for once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[tuple[str, str], str] = {}

    def of(self, screening: Screening, client: FhirClient) -> str:
        """Returns that at the client's server. Raises FhirError, StorageError."""
        key = client.source.base_url, device_identity(screening)
        if key not in self._known:
            self._known[key] = device_at(screening, client, self._settings)
        return self._known[key]


def _unchanged(
    assessments: Sequence[Assessment], screening: Screening, by_identifier: bool, client: FhirClient, account: Written
) -> Mapping[str, About]:
    """Returns, by stay_id, the references of results for stays that still belong to the same patient; the others fail.

    What an earlier attempt wrote of them is still there, and the account says so, so that `retract` finds it.
    """
    patients = {one.stay_id: one.patient_id for one in assessments}
    look = second_look(client, patients, screening.as_of)
    unchanged = [one for one in assessments if one.stay_id not in look.changed]
    about, failed = referred(unchanged, screening, by_identifier, look, client.results)
    failed |= {stay: Reason(why) for stay, why in look.changed.items()}
    account.failed |= failed
    written = risk_assessments.held(client.results, [identity(screening, stay) for stay in failed])
    account.written |= {stay for stay in failed if written.get(identity(screening, stay))}
    return about


def _valid(
    assessments: list[Assessment],
    about: Mapping[str, About],
    screening: Screening,
    performer: str,
    account: Written,
) -> dict[str, Resource]:
    """Returns the resources by identity; a resource that is not valid fails its stay."""
    wanted: dict[str, Resource] = {}
    for assessment in assessments:
        resource = risk_assessment(assessment, screening, performer, about[assessment.stay_id])
        try:
            if not wanted:  # The first of each chunk is checked in full, whatever its shape.
                check_structure(resource)
            check_risk_assessment(resource, screening.percent)
        except ValueError as error:
            account.failed[assessment.stay_id] = Reason(str(error), FailedAt.INVALID)
        else:
            wanted[risk_assessments.identity_of(resource)] = resource
    return wanted


def _write_provenance(
    settled: Settled,
    wanted: Mapping[str, Resource],
    stay_of: Mapping[str, str],
    screening: Screening,
    client: FhirClient,
    account: Written,
) -> None:
    by_target = {f"RiskAssessment/{resource['id']}": one for one, resource in settled.kept.items()}
    # A resource that was new a moment ago has no Provenance yet; a conditional create catches a faster writer.
    unsought = settled.new if client.source.profile.has_conditional_create else set()
    refusals: dict[str, WriteOutcome] = {}
    for _ in range(ROUNDS):
        sought = [target for target, one in by_target.items() if one not in unsought]
        there, unsought = risk_assessments.with_provenance(client, sought), set()
        missing = [
            provenance(target, wanted[one], screening, written_at(settled.kept[one]) or screening.as_of)
            for target, one in by_target.items()
            if target not in there
        ]
        for resource in missing[:1]:
            check_structure(resource)
        created = risk_assessments.create_provenance(client, missing)
        refusals = {target: refusal for target, refusal in created.items() if not refusal.taken}
        if not any(refusal.is_overtaken for refusal in refusals.values()):
            break
    for target, refusal in refusals.items():
        account.failed[stay_of[by_target[target]]] = Reason(str(refusal), FailedAt.PROVENANCE)
