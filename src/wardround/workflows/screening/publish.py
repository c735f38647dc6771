"""A chunk's scores in, RiskAssessments with their Provenance on the server out. Repeating it writes nothing again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from wardround.adapters import risk_assessments
from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_references import Resource
from wardround.core.bands import INDETERMINATE
from wardround.core.fhir_validity import check_risk_assessment, check_structure
from wardround.core.risk_assessment import (
    Assessment,
    Screening,
    device,
    identity,
    provenance,
    risk_assessment,
    same_content,
)
from wardround.settings import Settings
from wardround.workflows.screening.run import Run, chunk_file, load_run

_DEVICE: Final = Lock()  # chunks that start together need not all ask for the Device


@dataclass
class _Account:
    """What became of each stay; `failed` gives the reason. A written stay has failed if its Provenance is missing."""

    to_write: int = 0
    written: set[str] = field(default_factory=set)
    unchanged: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "to_write": self.to_write,
            "written": sorted(self.written),
            "unchanged": sorted(self.unchanged),
            "failed": dict(sorted(self.failed.items())),
        }


def publish(run: str, chunk: int, client: FhirClient, settings: Settings) -> None:
    """Writes the chunk's RiskAssessments to the server, and written.json: what the server holds now, and failures.

    A shadow run or a dry run makes no request. Raises FhirError if the server as a whole is at fault; what it has
    taken by then is found and left alone by the next attempt.
    """
    opened = load_run(run, settings)
    with opened.step("publish", client, chunk):
        assessments = _assessments(opened, chunk)
        account = _Account(to_write=len(assessments))
        if opened.writes and assessments:
            _write(assessments, opened, opened.screening(settings), client, account)
        opened.folder.write_json(chunk_file(chunk, "written.json"), account.as_json())


def _assessments(opened: Run, chunk: int) -> list[Assessment]:
    scores = opened.folder.read_frame(chunk_file(chunk, "scores.parquet"))
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
    assessments: list[Assessment], opened: Run, screening: Screening, client: FhirClient, account: _Account
) -> None:
    stay_of = {identity(screening, assessment.stay_id): assessment.stay_id for assessment in assessments}
    performer = _device(opened, screening, client)
    wanted = _valid(assessments, screening, performer, account)
    held = risk_assessments.held(client, list(wanted))
    changed = _changed(wanted, held, stay_of, account)
    for one, refusal in risk_assessments.put(client, changed).items():
        if refusal:
            account.failed[stay_of[one]] = f"write:{refusal}"
    # Asked again instead of read from the answers: not every server says where it put a resource, and when.
    held |= risk_assessments.held(client, [risk_assessments.identity_of(resource) for resource in changed])
    kept = {one: held[one][0] for one in wanted if stay_of[one] not in account.failed and len(held.get(one, [])) == 1}
    account.written |= {stay_of[one] for one in kept}
    for one in wanted:
        if one not in kept:
            account.failed.setdefault(stay_of[one], "write:not_found")
    _write_provenance(kept, stay_of, screening, client, account)


def _device(opened: Run, screening: Screening, client: FhirClient) -> str:
    """The reference of our Device; chunks of a run share it in a file."""
    with _DEVICE:
        if not opened.folder.exists("device.json"):
            wanted = device(screening)
            check_structure(wanted)
            reference = risk_assessments.device_reference(client, wanted)
            opened.folder.write_json("device.json", {"reference": reference})
    return str(opened.folder.read_json("device.json")["reference"])


def _valid(
    assessments: list[Assessment], screening: Screening, performer: str, account: _Account
) -> dict[str, Resource]:
    """The resources by identity; one that is not valid fails its stay."""
    wanted = {}
    for assessment in assessments:
        resource = risk_assessment(assessment, screening, performer)
        try:
            check_risk_assessment(resource, screening.percent)
        except ValueError as error:
            account.failed[assessment.stay_id] = f"invalid:{error}"
        else:
            wanted[identity(screening, assessment.stay_id)] = resource
    return wanted


def _changed(
    wanted: Mapping[str, Resource], held: Mapping[str, list[Resource]], stay_of: Mapping[str, str], account: _Account
) -> list[Resource]:
    """What must be written: what the server lacks, and as amended what it holds otherwise."""
    changed = []
    for one, resource in wanted.items():
        match held.get(one, []):
            case []:
                changed.append(resource)
            case [there] if there.get("status") == "entered-in-error":
                # Somebody took it back; a repeated run must not bring it back.
                account.failed[stay_of[one]] = "write:retracted"
            case [there] if same_content(there, resource):
                account.unchanged.add(stay_of[one])
            case [_]:
                changed.append({**resource, "status": "amended"})
            case _:
                account.failed[stay_of[one]] = "write:duplicate"
    return changed


def _write_provenance(
    kept: Mapping[str, Resource],
    stay_of: Mapping[str, str],
    screening: Screening,
    client: FhirClient,
    account: _Account,
) -> None:
    by_target = {f"RiskAssessment/{resource['id']}": one for one, resource in kept.items()}
    there = risk_assessments.with_provenance(client, list(by_target))
    missing = []
    for target, one in by_target.items():
        if target not in there:
            recorded = kept[one].get("meta", {}).get("lastUpdated")
            missing.append(provenance(target, kept[one], screening, recorded or kept[one]["occurrenceDateTime"]))
    for resource in missing[:1]:
        check_structure(resource)
    for target, refusal in risk_assessments.create_provenance(client, missing).items():
        if refusal:
            account.failed[stay_of[by_target[target]]] = f"provenance:{refusal}"
