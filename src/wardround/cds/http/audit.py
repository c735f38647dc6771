"""The audit of the bedside door: one FHIR AuditEvent (R4) for each request, as a line of a file for each day.

It says who asked when about which patient (as a keyed hash) and what came of it, and holds no name, id or value.
"""

import errno
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

import orjson

from wardround.adapters.files.file_lock import lock
from wardround.adapters.files.refused import storing
from wardround.adapters.outage import Outage
from wardround.cds.exchange import Became, Call
from wardround.errors import StorageError

_REST: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
    "code": "rest",
    "display": "RESTful Operation",
}
_PERSON: Final = {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "1", "display": "Person"}
_PATIENT: Final = {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1", "display": "Patient"}
_SYSTEM_OBJECT: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
    "code": "2",
    "display": "System Object",
}
_JOB: Final = {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "20", "display": "Job"}
# Always at the end, wherever another process has left it.
_APPENDED: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_PATIENT_KEY: Final = "urn:wardround:patient-key"
_KINDS: Final = "urn:wardround:cds-request"


@dataclass(frozen=True)
class Asked:
    """A request as the audit records it.

    Attributes:
        at: when it arrived.
        kind: discovery, call or feedback; or result, that a call's score was to be written to the record.
        issuer: of the verified token; empty if there was none.
        status: of the answer; 0 for a result.
        call: what the door kept of it; None if there is nothing.
        refused: why the token was not accepted; empty if it was, or none is required.
        became: what became of the result; empty for anything else.
        why: why it is not in the record, in a word.
    """

    at: datetime
    kind: str
    issuer: str
    status: int
    call: Call | None = None
    refused: str = ""
    became: Became | Literal[""] = ""
    why: str = ""


class Audit:
    """Appends records to `folder`/YYYY-MM-DD.ndjson (UTC); several processes may write to the same folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._outage = Outage("the audit", "records were not written")

    def record(self, asked: Asked) -> None:
        """Appends one record, as a whole line or not at all. Raises StorageError; a row of those is logged once."""
        try:
            self._append(asked)
        except StorageError as error:
            self._outage.goes_on(str(error))
            raise
        self._outage.ended()

    def _append(self, asked: Asked) -> None:
        line = orjson.dumps(audit_event(asked)) + b"\n"
        day = self._folder / f"{asked.at.astimezone(UTC):%Y-%m-%d}.ndjson"
        with storing(day):
            try:
                opened = os.open(day, _APPENDED, 0o600)
            except FileNotFoundError:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                opened = os.open(day, _APPENDED, 0o600)
            try:
                _append_whole(opened, line)
            finally:
                os.close(opened)


def _append_whole(opened: int, line: bytes) -> None:
    """Appends the line, or leaves the file as it is; it is locked until it is closed."""
    lock(opened)
    end = os.fstat(opened).st_size
    try:
        if os.write(opened, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(opened, end)
        raise


def audit_event(asked: Asked) -> dict[str, Any]:
    """Returns the AuditEvent of a request."""
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": str(uuid4()),
        "type": _REST,
        "subtype": [{"system": _KINDS, "code": asked.kind}],
        "action": "E" if asked.kind == "call" else "R" if asked.kind == "discovery" else "C",
        "recorded": asked.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "outcome": _outcome(asked),
        "agent": [{**_who(asked.issuer), "requestor": True}],
        "source": {"observer": {"display": "wardround cds"}},
    }
    event["entity"] = [*_patient(asked), _service(asked)]
    return event


def _outcome(asked: Asked) -> str:
    """Returns how serious what happened is, in FHIR's code: success, minor failure, serious failure."""
    if asked.became:
        return "0" if asked.became in ("written", "repeated", "withdrawn") else "8"
    return "0" if asked.status < 400 else "4" if asked.status < 500 else "8"


def _who(issuer: str) -> dict[str, Any]:
    return {"who": {"identifier": {"value": issuer}}} if issuer else {"name": "no verified token"}


def _patient(asked: Asked) -> list[dict[str, Any]]:
    if asked.call is None or not asked.call.patient_key:
        return []
    identifier = {"system": _PATIENT_KEY, "value": asked.call.patient_key}
    return [{"what": {"identifier": identifier}, "type": _PERSON, "role": _PATIENT}]


def _service(asked: Asked) -> dict[str, Any]:
    status = str(asked.status) if asked.status else ""
    facts = {"status": status, "refused": asked.refused, "became": asked.became, "why": asked.why}
    if asked.call is not None:
        one = asked.call
        facts |= {
            "service": one.service,
            "hook": one.hook,
            "condition": one.condition,
            "model_version": one.model_version,
            "inputs_digest": one.inputs_digest,
            "band": one.band,
            "outcome": one.outcome,
            "card": one.card,
            "kept": "" if one.kept else "false",
        }
    detail = [{"type": name, "valueString": value} for name, value in facts.items() if value]
    return {"what": {"display": f"cds-services, {asked.kind}"}, "type": _SYSTEM_OBJECT, "role": _JOB, "detail": detail}
