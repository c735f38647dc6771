"""The calls that an EHR makes to a bedside door, over HTTP."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
from tests.cds.kept import Kept
from tests.cds.line import ISSUERS, Line
from tests.cds.rules import require
from tests.fixtures.icu import AS_OF, Icu

from wardround.cds.door import Door
from wardround.cds.exchange import Answer, Request

RISK = "com.wardround.risk"


class Ehr:
    """An EHR that knows the resources of an ICU and calls a door with them over HTTP, as its templates ask."""

    def __init__(self, icu: Icu, door: Door, line: Line) -> None:
        self.icu = icu
        self.door = door
        self.issuer = ISSUERS[0]
        self.line = line

    def before(self, door: Door) -> "Ehr":
        """Returns the same EHR before another door."""
        return Ehr(self.icu, door, self.line)

    def prefetch(self, patient: str) -> dict[str, Any]:
        """Returns what the templates of sepsis ask for."""
        return {
            "patient": next(one for one in self.icu.resources if one["id"] == patient),
            "encounters": searchset(self._of(patient, "Encounter")),
            "observations": searchset(self._of(patient, "Observation")),
        }

    def call(self, patient: str = "p-a", hook: str = "patient-view", **changed: Any) -> dict[str, Any]:
        """Returns a call about the patient; what is `changed` replaces the key of the body, or removes it if None."""
        body = {
            "hook": hook,
            "hookInstance": str(uuid4()),
            "context": {"userId": "Practitioner/one", "patientId": patient},
            "prefetch": self.prefetch(patient),
        }
        return {key: value for key, value in {**body, **changed}.items() if value is not None}

    def send(
        self, body: Any, service: str = "sepsis-risk", after: timedelta = timedelta(), at: datetime = AS_OF
    ) -> Answer:
        """Sends a body to a service, some time after AS_OF; bytes go as they are. Every answer keeps to `rules`."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        asked = Request("POST", f"/cds-services/{service}", at + after, content, self.issuer)
        answer = self.line.answer(self.door, asked)
        if answer.body:
            require("answer" if answer.status == 200 else "outcome", orjson.loads(answer.body))
        return answer

    def ask(self, patient: str = "p-a", after: timedelta = timedelta(), **changed: Any) -> dict[str, Any]:
        """Returns what the door answers to a call about the patient, which keeps to `rules` and must not be refused."""
        body = self.call(patient, **changed)
        require("request", body)
        answer = self.send(body, after=after)
        assert answer.status == 200, answer.body
        return dict(orjson.loads(answer.body))

    def card(self, patient: str = "p-a", after: timedelta = timedelta(), **changed: Any) -> dict[str, Any]:
        """Returns the one card of that answer."""
        (card,) = self.ask(patient, after, **changed)["cards"]
        return dict(card)

    def _of(self, patient: str, kind: str) -> list[dict[str, Any]]:
        mine = {"reference": f"Patient/{patient}"}
        return [one for one in self.icu.resources if one["resourceType"] == kind and one["subject"] == mine]


def searchset(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the Bundle that answers a search."""
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", **({"entry": entries} if entries else {})}


def keeping_in(door: Door, kept: Kept) -> Door:
    """Returns the door with another place where its calls are kept."""
    return replace(door, means=replace(door.means, keeping=kept))
