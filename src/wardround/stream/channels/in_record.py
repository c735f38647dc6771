"""Tells people in the record: by a Communication, or by a Flag beside the patient's name.

Both say what the RiskAssessment says, refer to patient and stay as it does, and are made only while it stands.
"""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from wardround.errors import FhirError
from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource, is_id
from wardround.fhir.write_outcome import WriteOutcome
from wardround.results.amendment import is_withdrawn
from wardround.results.bands import HIGH
from wardround.results.risk_assessment import ADJUNCT, RISK_DISPLAYS, fhir_time
from wardround.spec.channels import Communication, Flag
from wardround.stream.channels.telling import Became, Failed, Refused, Sent, Telling
from wardround.stream.servers import Servers

NOTIFICATION_SYSTEM: Final = "urn:wardround:notification"
FLAG_SYSTEM: Final = "urn:wardround:flag"
WITHDRAWN: Final = "the RiskAssessment was withdrawn"
_ERROR: Final = "entered-in-error"
_ALERT: Final = {"system": "http://terminology.hl7.org/CodeSystem/communication-category", "code": "alert"}
_CLINICAL: Final = {"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "clinical"}


@dataclass(frozen=True)
class RecordChannel:
    """A Communication for each notification, or one Flag for each stay and condition, at the server for results."""

    means: Communication | Flag
    servers: Servers

    def tell(self, telling: Telling) -> Became:
        """Raises FhirError if the server fails, and StageStopped if it cannot be recognised."""
        with self.servers.client(telling.source) as client:
            results = client.results
            standing = [
                one
                for found in risk_assessments.held(results, [telling.risk_assessment]).values()
                for one in found
                if not is_withdrawn(one) and not risk_assessments.is_misshapen(one)
            ]
            if not standing:
                return Refused(WITHDRAWN)
            return self._written(telling, standing[0], results)

    def withdraw(self, telling: Telling) -> None:
        """Marks it as entered in error. Raises FhirError."""
        with self.servers.client(telling.source) as client:
            results = client.results
            for one in _held(results, self._kind, self._identifier(telling)):
                outcome = _put(results, {**one, "status": _ERROR})
                if not outcome.taken:
                    raise FhirError(f"{results.source.base_url}: {self._kind} was not withdrawn: {outcome}")

    @property
    def _kind(self) -> str:
        return "Communication" if isinstance(self.means, Communication) else "Flag"

    def _written(self, telling: Telling, assessment: Resource, client: FhirClient) -> Became:
        if isinstance(self.means, Communication):
            wanted = self._communication(telling, assessment, self.means)
        else:
            wanted = self._flag(telling, assessment, self.means.lasts)
        there = _held(client, self._kind, self._identifier(telling))
        if any(one.get("status") == _ERROR and self._kind == "Communication" for one in there):
            return Refused(WITHDRAWN)
        if there and self._kind == "Communication":
            return Sent()
        outcome = _put(client, {**there[0], **wanted}) if there else _create(client, wanted)
        if outcome.taken:
            return Sent()
        return Refused(str(outcome)) if outcome.status and 400 <= outcome.status < 500 else Failed(str(outcome))

    def _identifier(self, telling: Telling) -> dict[str, str]:
        if self._kind == "Communication":
            return {"system": NOTIFICATION_SYSTEM, "value": telling.key}
        about = f"{telling.screening.source_url}|{telling.scored.stay_id}|{telling.screening.condition.id}"
        return {"system": FLAG_SYSTEM, "value": sha256(about.encode()).hexdigest()}

    def _communication(self, telling: Telling, assessment: Resource, means: Communication) -> Resource:
        made: dict[str, Any] = {
            "resourceType": "Communication",
            "identifier": [self._identifier(telling)],
            "status": "completed",
            "category": [{"coding": [_ALERT]}],
            "priority": "urgent" if telling.scored.band == HIGH else "routine",
            "subject": assessment["subject"],
            "encounter": assessment["encounter"],
            "about": [{"reference": f"RiskAssessment/{assessment['id']}"}],
            "sent": fhir_time(telling.now),
            "sender": assessment["performer"],
            "payload": [{"contentString": f"{_said(telling)} {ADJUNCT}"}],
        }
        if means.recipients:
            made["recipient"] = [{"reference": one} for one in means.recipients]
        return made

    def _flag(self, telling: Telling, assessment: Resource, lasts: timedelta) -> Resource:
        as_of = telling.screening.as_of
        return {
            "resourceType": "Flag",
            "identifier": [self._identifier(telling)],
            "status": "active",
            "category": [{"coding": [_CLINICAL]}],
            "code": {"text": _said(telling)},
            "subject": assessment["subject"],
            "encounter": assessment["encounter"],
            "period": {"start": fhir_time(as_of), "end": fhir_time(as_of + lasts)},
            "author": {"reference": assessment["performer"]["reference"]},
        }


def _said(telling: Telling) -> str:
    scored, screening = telling.scored, telling.screening
    risk = RISK_DISPLAYS[scored.band].lower()
    return f"{screening.condition.title}: {risk} ({scored.score * 100:.3g} %) as of {fhir_time(screening.as_of)}."


def _held(client: FhirClient, kind: str, identifier: dict[str, str]) -> list[Resource]:
    token = f"{identifier['system']}|{identifier['value']}"
    found = client.search(kind, {"identifier": [token]})
    return [one for one in found if one.get("resourceType") == kind and is_id(one.get("id"))]


def _put(client: FhirClient, resource: Resource) -> WriteOutcome:
    request = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
    (answer,) = client.batch([{"resource": resource, "request": request}])
    return WriteOutcome.of(answer)


def _create(client: FhirClient, resource: Resource) -> WriteOutcome:
    request = {"method": "POST", "url": resource["resourceType"]}
    if client.source.profile.has_conditional_create:
        one = resource["identifier"][0]
        request["ifNoneExist"] = f"identifier={one['system']}|{one['value']}"
    (answer,) = client.batch([{"resource": resource, "request": request}], repeat=False)
    return WriteOutcome.of(answer)
