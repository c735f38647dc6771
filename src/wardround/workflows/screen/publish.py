"""Writes a chunk's scores to the server as RiskAssessments with their Provenance. Repeating it writes nothing again."""

from collections.abc import Mapping

from wardround.adapters.files import turns
from wardround.core import run_files
from wardround.core.stay_reasons import FailedAt, Reason
from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource
from wardround.fhir.write_outcome import WriteOutcome
from wardround.results.amendment import written_at
from wardround.results.bands import INDETERMINATE
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
from wardround.workflows.screen.refer import keep_about, referred
from wardround.workflows.screen.run import Run, load_run, require_active
from wardround.workflows.screen.settle import ROUNDS, Settled, settle
from wardround.workflows.screen.taking_turns import locks, turn_of
from wardround.workflows.screen.written import Written


def publish(run: str, chunk: int, client: FhirClient, settings: Settings) -> None:
    """Writes the chunk's RiskAssessments to the server, and written.json: what the server holds now, and failures.

    The stays are looked up once more at their source; otherwise it only talks to the server for the results. A shadow
    run makes no request. Raises FhirError if a server as a whole is at fault; whatever it took before that is found and
    left alone by the next attempt.
    """
    opened = load_run(run, settings)
    with opened.step("publish", client, chunk) as step:
        assessments = _assessments(opened, chunk)
        account = Written(to_write=len(assessments))
        if opened.writes and assessments:
            with turn_of(opened, client.results, settings):
                if opened.retracted:
                    taken_back = Reason("retracted", FailedAt.WRITE)
                    account.failed = dict.fromkeys((one.stay_id for one in assessments), taken_back)
                else:
                    # The last check before people see it, however long reading and waiting for the turn have taken.
                    require_active(opened, settings)
                    _write(assessments, opened, chunk, client, settings, account)
        opened.folder.write_json(run_files.of_chunk(chunk, run_files.WRITTEN), account.as_json())
        step.count(to_write=account.to_write, written=len(account.written), unchanged=len(account.unchanged))
        if account.withdrawn:
            step.count(withdrawn=len(account.withdrawn))
        step.count_failed(account.failed.values())
        if account.repaired:
            step.warn(
                f"the server had several RiskAssessments for {len(account.repaired)} stays;"
                " only the newest of each is valid now"
            )


def _assessments(opened: Run, chunk: int) -> list[Assessment]:
    scores = opened.folder.read_frame(run_files.of_chunk(chunk, run_files.SCORES))
    return [
        Assessment(
            stay_id=row["stay_id"],
            patient_id=row["patient_id"],
            score=row["score"],
            band=row["band"],
            basis=tuple(row["basis"]),
            reasons=tuple(row["reasons"]),
            missing=tuple(row["missing"]),
        )
        for row in scores[scores["band"] != INDETERMINATE].to_dict("records")
    ]


def _write(
    assessments: list[Assessment],
    opened: Run,
    chunk: int,
    client: FhirClient,
    settings: Settings,
    account: Written,
) -> None:
    screening = opened.screening(settings)
    stay_of = {identity(screening, assessment.stay_id): assessment.stay_id for assessment in assessments}
    performer = _device(opened, screening, client.results, settings)
    about = _unchanged(assessments, opened, screening, client, account)
    keep_about(about, opened, chunk)
    wanted = _valid([one for one in assessments if one.stay_id in about], about, screening, performer, account)
    settled = settle(wanted, stay_of, client.results, account)
    _write_provenance(settled, wanted, stay_of, screening, client.results, account)


def _unchanged(
    assessments: list[Assessment], opened: Run, screening: Screening, client: FhirClient, account: Written
) -> Mapping[str, About]:
    """Returns, by stay_id, the references of results for stays that still belong to the same patient; the others fail.

    What an earlier attempt wrote of them is still there, and the account says so, so that `retract` finds it.
    """
    patients = {one.stay_id: one.patient_id for one in assessments}
    look = second_look(client, patients, screening.as_of)
    unchanged = [one for one in assessments if one.stay_id not in look.changed]
    about, failed = referred(unchanged, opened, look, client.results)
    failed |= {stay: Reason(why) for stay, why in look.changed.items()}
    account.failed |= failed
    written = risk_assessments.held(client.results, [identity(screening, stay) for stay in failed])
    account.written |= {stay for stay in failed if written.get(identity(screening, stay))}
    return about


def _device(opened: Run, screening: Screening, client: FhirClient, settings: Settings) -> str:
    """Returns the reference of our Device; a run's chunks share it in a file, and runs create it one at a time."""

    def create() -> dict[str, str]:
        wanted = device(screening)
        check_structure(wanted)
        with turns.alone(locks(settings), client.source.base_url, [device_identity(screening)]):
            return {"reference": risk_assessments.device_reference(client, wanted)}

    return str(opened.folder.json_once(run_files.DEVICE, create)["reference"])


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
