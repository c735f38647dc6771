"""Searches for the Encounters that stays are parts of, which tell when the hospital stays began.

They are searched for alone, rather than included with the stays: where that fails, the begin is unknown, and no stay is
lost.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from wardround.core.events import frame_of
from wardround.core.microseconds import micros_in, times_of
from wardround.core.stays import FOUND_STAY_COLUMNS, FoundStays
from wardround.errors import FhirError, FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.page import only
from wardround.fhir.references import Resource, is_id
from wardround.sources.fhir.begins import NOT_READ, HospitalBegin, hospital_begin
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.sources.fhir.encounters_by_id import encounters_by_id

_IDS_PER_SEARCH: Final = 100
_LEVELS: Final = 3  # a stay in a unit, in a department, in the hospital
# The Encounters that so many stays are parts of are in memory together; those of a hospital would take some 30 MiB.
_STAYS_AT_ONCE: Final = 1_000
_LOOKED_AT: Final = only("status", "subject", "period", "partOf", "modifierExtension", "implicitRules")


def with_hospital_begins(
    client: FhirClient, records: EncounterRecords, found: FoundStays, rule: EncounterRule
) -> FoundStays:
    """Returns the stays with the begins of their hospital stays, as far as the server tells them.

    Raises FhirUnreachable if the server is gone.
    """
    stays = found.stays
    waiting = np.flatnonzero(stays["hospital_unknown"] == NOT_READ)
    if not len(waiting):
        return found
    ids = stays["stay_id"].iloc[waiting].tolist()
    begins = [
        begin
        for place in range(0, len(ids), _STAYS_AT_ONCE)
        for begin in _looked_up(client, records, ids[place : place + _STAYS_AT_ONCE], rule)[0]
    ]
    begin, reason = micros_in(stays["hospital_begin"]), stays["hospital_unknown"].to_numpy(dtype=object, copy=True)
    begin[waiting] = [one.begin for one in begins]
    reason[waiting] = [one.reason for one in begins]
    stays = stays.assign(hospital_begin=times_of(begin), hospital_unknown=reason)
    return FoundStays(frame_of(FOUND_STAY_COLUMNS, stays), found.set_aside)


def missing_whole(records: EncounterRecords, stay_id: str, rule: EncounterRule) -> str:
    """Returns the id of the Encounter that is missing to tell when the stay began in the hospital; "" if none is."""
    encounter = records.encounter(stay_id)
    return "" if encounter is None else hospital_begin(encounter, rule.is_of_more(encounter), records.whole).missing


def add_wholes(client: FhirClient, records: EncounterRecords, stay_id: str, rule: EncounterRule) -> None:
    """Adds the Encounters that the stay is a part of, as far as the server gives them.

    Raises FhirUnreachable if the server is gone.
    """
    _, wholes = _looked_up(client, records, [stay_id], rule)
    records.add_wholes(wholes.values())


def _looked_up(
    client: FhirClient, records: EncounterRecords, stay_ids: Sequence[str], rule: EncounterRule
) -> tuple[list[HospitalBegin], dict[str, Resource]]:
    """Returns the begin of each stay's hospital stay, and the Encounters that were searched for, level by level."""
    encounters = [encounter for key in stay_ids if (encounter := records.encounter(key)) is not None]
    wholes: dict[str, Resource] = {}

    def known(key: str) -> Resource | None:
        return records.whole(key) or wholes.get(key)

    def begins() -> list[HospitalBegin]:
        return [hospital_begin(encounter, rule.is_of_more(encounter), known) for encounter in encounters]

    asked, so_far = {""}, begins()
    for _ in range(_LEVELS):
        missing = sorted({one.missing for one in so_far} - asked)
        if not missing:
            break
        for whole in _search(client, missing):
            wholes[str(whole["id"])] = client.source.bases.localised(whole)
        asked.update(missing)
        so_far = begins()
    return so_far, wholes


def _search(client: FhirClient, ids: Sequence[str]) -> Iterator[Resource]:
    """Yields the Encounters of these ids that the server gives; if one changes meanwhile, its last version again."""
    size = min(_IDS_PER_SEARCH, client.source.page_size)
    for place in range(0, len(ids), size):
        try:
            for resource in encounters_by_id(client, ids[place : place + size], _LOOKED_AT):
                if resource.get("resourceType") == "Encounter" and is_id(resource.get("id")):
                    yield resource
        except FhirError as error:
            if isinstance(error, FhirUnreachable) and (client.patience.spent or client.is_down()):
                raise
            # The stays whose begin is therefore unknown say so (`hospital_unknown`).
