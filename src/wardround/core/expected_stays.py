"""How many stays a run found, and the run before it, in; whether that may be the ward, or rather a wrong setting, out.

A misspelt ICU class and an empty ward look alike. What tells them apart is what was found before, and what the
condition expects at least.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from wardround.spec.conditions import Cohort

TOO_FEW: Final = "too_few"  # fewer than cohort.at_least
FELL: Final = "fell"  # by more than cohort.may_fall_by since the run before


class RunBefore(NamedTuple):
    """An earlier run of the same question, and how many stays it found."""

    run: str
    found: int


def doubt(found: int, before: RunBefore | None, cohort: Cohort) -> str:
    """TOO_FEW or FELL; "" for a number that may be the ward."""
    if found < cohort.at_least:
        return TOO_FEW
    if before is None or cohort.may_fall_by is None:
        return ""
    fall = before.found - found
    return FELL if fall >= cohort.small_fall and fall > cohort.may_fall_by * before.found else ""


def doubt_in_words(census: Mapping[str, Any]) -> str:
    """What is wrong with a run's census (see `workflows.screening.census`), as a clause; "" if nothing is."""
    match census.get("doubt"):
        case "too_few":
            return f"found {_stays(census['found'])}, expected at least {census['at_least']}"
        case "fell":
            before = census["before"]
            most = f"{census['may_fall_by']:.0%}"
            return (
                f"found {_stays(census['found'])} after {before['found']} in run {before['run']}, expected a fall of at"
                f" most {most}"
            )
    return ""


def _stays(number: int) -> str:
    return f"{number} stay" if number == 1 else f"{number} stays"
