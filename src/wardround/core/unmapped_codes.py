"""Counts the codes of Observations that belong to no variable, with their display names.

Codes, displays and units are a hospital's own words for its tests, and are shortened. No value, time or patient is
kept, only the numbers of Observations and of patients.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

NO_CODE: Final = ("", "")
_DIFFERENT: Final = 5_000  # codes; any further ones are counted together
_LONGEST: Final = 80
_UNITS: Final = 3


@dataclass(frozen=True)
class UnmappedCode:
    """A code that no variable names, and what was found with it."""

    system: str
    code: str
    display: str
    units: tuple[str, ...]
    observations: int
    patients: int


@dataclass
class _Met:
    display: str = ""
    observations: int = 0
    patients: set[str] = field(default_factory=set)
    units: Counter[str] = field(default_factory=Counter)


class UnmappedCodes:
    """Counts Observations by code; if one has several codings, each counts, because each could be mapped."""

    def __init__(self) -> None:
        self._met: dict[tuple[str, str], _Met] = {}
        self.observations = 0
        self.beyond = 0  # Observations whose codes came after the limit, so that only their number is kept

    def add(self, codings: Iterable[tuple[Any, Any, Any]], unit: Any, patient_id: str) -> None:
        """Counts one Observation: (system, code, display) of its codings, the unit of its value, and its patient."""
        self.observations += 1
        named = {(_short(system), _short(code)): _short(display) for system, code, display in codings} or {NO_CODE: ""}
        for key, display in named.items():
            met = self._met.get(key)
            if met is None and len(self._met) >= _DIFFERENT:
                self.beyond += 1
                continue
            met = self._met.setdefault(key, _Met())
            met.display = met.display or display
            met.observations += 1
            met.patients.add(patient_id)
            if unit and len(met.units) < _DIFFERENT:
                met.units[_short(unit)] += 1

    def most_frequent(self) -> list[UnmappedCode]:
        """Returns all codes that were kept, those with the most Observations first."""
        found = [
            UnmappedCode(
                system=system,
                code=code,
                display=met.display,
                units=tuple(unit for unit, _ in met.units.most_common(_UNITS)),
                observations=met.observations,
                patients=len(met.patients),
            )
            for (system, code), met in self._met.items()
        ]
        return sorted(found, key=lambda one: (-one.observations, one.system, one.code))


def _short(text: Any) -> str:
    """Returns a text on one line, without characters that a terminal or a page would interpret as an instruction."""
    if not isinstance(text, str):
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST]).strip()
