"""Works out how results refer to their stays from what the source says of them, or why they cannot.

These functions see record numbers; they never log.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import orjson
import pandas as pd

from wardround.core import run_files
from wardround.core.events import frame_of
from wardround.core.stay_reasons import FailedAt, Reason
from wardround.fhir.client import FhirClient
from wardround.fhir.identified import with_identifiers
from wardround.fhir.references import Resource, patient_of
from wardround.results.referring import About, identifiers_of, literal, logical
from wardround.results.risk_assessment import Assessment, Screening, about_at_source
from wardround.sources.fhir.second_look import SecondLook
from wardround.workflows.screen.run import Run

# What that server holds of a Patient or Encounter that results are to refer to.
NOT_NAMED: Final = "{}_has_no_identifier"  # nothing to find it by
NOT_THERE: Final = "{}_not_there"
SEVERAL_THERE: Final = "several_{}s_there"
ANOTHER_PATIENTS: Final = "encounter_of_another_patient_there"


class Referred(NamedTuple):
    """How results refer to their stays, by stay_id; for the other stays, the reason why they cannot."""

    about: dict[str, About]
    failed: dict[str, Reason]


def referred(
    assessments: Sequence[Assessment], screening: Screening, by_identifier: bool, look: SecondLook, client: FhirClient
) -> Referred:
    """Returns how the results of these stays refer to them at the server where they are written, that of `client`."""
    if not screening.elsewhere:
        return Referred({one.stay_id: about_at_source(one.patient_id, one.stay_id) for one in assessments}, {})
    if by_identifier:
        return _mapped(assessments, look, client)
    url = screening.source_url
    return Referred(
        {
            one.stay_id: About(
                logical(f"Patient/{one.patient_id}", url, look.patients.get(one.patient_id)),
                logical(f"Encounter/{one.stay_id}", url, look.encounters.get(one.stay_id)),
            )
            for one in assessments
        },
        {},
    )


def keep_about(about: Mapping[str, About], opened: Run, chunk: int) -> None:
    """Stores how results written elsewhere refer to their stays, for `about_of`; entries already stored are kept."""
    if opened.request.write_to is not None:
        kept = {**_kept(opened, chunk), **about}
        rows = [(stay, *(orjson.dumps(part).decode() for part in one)) for stay, one in kept.items()]
        opened.folder.write_frame(run_files.of_chunk(chunk, run_files.ABOUT), frame_of(run_files.ABOUT_COLUMNS, rows))


def about_of(stays: pd.DataFrame, opened: Run) -> dict[str, About]:
    """Returns how results refer to these stays (stay_id, patient_id, chunk), by stay_id, where they can."""
    if opened.request.write_to is None:
        pairs = zip(stays["stay_id"], stays["patient_id"], strict=True)
        return {stay: about_at_source(patient, stay) for stay, patient in pairs}
    kept = {stay: one for chunk in stays["chunk"].unique() for stay, one in _kept(opened, chunk).items()}
    return {stay: kept[stay] for stay in stays["stay_id"] if stay in kept}


def _kept(opened: Run, chunk: int) -> dict[str, About]:
    name = run_files.of_chunk(chunk, run_files.ABOUT)
    if not opened.folder.exists(name):
        return {}
    frame = opened.folder.read_frame(name)
    return {
        stay: About(orjson.loads(subject), orjson.loads(encounter))
        for stay, subject, encounter in zip(frame["stay_id"], frame["subject"], frame["encounter"], strict=True)
    }


def _mapped(assessments: Sequence[Assessment], look: SecondLook, client: FhirClient) -> Referred:
    patients = _there(client, "Patient", {one.patient_id: look.patients[one.patient_id] for one in assessments})
    encounters = _there(client, "Encounter", {one.stay_id: look.encounters[one.stay_id] for one in assessments})
    about: dict[str, About] = {}
    failed: dict[str, Reason] = {}
    for one in assessments:
        patient, encounter = patients[one.patient_id], encounters[one.stay_id]
        if isinstance(patient, Reason):
            failed[one.stay_id] = patient
        elif isinstance(encounter, Reason):
            failed[one.stay_id] = encounter
        elif patient_of(encounter) != patient["id"]:
            failed[one.stay_id] = Reason(ANOTHER_PATIENTS, FailedAt.REFER)
        else:
            about[one.stay_id] = About(literal(f"Patient/{patient['id']}"), literal(f"Encounter/{encounter['id']}"))
    return Referred(about, failed)


def _there(client: FhirClient, kind: str, known: Mapping[str, Resource]) -> dict[str, Resource | Reason]:
    """Returns the other server's resource for each id of the source, or why there is none.

    It is the one resource in use there that carries an identifier of the source's resource.
    """
    identifiers = {key: identifiers_of(resource) for key, resource in known.items()}
    found = with_identifiers(client, kind, identifiers)
    word = kind.lower()

    def verdict(key: str) -> Resource | Reason:
        if not identifiers[key]:
            return Reason(NOT_NAMED.format(word), FailedAt.REFER)
        there = [one for one in found[key] if _is_in_use(one)]
        if len(there) > 1:
            return Reason(SEVERAL_THERE.format(word), FailedAt.REFER)
        return there[0] if there else Reason(NOT_THERE.format(word), FailedAt.REFER)

    return {key: verdict(key) for key in known}


def _is_in_use(resource: Resource) -> bool:
    return resource.get("active") is not False and resource.get("status") != "entered-in-error"
