"""Writes a chunk's scores to the server as RiskAssessments with their Provenance. Repeating it writes nothing again."""

from functools import partial

from wardround.core import run_files
from wardround.core.stay_reasons import FailedAt, Reason
from wardround.fhir.client import FhirClient
from wardround.results.bands import INDETERMINATE
from wardround.results.risk_assessment import Assessment
from wardround.settings import Settings
from wardround.workflows.screen.refer import keep_about
from wardround.workflows.screen.run import Run, load_run, require_active
from wardround.workflows.screen.taking_turns import turn_of
from wardround.workflows.screen.write_results import device_at, write_results
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
                    write_results(
                        assessments,
                        opened.screening(settings),
                        client,
                        account,
                        by_identifier=opened.request.map_by_identifier,
                        performer=_device(opened, client.results, settings),
                        keep=partial(keep_about, opened=opened, chunk=chunk),
                    )
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


def _device(opened: Run, client: FhirClient, settings: Settings) -> str:
    """Returns the reference of our Device; a run's chunks share it in a file."""

    def create() -> dict[str, str]:
        return {"reference": device_at(opened.screening(settings), client, settings)}

    return str(opened.folder.json_once(run_files.DEVICE, create)["reference"])
