"""How many stays a run found, and whether so few are plausible or rather the effect of a wrong setting.

A misspelt ICU class and an empty ward look alike. What tells them apart is what was found before, and what the
condition expects at least.
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
    """What two runs have in common that should find as many stays. Not the ICU rule: a change in it is a doubt."""

    condition: str = ""
    source: str = ""
    cohort: Mapping[str, Any] = {}
    look_back: str = ""

    @property
    def names_patients(self) -> bool:
        """Whether it asks for patients by their ids; the numbers of two such runs cannot be compared."""
        return self.cohort.get("kind") == "patients"


class Census(Account):
    """How many stays a run found, beside what was expected of its question (`of`), and what is wrong with that.

    Attributes:
        before: what it was compared with; None if there was no such run.
        doubt: TOO_FEW or FELL; "" for a number that may be the ward.
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
