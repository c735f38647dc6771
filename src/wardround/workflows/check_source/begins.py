"""Stays in; for how many of them it is known when they began, what is therefore missing, and why, out."""

from collections import Counter

import pandas as pd

from wardround.spec.base import SpecModel


class Begins(SpecModel):
    """For how many stays it is known when they began.

    Attributes:
        stays: how many stays were found.
        in_unit: of how many it is known, to the moment, when their time in the unit began.
        in_hospital: of how many it is known when the hospital stay began, which another Encounter tells.
        hospital_unknown: why it is not known of the others, most frequent first.
    """

    stays: int
    in_unit: int
    in_hospital: int
    hospital_unknown: dict[str, int]

    def in_words(self) -> list[str]:
        """Returns sentences, none where there are no stays: which features can be had, which not, and what to do."""
        if not self.stays:
            return []
        found = [
            f"It is known when they began in the unit for {self.in_unit:,} of {self.stays:,}"
            f" (hours_in_unit), and in the hospital for {self.in_hospital:,} (hours_in_hospital)."
        ]
        if self.in_unit < self.stays:
            found.append(
                f"Warning: hours_in_unit will be missing for {self.stays - self.in_unit:,}, whose begin is a date or"
                " has no zone; they are scored without it."
            )
        if self.in_hospital < self.stays:
            reasons = ", ".join(f"{reason} {number:,}" for reason, number in self.hospital_unknown.items())
            found.append(
                f"Warning: hours_in_hospital will be missing for {self.stays - self.in_hospital:,} ({reasons}); they"
                " are scored without it. It needs the Encounter of the hospital stay, named in partOf and found by _id."
            )
        return found


def begins_of(stays: pd.DataFrame) -> Begins:
    """Returns what is known about the begins of stays (FOUND_STAY_COLUMNS)."""
    reasons = Counter(stays["hospital_unknown"][stays["hospital_unknown"] != ""])
    return Begins(
        stays=len(stays),
        in_unit=int(stays["unit_begin"].notna().sum()),
        in_hospital=int(stays["hospital_begin"].notna().sum()),
        hospital_unknown=dict(reasons.most_common()),
    )
