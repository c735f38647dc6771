"""What comes in at the bedside door and what goes out: HTTP, the sandbox and the tests speak to the door in these."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.risk_assessment import Assessment
from wardround.spec.conditions import Condition

Outcome = Literal[
    "card",  # a risk of the moderate or high band
    "low",
    "locked_out",  # shown before: the risk is repeated in an info card
    "indeterminate",
    "outside_training_hours",
    "no_stay",  # no current stay in intensive care
    "not_eligible",  # such as under age
    "not_screened",  # cards depend on the scheduled screening, which says nothing of this stay lately
    "screened_otherwise",  # … or put it into another band
    "not_read",  # the EHR's server refused data, or they cannot be read
    "suspended",
    "shadow",
    "failed",  # an error of Wardround
    "missing_prefetch",
    "refused",  # not a call by the rules
    "no_model",
    "given_up",  # it took too long, or whoever asked has hung up
]
"""What became of a hook call. The last four are answered with an error, all others with cards."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Request:
    """A request to the door, after whoever took it has read its body and verified its token.

    Attributes:
        method: of HTTP, in capitals.
        path: below the base URL, without a query: `/cds-services`, `/cds-services/sepsis-risk`,
            `/cds-services/sepsis-risk/feedback`.
        arrived: when it arrived, with its offset; the prediction time, unless the door has a fixed one.
        body: as sent, decompressed.
        issuer: of the verified token; empty where tokens are not required.
        given_up: whether nobody waits for the answer any more: then nobody is told, and nothing of it is kept.
        while_waiting: a block of this is entered while the door waits for a FHIR server or the database.
    """

    method: str
    path: str
    arrived: datetime
    body: bytes = b""
    issuer: str = ""
    given_up: Callable[[], bool] = _never
    while_waiting: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is kept of a hook call, in the audit, the metrics and the database: no patient's id, name or value.

    Attributes:
        at: when it arrived.
        issuer: of the verified token; empty where tokens are not required.
        service: the id of the service.
        hook: the hook of the service.
        as_of: the prediction time.
        condition: the id of the condition.
        model_version: the version that scored, or would have; empty if none is live.
        patient_key: a keyed hash of the patient's id; empty if the call names no patient.
        inputs_digest: SHA-256 of the values that were scored; empty if none were.
        band: low, moderate, high, indeterminate; empty if it was not scored.
        outcome: what became of the call.
        card: the uuid of its card; empty if there is none.
        kept: whether its card is in the database; False if that could not be used in time.
    """

    at: datetime
    issuer: str
    service: str
    hook: str
    as_of: datetime
    condition: str
    model_version: str = ""
    patient_key: str = ""
    inputs_digest: str = ""
    band: str = ""
    outcome: Outcome
    card: str = ""
    kept: bool = True


Became = Literal[
    "written",  # it is in the record, with its Provenance
    "repeated",  # the record has one of a moment ago that rests on the same values
    "withdrawn",  # somebody withdrew it there, which stands
    "failed",
    "suspended",  # the condition was, before it was written
    "queue_full",
    "stopped",  # the service was, before it was written
]
"""What became of a result that was to be written to the record."""


@dataclass(frozen=True)
class Result:
    """A score that may be written to the record.

    Attributes:
        call: that it was an answer to.
        assessment: the score, and what it rests on.
        condition: the spec.
        horizon: how far the model looks ahead; None: until the hospital stay ends.
        source: the server that the patient and the stay are of.
        rests_on: a digest of the values behind it, equal while nothing new is known.
    """

    call: Call
    assessment: Assessment = field(repr=False)
    condition: Condition
    horizon: timedelta | None
    source: FhirEndpoint
    rests_on: str


class Heard(NamedTuple):
    """How much feedback was kept: about cards that are known, and about others."""

    known: int
    unknown: int


@dataclass(frozen=True)
class Answer:
    """The answer to a request.

    Attributes:
        status: of HTTP.
        body: JSON, or what the headers say; empty for none.
        call: what is kept of a hook call; None for anything else.
        headers: such as Retry-After; Content-Type only where the body is not JSON.
        fault: what went wrong in Wardround, for its log: the type and place of an error, and nothing of a patient.
        heard: what was kept of feedback; None for anything else.
        result: the score, if it may be written to the record; None if it may not, or there is none.
    """

    status: int
    body: bytes
    call: Call | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""
    heard: Heard | None = None
    result: Result | None = None
