"""What the messages of the stages hold, as bytes: an admission, what was read of its stay, its score, and what is told.

These are the data of patients.
"""

from datetime import datetime

import msgspec

from wardround.core.exclusion import Stay
from wardround.core.identifier import Identifier


class Number(msgspec.Struct, frozen=True):
    """An identifier of a patient or a visit."""

    system: str
    value: str

    @property
    def identifier(self) -> Identifier:
        return Identifier(self.system, self.value)

    def __repr__(self) -> str:
        return "Number(…)"


class Admission(msgspec.Struct, frozen=True):
    """A visit that was newly admitted to a watched unit, as a message named it.

    Attributes:
        visit: the number of the visit.
        patients: the numbers of the patient, any of which may be known.
        unit: as the message names it; so is `visit_class`.
        event_time: when it happened.
        received: when the message was received; every prediction time is counted from it.
        late_by: seconds from the event to the receipt.
    """

    visit: Number
    patients: tuple[Number, ...]
    unit: str
    visit_class: str
    event_time: datetime
    received: datetime
    late_by: float = 0.0

    def __repr__(self) -> str:
        return "Admission(…)"


class StayRead(msgspec.Struct, frozen=True):
    """A stay as the FHIR server had it, with its readings: all that a score rests on.

    Attributes:
        admission: what it was read for.
        stay: its fields, as in `core.exclusion.Stay`.
        readings: of the windows before as_of, as parquet (`core.readings.Readings`).
        source_url: base URL of that server.
    """

    admission: Admission
    stay: tuple[str | int | None, ...]
    readings: bytes
    source_url: str

    @property
    def of(self) -> Stay:
        return Stay(*self.stay)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return "StayRead(…)"


class Scored(msgspec.Struct, frozen=True, tag="scored"):
    """A score of a stay, for the record and for people.

    Attributes:
        admission: what it was scored for.
        stay_id, patient_id, score, band, basis, reasons, missing: as in `results.risk_assessment.Assessment`.
        model_version: of the model.
        horizon: how far it looks ahead, in seconds; None: until the hospital stay ends.
        digest: SHA-256 of the values of all columns.
        source_url: base URL of the server that the stay was read from. It is a part of the result's identity, by which
            it is found and taken back, whatever the server's URL is then.
    """

    admission: Admission
    stay_id: str
    patient_id: str
    score: float
    band: str
    basis: tuple[str, ...]
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    model_version: str
    horizon: float | None
    digest: str
    source_url: str

    def __repr__(self) -> str:
        return "Scored(…)"


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """Something to be told to people through a branch's channel.

    Attributes:
        key: names it wherever it is repeated.
        scored: what is told.
        visit: the key under which the score waited, and a retraction of it waits.
    """

    key: str
    scored: Scored
    visit: str

    def __repr__(self) -> str:
        return "Notice(…)"


class Cancelled(msgspec.Struct, frozen=True, tag="cancelled"):
    """A request that was taken back after its score may have been written: then that is to be retracted.

    Attributes:
        request: the `seq` of the raw message that made it; the branch is that of the message with this body.
        at: when the message that took it back was received.
    """

    request: int
    at: datetime

    def __repr__(self) -> str:
        return "Cancelled(…)"


ForRecord = Scored | Notice | Cancelled
"""What the stage `notify` takes."""


def packed(body: Admission | StayRead | ForRecord) -> bytes:
    """Returns the bytes of a body; equal bodies give equal bytes."""
    # Readings are bytes themselves; all else can be read, and corrected, by people.
    return msgspec.msgpack.encode(body) if isinstance(body, StayRead) else msgspec.json.encode(body)


def admission_in(body: bytes) -> Admission:
    """Returns the admission that a body of the stage `query` holds. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(body, type=Admission)


def stay_in(body: bytes) -> StayRead:
    """Returns the stay that a body of the stage `predict` holds. Raises msgspec.MsgspecError."""
    return msgspec.msgpack.decode(body, type=StayRead)


def for_record(body: bytes) -> ForRecord:
    """Returns what a body of the stage `notify` holds. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(body, type=ForRecord)
