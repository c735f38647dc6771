"""Finds how values in a source's unit convert to the canonical unit; an uncertain unit has no conversion."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from pydantic import Field

from wardround.spec.base import SpecModel
from wardround.spec.ucum import measure, plainly


class UnitConversion(SpecModel):
    """How a source's unit converts to the canonical one: canonical = source x factor + offset."""

    factor: float = Field(default=1.0, gt=0, description="The source's value is multiplied by it.")
    offset: float = Field(default=0.0, description="Added after the multiplication.")


SAME: Final = UnitConversion()
_NUMBER: Final = measure("1")
Units = Mapping[str, str | UnitConversion]  # a text -> the UCUM unit that it means; or a UCUM unit -> its conversion


def conversion(unit: str, canonical: str, units: Units) -> UnitConversion | None:
    """Returns how values in `unit` convert to `canonical`, or None if that is not certain.

    What `units` lists as text takes precedence over UCUM: `C` is not a coulomb where it is listed as `Cel`. A UCUM unit
    converts if it measures the same as the canonical one, or as a UCUM unit for which `units` gives a conversion.
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
    """Returns how values in one UCUM unit convert to another, or None if they do not measure the same."""
    mine, theirs = measure(unit), measure(other)
    if mine is None or theirs is None or mine.dimension != theirs.dimension:
        return None
    if theirs == _NUMBER and mine != _NUMBER:
        return None  # A score or a ratio given in percent is a different quantity from what its unit suggests.
    try:
        factor, offset = float(mine.scale / theirs.scale), float((mine.zero - theirs.zero) / theirs.scale)
    except OverflowError:
        return None
    return UnitConversion(factor=factor, offset=offset) if factor else None


def has_one_scale(unit: str) -> bool:
    """Returns whether people omit this unit when they give a value: a rate per minute, a percentage, a score, a pH."""
    return unit in ("/min", "%", "[pH]") or measure(unit) == _NUMBER
