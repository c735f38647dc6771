"""A ward's messages, made of what a test says, and a stream that has only the pure part."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from wardround.adt.admissions import Watch
from wardround.adt.feed import Feed
from wardround.adt.known import Kind, Known
from wardround.adt.transitions import Change, changes
from wardround.core.identifier import Identifier
from wardround.hl7.reader import read
from wardround.spec.branches import Branch
from wardround.spec.stream import Authority

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
PATIENTS, VISITS = "urn:example:patients", "urn:example:visits"
FEED = Feed(
    "main",
    ZoneInfo("Europe/Berlin"),
    (Authority(system=PATIENTS, namespace="HOSP"), Authority(system="urn:example:other", namespace="OTHER")),
    Authority(system=VISITS, namespace="VISITS"),
    watched=("MICU", "SICU"),
    classes=("I",),
)
EVERY = "sepsis/every"
WATCHES = {EVERY: Watch(Branch(id="every"), timedelta(hours=12))}
OF_SICU = "sepsis/sicu"


def patient(number: str) -> Identifier:
    return Identifier(PATIENTS, number)


def visit(number: str) -> Identifier:
    return Identifier(VISITS, number)


def at(text: str) -> datetime:
    """Returns a time of the day of NOON in UTC."""
    hours, minutes = text.split(":")
    return NOON.replace(hour=int(hours), minute=int(minutes))


def stamp(when: datetime | str) -> str:
    return when if isinstance(when, str) else when.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")


def adt(
    event: str,
    number: str = "V1",
    unit: str = "MICU",
    *,
    of: str = "P1",
    when: datetime | str = NOON,
    recorded: datetime | str | None = None,
    visit_class: str = "I",
    prior: str = "",
    facility: str = "",
    merged: str = "",
    sent: datetime | str = NOON,
    pv1: dict[int, str] | None = None,
    pid: dict[int, str] | None = None,
) -> bytes:
    """Returns a message: EVN-6 is `when`, EVN-2 is `recorded`, else the same; `merged` follows `MRG|`."""
    fields = {2: visit_class, 3: _location(unit, facility), 6: _location(prior, facility)}
    fields |= {19: f"{number}^^^VISITS" if number else ""} | (pv1 or {})
    segments = [
        f"MSH|^~\\&|APP|FAC|WARD|UNIT|{stamp(sent)}||ADT^{event}|C1|P|2.5.1",
        f"EVN|{event}|{stamp(recorded or when)}||||{stamp(when)}",
        "PID|" + _fields({3: f"{of}^^^HOSP^MR" if of else ""} | (pid or {})),
        *([f"MRG|{merged}"] if merged else []),
        "PV1|" + _fields(fields),
    ]
    return "\r".join(segments).encode() + b"\r"


def merge(old: str, new: str, event: str = "A40", when: datetime = NOON) -> bytes:
    """Returns a message that merges a patient's number into another one; it has no PV1."""
    text = adt(event, of=new, when=when, merged=f"{old}^^^HOSP^MR").decode()
    return text[: text.index("PV1|")].encode()


def swap(one: bytes, other: bytes) -> bytes:
    """Returns an A17 with the PID and PV1 of two messages."""
    head, body = _split(one)
    return (head + body + _split(other)[1]).replace("^A02|", "^A17|").encode()


def _split(message: bytes) -> tuple[str, str]:
    text = message.decode()
    return text[: text.index("PID|")], text[text.index("PID|") :]


def _location(unit: str, facility: str) -> str:
    return f"{unit}^^^{facility}".rstrip("^") if unit else ""


def _fields(filled: dict[int, str]) -> str:
    return "|".join(filled.get(number, "") for number in range(1, max(filled) + 1))


class Stream:
    """What is known after some messages, each numbered and received a second after the other."""

    def __init__(self, feed: Feed = FEED, watches: Any = None, scores: Any = None) -> None:
        self.feed, self.watches = feed, WATCHES if watches is None else watches
        self.known = Known({}, {}, scores or {})
        self.changes: list[Change] = []

    def take(self, *bodies: bytes, received: datetime = NOON) -> Change:
        for body in bodies:
            number = len(self.changes) + 1
            change = changes(read(body), self.known, self.feed, self.watches, received, number)
            self.known.apply(change.visits, change.aliases)
            self.changes.append(change)
        return self.changes[-1]

    def lies(self, number: str = "V1") -> tuple[str, bool] | None:
        """Returns the unit of a visit, and whether it is open."""
        found = self.known.visit(visit(number))
        return (found.location.unit, found.is_open) if found else None

    def patient(self, number: str = "V1") -> str:
        found = self.known.visit(visit(number))
        assert found
        return self.known.remaining(Kind.PATIENT, found.patient).value


def flagged(change: Change) -> list[str]:
    return [one.request.branch for one in change.admissions]


def ended(change: Change) -> list[tuple[str, str, bool]]:
    return [(one.request.branch, one.why.value, one.is_taken_back) for one in change.endings]
