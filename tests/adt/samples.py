"""What 26 public sample messages must give, written down from reading them before any code could compute it.

The messages are the 26 ADT samples of Microsoft's FHIR-Converter (MIT licence, `ADT-A01-01.hl7` and so on). They are
not part of this project: a test reads them where they lie beside it. Here are facts only, one row a sample. Each sample
is taken alone, by a stream that knows no visit yet.

What reading them taught, and the rows below hold:

* The event is MSH-9.2. EVN-1 says A01 in nearly every file, and A02 in A06, A07, A09, A10 and A45.
* The event time is EVN-6 where it is filled: 2021 in files whose EVN-2 says 2029 and whose MSH-7 says 1989.
* The offsets are odd (+0110, +0115, +0215, +0530) and differ from field to field.
* PID-3 has several repetitions: a social security number (USSSA) stands beside the hospital's number, in CX.4 in some
  files and in CX.6 in others. CX.5, the type, holds a hospital's name in five files: the authority in CX.4 decides.
* PV1-3.1 has subcomponents (`HUH AE OMU&9.8&ISO`): the unit is the first one.
* PV1-2 is P (preadmitted) in the nineteen files that say 2021-08-17: no patient of the wards unless a feed asks for P.
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from tests.adt.feeds import ACCOUNTS, BOTH_NUMBERS, CLINIC, GOOD_HEALTH, HOMERTON, INPATIENTS, ONE_NUMBER, Feed


class Identity(NamedTuple):
    """An identifier: its system and its value."""

    system: str
    value: str


class Lies(NamedTuple):
    """The state of a visit: where it lies, as what, and whether it goes on."""

    unit: str
    facility: str
    visit_class: str
    is_open: bool


class Sample(NamedTuple):
    """What one sample gives under one feed's settings.

    Attributes:
        name: the file, without `ADT-` and `-01.hl7`; also the event (MSH-9.2).
        feed: the settings it is read with (tests/adt/feeds.py).
        received: when it arrived.
        event_time: when it happened, or the time of receipt where what it says is out of range.
        patient: the patient's identifier that counts; None if none does.
        visit: the visit's identifier; None if the message names none.
        lies: the state that it leaves; None if it leaves no state.
        flagged: whether the visit is newly admitted.
        renames: identifiers that are other names from now on, as (old, new).
        why: what in the message decides.
    """

    name: str
    feed: Feed
    received: datetime
    event_time: datetime
    patient: Identity | None
    visit: Identity | None
    lies: Lies | None
    flagged: bool
    renames: tuple[tuple[Identity, Identity], ...]
    why: str


AUGUST: Final = datetime(2021, 8, 17, 15, tzinfo=UTC)
# EVN-6 is 20210817151943.4+0200.
AUGUST_EVENT: Final = datetime(2021, 8, 17, 13, 19, 43, 400_000, tzinfo=UTC)
JANUARY: Final = datetime(2021, 1, 15, 14, 30, tzinfo=UTC)
# EVN-6 is 20210115160010+0215.
JANUARY_EVENT: Final = datetime(2021, 1, 15, 13, 45, 10, tzinfo=UTC)
YEARS_LATER: Final = datetime(2026, 11, 30, 12, tzinfo=UTC)

EVERYMAN: Final = Identity("urn:oid:2.16.1", "PATID1234")  # CX.4 is test1&2.16.1&HCD
STAY: Final = Identity("urn:oid:1.2", "40007716")  # PV1-19 is 40007716^^^AccMng&1.2&HCD^AM
ADAM: Final = Identity("urn:example:adt1", "PATID1234")  # CX.4 is ADT1
ROOM: Final = Identity("urn:example:accounts", "5001")  # PV1-19 is 5001^^^AccMgr^VN

OMU: Final = Lies("HUH AE OMU", "HOMERTON UNIVER", "P", True)
OMU_OVER: Final = OMU._replace(is_open=False)

NOTHING: Final = ()


def _august(name: str, lies: Lies | None, flagged: bool, why: str, feed: Feed = HOMERTON) -> Sample:
    return Sample(name, feed, AUGUST, AUGUST_EVENT, EVERYMAN, STAY, lies, flagged, NOTHING, why)


def _january(name: str, lies: Lies | None, flagged: bool, why: str, event_time: datetime = JANUARY_EVENT) -> Sample:
    return Sample(name, GOOD_HEALTH, JANUARY, event_time, ADAM, ROOM, lies, flagged, NOTHING, why)


SAMPLES: Final = (
    _august("A01", OMU, True, "admitted to a watched unit in a wanted class"),
    _august("A02", OMU, True, "moved to a watched unit; never seen before, and PV1-6 says 4 East, not watched"),
    _august("A03", OMU_OVER, False, "discharged; the visit was not known before, and is now known as over"),
    _august("A04", OMU, True, "registered in a watched unit in a wanted class"),
    _august("A05", None, False, "pre-admission: nobody lies anywhere yet"),
    _january(
        "A06", Lies("SPROOM", "FACILITY-1", "I", True), True, "an outpatient became an inpatient in a watched unit"
    ),
    _january("A07", Lies("OPD", "GOOD HEALTH HOSPITAL", "O", True), False, "became an outpatient, in no watched unit"),
    _august("A08", OMU_OVER, False, "seen first by an update: never flagged; PV1-45 says that the visit is over"),
    _january("A09", None, False, "tracking: on the way", datetime(2021, 1, 15, 14, 50, 10, tzinfo=UTC)),
    _january("A10", None, False, "tracking: arrived", datetime(2021, 1, 15, 10, 30, 10, tzinfo=UTC)),
    _august("A11", OMU_OVER, False, "the admission was cancelled: known as over, so that no late A01 opens it"),
    _august("A13", OMU, True, "the discharge was cancelled: lies in a watched unit, and nothing is known from before"),
    _august("A14", None, False, "pending admission"),
    _august("A15", None, False, "pending transfer"),
    _august("A16", None, False, "pending discharge"),
    _august("A25", None, False, "the pending discharge was cancelled"),
    _august("A26", None, False, "the pending transfer was cancelled"),
    _august("A27", None, False, "the pending admission was cancelled"),
    _august("A28", None, False, "a person was added"),
    _august("A29", None, False, "a person was deleted: it says nothing of where a visit lies"),
    _august("A31", None, False, "a person was updated"),
    Sample(
        "A40",
        CLINIC,
        datetime(2019, 4, 23, 13, tzinfo=UTC),
        datetime(2019, 4, 23, 12, 46, 37, tzinfo=UTC),  # EVN-2: EVN-6 is empty
        Identity("urn:example:bcbs", "12345"),
        None,
        None,
        False,
        ((Identity("urn:example:bcbs", "56789"), Identity("urn:example:bcbs", "12345")),),
        "MRG-1 is another name of PID-3; there is no PV1",
    ),
    _august("A41", None, False, "an account was merged, and visits are known by PV1-19"),
    _january("A45", None, False, "MRG-5 is PV1-19: the visit keeps its number, and only its account changes"),
    Sample(
        "A47",
        ONE_NUMBER,
        datetime(2021, 1, 15, 16, 30, tzinfo=UTC),
        datetime(2021, 1, 15, 16, 0, 10, tzinfo=UTC),
        Identity("urn:example:ghh", "MR101"),
        None,
        None,
        False,
        NOTHING,
        "MRG-1 is of an authority that this feed does not know (BCBS): nobody is renamed",
    ),
    _august("A60", None, False, "allergies were updated"),
)
"""Each of the 26 samples once."""

OTHERWISE: Final = (
    _august("A01", OMU, False, "the feed wants inpatients only, and PV1-2 is P", INPATIENTS),
    _august("A02", OMU, False, "the same", INPATIENTS),
    SAMPLES[0]._replace(received=YEARS_LATER, event_time=YEARS_LATER, why="2021 is more than 30 days before receipt"),
    SAMPLES[0]._replace(
        received=datetime(2021, 8, 16, 13, 19, 43, tzinfo=UTC),
        event_time=datetime(2021, 8, 16, 13, 19, 43, tzinfo=UTC),
        why="24 hours and 0.4 seconds ahead of receipt",
    ),
    Sample(
        "A41",
        ACCOUNTS,
        AUGUST,
        AUGUST_EVENT,
        EVERYMAN,
        Identity("urn:oid:1.3.6.1.4.1.44750.1.2.2", "4000776"),
        None,
        False,
        NOTHING,
        "visits are known by their account, PID-18; MRG-3 is of another authority (test1): nothing is renamed",
    ),
    next(one for one in SAMPLES if one.name == "A47")._replace(
        feed=BOTH_NUMBERS,
        renames=((Identity("urn:example:bcbs", "MR102"), Identity("urn:example:ghh", "MR101")),),
        why="both authorities are known, so that MRG-1 is another name of PID-3",
    ),
)
"""Some of them under other settings, or received at other times."""
