"""Tells a program of the hospital by a signed message, as the Standard Webhooks specification says.

Source: https://www.standardwebhooks.com, version 1: webhook-id, webhook-timestamp, and webhook-signature over
"id.timestamp.body" with HMAC-SHA256 in base64.
"""

import binascii
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from wardround.errors import SettingsError
from wardround.results.risk_assessment import ADJUNCT, IDENTIFIER_SYSTEM, fhir_time
from wardround.stream.channels.http import Sender
from wardround.stream.channels.telling import Became, Telling

TYPE: Final = "wardround.risk"
_PREFIX: Final = "whsec_"
_SHORTEST: Final = 24


@dataclass(frozen=True)
class WebhookChannel:
    """A webhook."""

    url: str
    keys: tuple[bytes, ...] = field(repr=False)
    sender: Sender

    def tell(self, telling: Telling) -> Became:
        body = orjson.dumps({"type": TYPE, "timestamp": fhir_time(telling.screening.as_of), "data": message(telling)})
        return self.sender.send("POST", self.url, body, signed_headers(self.keys, telling.key, telling.now, body))

    def withdraw(self, telling: Telling) -> None:
        """Does nothing: what was sent cannot be taken back. The RiskAssessment says that it was in error."""


def message(telling: Telling) -> dict[str, Any]:
    """Returns what the message says: whose risk it is, by numbers, and how high, but no measured value."""
    scored, condition = telling.scored, telling.screening.condition
    return {
        "id": telling.key,
        "condition": {"id": condition.id, "title": condition.title},
        "branch": telling.branch.partition("/")[2],
        "source": telling.source,
        "patient": [{"system": one.system, "value": one.value} for one in scored.admission.patients],
        "visit": {"system": scored.admission.visit.system, "value": scored.admission.visit.value},
        "unit": scored.admission.unit,
        "probability": scored.score,
        "band": scored.band,
        "as_of": fhir_time(telling.screening.as_of),
        "until": telling.until,
        "age_seconds": telling.age_seconds,
        "model_version": scored.model_version,
        "risk_assessment": {"system": IDENTIFIER_SYSTEM, "value": telling.risk_assessment},
        "note": ADJUNCT,
    }


def signed_headers(keys: tuple[bytes, ...], message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Returns the headers of a message in JSON that is sent now, or again, with a signature by each key."""
    at = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(signature(key, message_id, at, body) for key in keys),
        "Idempotency-Key": message_id,
    }


def signature(key: bytes, message_id: str, at: str, body: bytes) -> str:
    """Returns one signature of the header webhook-signature."""
    signed = hmac.new(key, b".".join((message_id.encode(), at.encode(), body)), "sha256")
    return f"v1,{b64encode(signed.digest()).decode()}"


def keys_of(secrets: str, where: str) -> tuple[bytes, ...]:
    """Returns the keys that secrets stand for, one a line: while a secret is replaced, the receiver may know either.

    Raises SettingsError.
    """
    return tuple(_key_of(secret, where) for secret in secrets.splitlines())


def _key_of(secret: str, where: str) -> bytes:
    """Returns the key that a secret stands for: `whsec_` and base64, or any text. Raises SettingsError."""
    try:
        key = b64decode(secret.removeprefix(_PREFIX), validate=True) if secret.startswith(_PREFIX) else secret.encode()
    except binascii.Error:
        raise SettingsError(f"{where}: is not base64 after {_PREFIX}; write the secret as it was given") from None
    if len(key) < _SHORTEST:
        raise SettingsError(f"{where}: is shorter than {_SHORTEST} bytes; write a longer random secret")
    return key
