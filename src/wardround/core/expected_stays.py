"""Judges whether the number of stays that a run found is plausible, or a sign of a wrong setting.

A misspelt ICU class and an empty ward look the same. Only the number found before, and the minimum that the condition
expects, can tell them apart.
"""

from collections.abc import Mapping
from typing import Any, Final

from wardround.core.account import Account
from wardround.spec.conditions import Cohort

TOO_FEW: Final = "too_few"  # fewer than cohort.at_least
FELL: Final = "fell"  # by more than cohort.may_fall_by since the run before


class RunBefore(Account):
    """An earlier run of the same question, and how many stays it found."""

    run: str = ""
    found: int = 0


class Question(Account):
    """What two runs must share for their numbers of stays to be comparable.

    The ICU rule is left out, so that a change in it can raise a doubt.
    """

    condition: str = ""
    source: str = ""
    cohort: Mapping[str, Any] = {}
    look_back: str = ""

    @property
    def names_patients(self) -> bool:
        """Returns whether it asks for patients by their ids; the numbers of two such runs cannot be compared."""
        return self.cohort.get("kind") == "patients"


class Census(Account):
    """How many stays a run found, what was expected for its question (`of`), and what is wrong with the number.

    Attributes:
        before: the run that it was compared with; None if there was none.
        doubt: TOO_FEW or FELL; "" if the number is plausible.
    """

    of: Question = Question()
    found: int = 0
    at_least: int = 0
    may_fall_by: float | None = None
    before: RunBefore | None = None
    doubt: str = ""


def doubt(found: int, before: RunBefore | None, cohort: Cohort) -> str:
    """Returns TOO_FEW or FELL; "" for a plausible number."""
    if found < cohort.at_least:
        return TOO_FEW
    if before is None or cohort.may_fall_by is None:
        return ""
    fall = before.found - found
    return FELL if fall >= cohort.small_fall and fall > cohort.may_fall_by * before.found else ""


def doubt_in_words(census: Census) -> str:
    """Returns what is wrong with a run's census, as a clause; "" if nothing is."""
    if census.doubt == TOO_FEW:
        return f"found {_stays(census.found)}, expected at least {census.at_least}"
    if census.doubt == FELL and census.before:
        return (
            f"found {_stays(census.found)} after {census.before.found} in run {census.before.run}, expected a fall of"
            f" at most {census.may_fall_by:.0%}"
        )
    return ""


def _stays(number: int) -> str:
    return f"{number} stay" if number == 1 else f"{number} stays"
