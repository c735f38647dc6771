"""A unit as a source spells it in, how its values become canonical out; what is not certain has no conversion."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from pydantic import Field

from wardround.spec.base import SpecModel
from wardround.spec.ucum import measure, plainly


class UnitConversion(SpecModel):
    """How a source's unit becomes the canonical one: canonical = source x factor + offset."""

    factor: float = Field(default=1.0, gt=0, description="Multiplied with the source's value.")
    offset: float = Field(default=0.0, description="Added after the factor.")


SAME: Final = UnitConversion()
_NUMBER: Final = measure("1")
Units = Mapping[str, str | UnitConversion]  # a text and the UCUM unit that it means; or a UCUM unit and its conversion


def conversion(unit: str, canonical: str, units: Units) -> UnitConversion | None:
    """How values in `unit` become values in `canonical`, or None where it is not known for certain.

    What `units` lists as text goes before UCUM: `C` is no coulomb where it is listed as `Cel`. A UCUM unit converts
    if it measures the same as the canonical one, or as a UCUM unit that `units` gives a conversion for.
    """
    if unit == canonical:
        return SAME
    plain = plainly(unit)
    meant = units.get(unit, units.get(plain, plain))
    if isinstance(meant, UnitConversion):
        return meant
    step = between(meant, canonical)
    if step is not None:
        return step
    anchors = ((other, known) for other, known in units.items() if isinstance(known, UnitConversion))
    return next(_through(meant, anchors), None)


def _through(unit: str, anchors: Iterable[tuple[str, UnitConversion]]) -> Iterator[UnitConversion]:
    for anchor, known in anchors:
        step = between(unit, anchor)
        if step is not None:
            yield UnitConversion(factor=step.factor * known.factor, offset=step.offset * known.factor + known.offset)


@lru_cache(maxsize=4096)
def between(unit: str, other: str) -> UnitConversion | None:
    """How values in one UCUM unit become values in another, or None where they do not measure the same."""
    mine, theirs = measure(unit), measure(other)
    if mine is None or theirs is None or mine.dimension != theirs.dimension:
        return None
    if theirs == _NUMBER and mine != _NUMBER:
        return None  # A score or a ratio given in percent is another quantity than its unit says.
    try:
        factor, offset = float(mine.scale / theirs.scale), float((mine.zero - theirs.zero) / theirs.scale)
    except OverflowError:
        return None
    return UnitConversion(factor=factor, offset=offset) if factor else None


def has_one_scale(unit: str) -> bool:
    """Whether people give its values without naming the unit: a rate a minute, a percentage, a score, a pH."""
    return unit in ("/min", "%", "[pH]") or measure(unit) == _NUMBER
