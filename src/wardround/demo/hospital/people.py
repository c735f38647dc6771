"""Makes up the people of the hospital: names, numbers, addresses. No one of them is or was anybody.

It sees patient values, though made-up ones; it never logs.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Final

_FAMILY: Final = (
    *("Demopatient", "Musterfrau", "Mustermann", "Testová", "O'Sample", "Van der Proef", "Prøve", "Exemple"),
    *("Müller-Test", "Beispiel", "Prueba", "Próba", "Smith & Test", "Ensayo", "Voorbeeld", "Näyte"),
)
_GIVEN: Final = (
    *("Alex", "Ariel", "Björn", "Chloé", "Dana", "Eli", "Françoise", "Jamie", "Jürgen", "Kai", "Kim", "Lee"),
    *("Łucja", "Marion", "Noa", "Pat", "Quinn", "Robin", "Sage", "Sascha", "Søren", "Toni"),
)
_STREETS: Final = ("Example Street", "Musterweg", "Rue de l'Essai", "Test Avenue", "Calle Prueba")
_BORN: Final = date(1935, 1, 1)
_DAYS: Final = 75 * 365


@dataclass
class Person:
    """Somebody whom the hospital knows: `number` is the record number, `earlier` those that were merged into it."""

    number: str
    family: str
    given: str
    born: date
    sex: str
    street: str
    earlier: list[str] = field(default_factory=list)


def made_up_person(number: str, rng: Random, sex: str | None = None, born: date | None = None) -> Person:
    """Returns a person with this record number; sex (M, F or U) and birth date are drawn unless they are given."""
    return Person(
        number=number,
        family=rng.choice(_FAMILY),
        given=rng.choice(_GIVEN),
        born=born or _BORN + timedelta(days=rng.randrange(_DAYS)),
        sex=sex or rng.choice("MF"),
        street=f"{rng.randrange(1, 200)} {rng.choice(_STREETS)}",
    )
