"""Plays an EHR: calls services about patients, and tells what became of each call.

It sees patient values; it never logs.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson

from wardround.adapters.files.whole_file import write_whole
from wardround.cds.cards import EXTENSION
from wardround.cds.discovery import PATIENT_VIEW
from wardround.demo.sandbox.paths import Patient
from wardround.demo.sandbox.services import Answer, Service, Services

_NEEDS_ENCOUNTER: Final = ("encounter-start", "encounter-discharge")
_ORDER_SELECT: Final = "order-select"
_USER: Final = "Practitioner/sandbox"


@dataclass(frozen=True)
class Played:
    """A call, and what became of it.

    Attributes:
        number: of the call, from 1.
        patient: name of the patient's file, or the id of the Patient.
        service: the id of the service.
        left_out: keys of the prefetch that were not sent.
        answer: what came back; None if no call was made.
    """

    number: int
    patient: str
    service: str
    left_out: tuple[str, ...]
    answer: Answer | None

    @property
    def _found(self) -> dict[str, Any]:
        return self.answer.found if self.answer else {}

    @property
    def told(self) -> dict[str, Any]:
        """What a Wardround service says to programs: band, probability, outcome. Other services say nothing there."""
        extension = self._found.get("extension")
        told = extension.get(EXTENSION) if isinstance(extension, dict) else None
        return told if isinstance(told, dict) else {}

    @property
    def cards(self) -> list[str]:
        """The summaries of the cards."""
        found = self._found.get("cards")
        return [str(one.get("summary")) for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    @property
    def refusal(self) -> str:
        """Why the service answered with an error, if it says so in an OperationOutcome."""
        issues = self._found.get("issue")
        first = issues[0] if isinstance(issues, list) and issues else None
        return str(first.get("diagnostics", "")) if isinstance(first, dict) else ""

    @property
    def outcome(self) -> str:
        """What became of the call, in a word or two."""
        if self.answer is None:
            return "no call, no encounter in progress"
        if self.answer.status != 200:
            return f"status {self.answer.status}" if self.answer.status else "no answer"
        return str(self.told.get("outcome") or ("card" if self.cards else "no card"))

    @property
    def failed(self) -> bool:
        """Whether the service did not answer with cards, or broke a rule in doing so."""
        return self.answer is not None and (self.answer.status != 200 or bool(self.answer.broken))

    def row(self) -> dict[str, Any]:
        """Returns the call as JSON for programs."""
        answer = self.answer
        return {
            "number": self.number,
            "patient": self.patient,
            "service": self.service,
            "encounter": self.told.get("encounterId"),
            "status": answer.status if answer else None,
            "outcome": self.outcome,
            "band": self.told.get("band"),
            "probability": self.told.get("probability"),
            "cards": self.cards,
            "refusal": self.refusal,
            "milliseconds": round(answer.milliseconds, 3) if answer else None,
            "left_out": list(self.left_out),
            "broken": list(answer.broken) if answer else [],
        }


@dataclass(frozen=True)
class Ehr:
    """An EHR that calls these services at a time, so many calls at once; `save` is a folder for what went to and fro.

    The time is that of `{{today()}}` in templates.
    """

    services: Services
    now: datetime
    parallel: int = 1
    save: Path | None = None

    def play(self, patients: Sequence[Patient], services: Sequence[Service]) -> Iterator[Played]:
        """Calls each service about each patient, and yields what became of it, patient by patient."""
        calls = [(patient, service) for patient in patients for service in services if _suits(patient, service)]
        with ThreadPoolExecutor(self.parallel) as pool:
            yield from pool.map(lambda one: self._played(one[0] + 1, *one[1]), enumerate(calls))

    def _played(self, number: int, patient: Patient, service: Service) -> Played:
        made = partial(Played, number, patient.name, service.id)
        encounter_id = None if patient.request or service.hook == PATIENT_VIEW else patient.encounter_id
        if service.hook in _NEEDS_ENCOUNTER and not (patient.request or encounter_id):
            return made((), None)
        context = patient.request["context"] if patient.request else _context(service.hook, patient, encounter_id)
        prefetch = patient.prefetch(service, context, self.now.date())
        body = {"hook": service.hook, "context": context, **(patient.request or {}), "hookInstance": str(uuid4())}
        if prefetch.content:
            body["prefetch"] = prefetch.content
        request = orjson.dumps(body)
        answer = self.services.called(service, request)
        if self.save is not None:
            # Not named after a patient.
            write_whole(self.save / f"{number:04}-{service.id}-request.json", request)
            write_whole(self.save / f"{number:04}-{service.id}-response.json", orjson.dumps(answer.content))
        return made(prefetch.left_out, answer)


def _suits(patient: Patient, service: Service) -> bool:
    """Returns whether a service is called about a patient: a hook request is for services of its hook."""
    return patient.request is None or patient.request["hook"] == service.hook


def _context(hook: str, patient: Patient, encounter_id: str | None) -> dict[str, Any]:
    context: dict[str, Any] = {"userId": _USER, "patientId": patient.patient_id}
    if encounter_id:
        context["encounterId"] = encounter_id
    if hook == _ORDER_SELECT:
        order = {
            "resourceType": "ServiceRequest",
            "id": "order-1",
            "status": "draft",
            "intent": "proposal",
            "subject": {"reference": f"Patient/{patient.patient_id}"},
            "code": {"text": "an order of the sandbox"},
        }
        context["selections"] = ["ServiceRequest/order-1"]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}
        context["draftOrders"] = bundle
    return context
