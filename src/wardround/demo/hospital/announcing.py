"""Writes the message that announces an event of a visit, as one of the hospital's systems would.

It sees patient values, though made-up ones; it never logs.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wardround.demo.hospital.hl7_text import components, message, segment, timestamp
from wardround.demo.hospital.people import Person
from wardround.demo.hospital.places import (
    BED_MANAGEMENT,
    EMERGENCY,
    EMERGENCY_DESK,
    ENCODINGS,
    FACILITY,
    REGISTRATION,
    Sender,
)
from wardround.demo.hospital.visits import Visit, mrg, pid, pv1

_BED_EVENTS: Final = frozenset({"A02", "A12", "A17"})
_WITH_DETAILS: Final = frozenset({"A01", "A04", "A05"})
_STRUCTURES: Final = {
    "A04": "ADT_A01", "A08": "ADT_A01", "A13": "ADT_A01", "A05": "ADT_A05", "A28": "ADT_A05", "A31": "ADT_A05",
    "A11": "ADT_A09", "A10": "ADT_A09", "A12": "ADT_A12", "A40": "ADT_A39", "A06": "ADT_A06", "A21": "ADT_A21",
    "A22": "ADT_A21",
}  # fmt: skip


@dataclass(frozen=True)
class Announced:
    """A message as it is sent: its event, its control id (MSH-10), and its bytes."""

    event: str
    control_id: str
    body: bytes


class Announcer:
    """The hospital's systems, each with its own count of messages.

    Two of them put `run` before it; that of the emergency department has no more than its count, which begins at 1 each
    time that it is started, so that its control ids come again.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._sent = {REGISTRATION: 0, EMERGENCY_DESK: 0, BED_MANAGEMENT: 0}

    def of_visit(self, event: str, visit: Visit, at: datetime, merged: str = "") -> Announced:
        """Returns the message of an event of a visit; `merged` is the record number that a merge (A40) ends."""
        sender = self._sender(event, visit)
        segments = [pid(visit.person), *([mrg(merged)] if merged else []), pv1(visit, sender.zoned_events)]
        return self._written(event, sender, at, segments + (_details(visit) if event in _WITH_DETAILS else []))

    def of_swap(self, one: Visit, other: Visit, at: datetime) -> Announced:
        """Returns the message of two visits that have changed places (A17)."""
        segments = [pid(one.person), pv1(one), pid(other.person), pv1(other)]
        return self._written("A17", BED_MANAGEMENT, at, segments)

    def of_person(self, event: str, person: Person, at: datetime) -> Announced:
        """Returns the message of a person without a visit (A28, A31)."""
        return self._written(event, REGISTRATION, at, [pid(person), segment("PV1", {1: "1", 2: "N"})])

    def _written(self, event: str, sender: Sender, at: datetime, segments: list[str]) -> Announced:
        self._sent[sender] += 1
        control_id = f"{sender.application[:2]}{'' if sender is EMERGENCY_DESK else self._run}{self._sent[sender]:07d}"
        structure = (_STRUCTURES.get(event, f"ADT_{event}"),) if sender.structure else ()
        header = {
            3: sender.application,
            4: FACILITY,
            5: "WARDROUND",
            6: FACILITY,
            7: timestamp(at),
            9: components("ADT", event, *structure),
            10: control_id,
            11: "P",
            12: sender.version,
            18: sender.charset,
        }
        happened = segment("EVN", {1: event, 2: timestamp(at, sender.zoned_events), 6: timestamp(at)})
        whole = [segment("MSH", header), happened, *segments]
        return Announced(event, control_id, message(whole, ENCODINGS[sender.charset]))

    @staticmethod
    def _sender(event: str, visit: Visit) -> Sender:
        if event in _BED_EVENTS:
            return BED_MANAGEMENT
        return EMERGENCY_DESK if visit.unit == EMERGENCY else REGISTRATION


def _details(visit: Visit) -> list[str]:
    """Returns what an admission has beside: relatives, a reason in free text, and a segment of the sender's own."""
    relative = segment("NK1", {1: "1", 2: components(visit.person.family, "Next Of Kin"), 3: "SPO"})
    reason = segment("PV2", {3: components("", "Feels unwell | since \\ yesterday & before")})
    return [relative, reason, segment("ZBE", {1: f"{visit.number}-{visit.moves}", 2: "INSERT", 3: "N"})]
