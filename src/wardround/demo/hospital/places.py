"""The made-up hospital: its authorities, wards and sending applications."""

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

FACILITY: Final = "WRDEMO"
ZONE: Final = ZoneInfo("Europe/Berlin")
"""The zone of its clocks."""
PEOPLE: Final = "urn:wardround:demo-hospital:patient"
"""The system under which the hospital's FHIR server has record numbers."""
VISITS: Final = "urn:wardround:demo-hospital:visit"
"""The system under which the hospital's FHIR server has visit numbers."""
PEOPLE_AUTHORITY: Final = "WRDEMO_MRN"
"""The assigning authority of record numbers in messages (CX.4.1)."""
VISITS_AUTHORITY: Final = "WRDEMO_VISIT"
"""The assigning authority of visit numbers in messages (CX.4.1)."""
WATCHED: Final = ("MICU", "SICU")
"""The units whose patients are to be scored."""
WARDS: Final = ("3WEST", "4EAST", "5NORTH", "CARD", "ORTHO", "ONCO")
EMERGENCY: Final = "ED"
INPATIENT: Final = "I"
OUTPATIENT: Final = "O"
EMERGENT: Final = "E"
PREADMIT: Final = "P"


@dataclass(frozen=True)
class Sender:
    """A system that sends messages: how it names itself, its version of HL7, and its habits.

    Attributes:
        charset: what MSH-18 says; empty for one that says nothing and sends UTF-8.
        zoned_events: whether EVN-2 has an offset from UTC, as MSH-7 always has.
        structure: whether MSH-9 has its third component.
    """

    application: str
    version: str
    charset: str
    zoned_events: bool
    structure: bool


REGISTRATION: Final = Sender("REGADT", "2.5.1", "UNICODE UTF-8", True, True)
EMERGENCY_DESK: Final = Sender("EDTRACK", "2.3", "", False, False)
BED_MANAGEMENT: Final = Sender("BEDMGR", "2.4", "8859/1", True, True)
ENCODINGS: Final = {"UNICODE UTF-8": "utf-8", "": "utf-8", "8859/1": "iso-8859-1"}
