"""Parses UCUM units (case sensitive) and says what they measure; whatever is uncertain is not a unit.

The atoms are those in which measurements of patients may be given, as defined by UCUM 2.2. All arithmetic is exact, so
that two spellings of one unit convert by exactly 1. See decision 14.
"""

import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from functools import cache, lru_cache
from typing import Final, NamedTuple

SYSTEMS: Final = ("http://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8")

Dimension = tuple[tuple[str, int], ...]  # base units and their powers, sorted

# Longer texts are not units, and nothing is measured in higher powers.
_LONGEST: Final = 60
_HIGHEST_POWER: Final = 24


class Measure(NamedTuple):
    """What a unit measures: a value in it is `value x scale + zero` in base units of `dimension`."""

    scale: Fraction
    dimension: Dimension = ()
    zero: Fraction = Fraction(0)


# Units that are not made of others. Moles and equivalents are kept apart although UCUM defines both as numbers: the
# charge of an ion is chemistry, and variables.yaml states it. Arbitrary units convert only to themselves. UCUM has the
# column of mercury with four decimals; Wardround uses the conventional, longer value, as it always has.
_BASE: Final = ("m", "s", "g", "K", "mol", "eq", "osm", "rad", "[pH]", "[iU]", "[arb'U]", "[USP'U]")
_DERIVED: Final = {
    "%": ("1", "10*-2"), "[ppth]": ("1", "10*-3"), "[ppm]": ("1", "10*-6"), "[ppb]": ("1", "10*-9"),
    "min": ("60", "s"), "h": ("60", "min"), "d": ("24", "h"), "wk": ("7", "d"), "Hz": ("1", "s-1"),
    "l": ("1", "dm3"), "L": ("1", "l"), "N": ("1", "kg.m/s2"), "Pa": ("1", "N/m2"), "J": ("1", "N.m"),
    "W": ("1", "J/s"), "cal": ("4.184", "J"), "bar": ("100000", "Pa"), "atm": ("101325", "Pa"),
    "m[Hg]": ("133.322387415", "kPa"), "m[H2O]": ("9.80665", "kPa"), "dyn": ("1", "g.cm/s2"),
    "t": ("1000", "kg"), "[lb_av]": ("453.59237", "g"), "[oz_av]": ("1/16", "[lb_av]"), "[in_i]": ("2.54", "cm"),
    "g%": ("1", "g/dl"), "kat": ("1", "mol/s"), "U": ("1", "umol/min"), "[IU]": ("1", "[iU]"),
    "[degR]": ("5/9", "K"),
}  # fmt: skip
# Units with their own zero; they cannot be combined with others.
_SPECIAL: Final = {
    "Cel": Measure(Fraction(1), (("K", 1),), Fraction("273.15")),
    "[degF]": Measure(Fraction(5, 9), (("K", 1),), Fraction("459.67") * 5 / 9),
}
_POWERS: Final = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
_METRIC: Final = (
    *("m", "s", "g", "K", "mol", "eq", "osm", "rad", "[iU]", "[IU]", "Hz", "l", "L", "N", "Pa", "J", "W", "cal", "bar"),
    *("m[Hg]", "m[H2O]", "dyn", "t", "g%", "kat", "U"),
)


def _spellings() -> dict[str, tuple[str, int]]:
    """Returns every spelling of an atom, with its atom and power of ten. An atom comes before a prefix with an atom."""
    prefixed = {prefix + atom: (atom, power) for atom in _METRIC for prefix, power in _POWERS.items()}
    return {**prefixed, **{atom: (atom, 0) for atom in (*_BASE, *_DERIVED)}}


_SPELLINGS: Final[Mapping[str, tuple[str, int]]] = _spellings()

_ANNOTATION: Final = r"\{[^{}]*\}"
_TOKEN: Final = re.compile(
    rf"(?P<power>10[*^](?P<ten>[+-]?\d+)?)|(?P<number>\d+)|(?P<annotation>{_ANNOTATION})|(?P<sign>[./()])"
    r"|(?P<atom>(?:[A-Za-z%']|\[[^\[\]{}]*\])+)(?P<exponent>[+-]?\d+)?",
    re.ASCII,
)


class _NotAUnit(Exception):
    """The text is not a UCUM unit, or one that this module does not know."""


def plainly(text: str) -> str:
    """Returns the text with `u`, as UCUM prints it, for either of the two micro signs."""
    return text.replace("µ", "u").replace("μ", "u")


@lru_cache(maxsize=4096)
def measure(text: str) -> Measure | None:
    """Returns what a unit measures, or None for a text that is not a known UCUM unit.

    A bare number other than 1 is more likely a code of another system, so it is not a unit here.
    """
    plain = plainly(text)
    if not plain or len(plain) > _LONGEST or (plain.isdigit() and plain != "1"):
        return None
    alone = _SPECIAL.get(re.sub(f"{_ANNOTATION}$", "", plain))
    try:
        return alone or _Reader(plain).whole()
    except _NotAUnit:
        return None


class _Reader:
    """Parses one text from left to right: `.` and `/` have the same precedence, as UCUM requires."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_TOKEN.finditer(text))
        if "".join(token[0] for token in self._tokens) != text:
            raise _NotAUnit
        self._place = 0

    def whole(self) -> Measure:
        measured = self._term()
        if self._place != len(self._tokens):
            raise _NotAUnit
        return measured

    def _sign(self) -> str:
        """Returns the sign at this place, or an empty text."""
        return (self._tokens[self._place]["sign"] or "") if self._place < len(self._tokens) else ""

    def _term(self) -> Measure:
        measured = Measure(Fraction(1)) if self._sign() == "/" else self._component()
        while self._sign() in (".", "/"):
            power = 1 if self._sign() == "." else -1
            self._place += 1
            measured = _times(measured, _to_the(self._component(), power))
        return measured

    def _component(self) -> Measure:
        if self._place == len(self._tokens):
            raise _NotAUnit
        token = self._tokens[self._place]
        self._place += 1
        if token["annotation"]:
            return Measure(Fraction(1))
        measured = self._inside() if token["sign"] == "(" else _one(token)
        if self._place < len(self._tokens) and self._tokens[self._place]["annotation"]:
            self._place += 1
        return measured

    def _inside(self) -> Measure:
        measured = self._term()
        if self._sign() != ")":
            raise _NotAUnit
        self._place += 1
        return measured


def _one(token: re.Match[str]) -> Measure:
    """Returns what a number, a power of ten or an atom with its exponent measures."""
    if token["power"]:
        return Measure(Fraction(10) ** _power(token["ten"]))
    if token["number"]:
        if not int(token["number"]):
            raise _NotAUnit
        return Measure(Fraction(int(token["number"])))
    if token["atom"] not in _SPELLINGS:
        raise _NotAUnit
    atom, power = _SPELLINGS[token["atom"]]
    return _to_the(_times(Measure(Fraction(10) ** power), _atom(atom)), _power(token["exponent"]))


def _power(digits: str | None) -> int:
    power = int(digits or 1)
    if abs(power) > _HIGHEST_POWER:
        raise _NotAUnit
    return power


@cache
def _atom(atom: str) -> Measure:
    if atom in _BASE:
        return Measure(Fraction(1), ((atom, 1),))
    number, unit = _DERIVED[atom]
    return _times(Measure(Fraction(number)), _Reader(unit).whole())


def _times(one: Measure, other: Measure) -> Measure:
    powers = Counter(dict(one.dimension))
    for base, power in other.dimension:
        powers[base] += power
    return Measure(one.scale * other.scale, tuple(sorted((base, power) for base, power in powers.items() if power)))


def _to_the(one: Measure, power: int) -> Measure:
    return Measure(one.scale**power, tuple((base, mine * power) for base, mine in one.dimension if power))
