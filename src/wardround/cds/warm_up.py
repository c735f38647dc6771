"""Makes the call of a patient who does not exist, so that the first real call finds everything loaded."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import orjson

from wardround.cds.discovery import Service
from wardround.cds.templates import ENCOUNTERS, PATIENT, is_about_observations
from wardround.spec.cohorts import Encounters
from wardround.spec.variables import Variable

_ID: Final = "warm-up"
_SUBJECT: Final = {"reference": f"Patient/{_ID}"}
_UCUM: Final = "http://unitsofmeasure.org"
_HOURS: Final = (1, 2, 6)


def warm_up_call(service: Service, as_of: datetime, icu: Encounters) -> bytes:
    """Returns the body of a call on `patient-view`: an adult in intensive care with three values of every variable.

    `icu` says which Encounters are stays there.
    """
    observations = [
        # Ids of FHIR know no underscore.
        _observation(variable, as_of - timedelta(hours=hours), f"{name.replace('_', '-')}-{hours}")
        for name, variable in service.condition.variables.items()
        for hours in _HOURS
    ]
    sent: dict[str, Any] = dict.fromkeys(service.prefetch)
    sent[PATIENT] = {"resourceType": "Patient", "id": _ID, "gender": "female", "birthDate": "1960-01-01"}
    sent[ENCOUNTERS] = _searchset(_stay(icu, as_of - timedelta(hours=24)))
    sent[next(key for key in sent if is_about_observations(key))] = _searchset(observations)
    context = {"userId": f"Practitioner/{_ID}", "patientId": _ID}
    return orjson.dumps({"hook": service.hook, "hookInstance": str(uuid4()), "context": context, "prefetch": sent})


def _stay(icu: Encounters, began: datetime) -> list[dict[str, Any]]:
    """Returns an Encounter that is a stay by any of the ways in which one can be, with its Location."""
    encounter: dict[str, Any] = {
        "resourceType": "Encounter",
        "id": _ID,
        "status": "in-progress",
        "class": _coding(icu.classes[0]) if icu.classes else {"code": "IMP"},
        "subject": _SUBJECT,
        "period": {"start": began.isoformat()},
        "location": [{"location": {"reference": f"Location/{_ID}"}}],
    }
    if icu.types:
        encounter["type"] = [{"coding": [_coding(icu.types[0])]}]
    return [encounter, {"resourceType": "Location", "id": _ID, "name": icu.locations[0] if icu.locations else _ID}]


def _coding(token: str) -> dict[str, str]:
    """Returns the Coding that `code` or `system|code` stands for."""
    system, _, code = token.rpartition("|")
    return {"system": system, "code": code} if system else {"code": code}


def _observation(variable: Variable, at: datetime, key: str) -> dict[str, Any]:
    system, code = variable.all_codes()[0]
    return {
        "resourceType": "Observation",
        "id": key,
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": _SUBJECT,
        "effectiveDateTime": at.isoformat(),
        "issued": at.isoformat(),
        "valueQuantity": {"value": variable.usual, "unit": variable.unit, "system": _UCUM, "code": variable.unit},
    }


def _searchset(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}
