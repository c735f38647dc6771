"""What each event of an ADT message does (HL7 v2.9 chapter 3); decision 57 says why."""

from enum import Enum, auto
from typing import Final


class Effect(Enum):
    """What an event does to what is known."""

    NONE = auto()  # it is stored, and changes nothing
    PLACES = auto()  # the visit lies at PV1-3, as PV1-2
    CORRECTS = auto()  # the same, of a visit that is known; another one is only recorded
    CLOSES = auto()
    CANCELS_ADMISSION = auto()
    CANCELS_TRANSFER = auto()
    CANCELS_DISCHARGE = auto()
    MERGES_PATIENTS = auto()  # MRG-1 is another number of PID-3
    RENAMES_VISIT = auto()  # an account or visit number has another one from now on, or moves to another patient
    MERGES_BOTH = auto()


EFFECTS: Final = {
    **dict.fromkeys(("A01", "A04", "A02", "A06", "A07", "A17"), Effect.PLACES),
    "A08": Effect.CORRECTS,
    "A03": Effect.CLOSES,
    "A11": Effect.CANCELS_ADMISSION,
    "A12": Effect.CANCELS_TRANSFER,
    "A13": Effect.CANCELS_DISCHARGE,
    # A30, A36, A39 and A46 are the same as these in the words of version 2.3.
    **dict.fromkeys(("A18", "A34", "A40", "A47", "A30", "A39", "A46"), Effect.MERGES_PATIENTS),
    "A36": Effect.MERGES_BOTH,
    # A49 and A51 change what A50 changes, in the fields of an account and of an alternate visit number.
    **dict.fromkeys(("A35", "A41", "A42", "A44", "A45", "A49", "A50", "A51"), Effect.RENAMES_VISIT),
    # Pre-admission; pending events and their cancellations; tracking; leave; persons and allergies.
    **dict.fromkeys(("A05", "A38", "A14", "A15", "A16", "A25", "A26", "A27"), Effect.NONE),
    **dict.fromkeys(("A09", "A10", "A32", "A33", "A21", "A22", "A52", "A53"), Effect.NONE),
    **dict.fromkeys(("A20", "A23", "A24", "A37", "A28", "A29", "A31", "A54", "A55", "A60", "A61", "A62"), Effect.NONE),
}
"""By MSH-9.2. An event that is not here changes nothing, and is counted."""

WENT_ON_BEFORE: Final = ("A02", "A06", "A07", "A12", "A17")
"""Events of a visit that went on before: where nothing is known of it, PV1-6 tells where it lay."""
