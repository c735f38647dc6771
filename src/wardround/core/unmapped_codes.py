"""Observations that no variable names in; how often each of their codes occurs, with how it is called, out.

Codes, displays and units are a house's own words about its tests, and are cut short; no value, no time and no patient
is kept, only how many Observations and how many patients there were.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

NO_CODE: Final = ("", "")
_DIFFERENT: Final = 5_000  # codes; what comes beyond is counted together
_LONGEST: Final = 80
_UNITS: Final = 3


@dataclass(frozen=True)
class UnmappedCode:
    """A code that no variable names, and what was met under it."""

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
    """Counts Observations by code; of several codings each counts, as each could be mapped."""

    def __init__(self) -> None:
        self._met: dict[tuple[str, str], _Met] = {}
        self.observations = 0
        self.beyond = 0  # Observations whose codes came after so many others that only their number is kept

    def add(self, codings: Iterable[tuple[Any, Any, Any]], unit: Any, patient_id: str) -> None:
        """One Observation: (system, code, display) of its codings, the unit of its value, and whose it is."""
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
        """All codes that were kept, by how many Observations bear them."""
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
    """Some words in one line, without what a terminal or a page would take for an instruction."""
    if not isinstance(text, str):
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST]).strip()
