"""Fills a field of the EMR: a request whose body is the hospital's own template."""

import json
from dataclasses import dataclass, field
from string import Template
from xml.sax.saxutils import escape

from wardround.results.risk_assessment import fhir_time
from wardround.spec.channels import Request
from wardround.stream.channels.http import Sender
from wardround.stream.channels.telling import Became, Telling


@dataclass(frozen=True)
class EmrFieldChannel:
    """A field of the EMR; `token` signs in, if there is one."""

    request: Request
    token: str | None = field(repr=False)
    sender: Sender

    def tell(self, telling: Telling) -> Became:
        headers = {
            "Content-Type": f"application/{self.request.content}",
            "Idempotency-Key": telling.key,
            **self.request.headers,
            **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
        }
        return self.sender.send(self.request.method, self.request.url, body_of(self.request, telling), headers)

    def withdraw(self, telling: Telling) -> None:
        """Does nothing: the field has the next value that somebody gives it."""


def body_of(request: Request, telling: Telling) -> bytes:
    """Returns the template with the values, escaped for what the body is."""
    escaped = _in_json if request.content == "json" else _in_xml
    return (
        Template(request.body).substitute({name: escaped(value) for name, value in _fields(telling).items()}).encode()
    )


def _in_json(value: str) -> str:
    return json.dumps(value)[1:-1]


def _in_xml(value: str) -> str:
    return escape(value, {'"': "&quot;", "'": "&apos;"})


def _fields(telling: Telling) -> dict[str, str]:
    """Returns the value of each of `spec.channels.FIELDS`."""
    scored, admission = telling.scored, telling.scored.admission
    patient = admission.patients[0]
    return {
        "id": telling.key,
        "condition": telling.screening.condition.id,
        "branch": telling.branch.partition("/")[2],
        "visit": admission.visit.value,
        "visit_system": admission.visit.system,
        "patient": patient.value,
        "patient_system": patient.system,
        "unit": admission.unit,
        "probability": f"{scored.score:.4f}",
        "percent": f"{scored.score * 100:.1f}",
        "band": scored.band,
        "as_of": fhir_time(telling.screening.as_of),
        "age_seconds": str(telling.age_seconds),
        "model_version": scored.model_version,
    }
