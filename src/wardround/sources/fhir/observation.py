"""Reads the readings of an Observation; judges nothing except what makes a reading impossible."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from wardround.core.events import NO_TIME, NO_VALUE
from wardround.core.microseconds import UNKNOWN
from wardround.core.reading_rule import CODE, Opening, ReadingRule
from wardround.core.readings import Readings, Row
from wardround.fhir.page import Misshapen
from wardround.fhir.references import (
    Bases,
    Resource,
    contradicts,
    is_id,
    patient_of,
)
from wardround.fhir.times import micros_of
from wardround.sources.fhir.context import MODIFIER_EXTENSION, changed, context_of, is_absent, is_there
from wardround.sources.fhir.observation_shape import Coding, Component, Observation, Quantity
from wardround.spec.source_maps import Translation
from wardround.spec.ucum import SYSTEMS as UCUM_SYSTEMS

MALFORMED: Final = "malformed"  # not shaped like an Observation
_NAN: Final = float("nan")
_NUMBERS: Final = (float, int)  # how JSON numbers are read; a boolean is an int, but not a number
_Holder = tuple[Observation | Component, str, str]


def readings_of(observations: Iterable[Observation | Misshapen], rule: ReadingRule, bases: Bases) -> list[Row]:
    """Returns the readings in Observations that the rule selects, in order: their own values and components that count.

    time is effectiveDateTime or effectiveInstant; for an effectivePeriod, its end, when the value last held, or its
    start while it is open. A date without a time of day does not count as a time. available is `issued`, or else time.
    """
    readings: list[Row] = []
    openings, patient_of, add = rule.openings, bases.patient, readings.append
    for one in observations:
        if type(one) is Misshapen:
            readings += _malformed(one.resource, rule, bases)
            continue
        try:
            # There are a hundred for each stay, and nearly all are simple: one code, one number in one unit, a
            # dateTime, and nothing that could change what it means. `_readings` gives the same for them, but takes
            # twice as long.
            if (
                (concept := one.code) is None
                or (subject := one.subject) is None
                or (quantity := one.value_quantity) is None
                or len(concept.coding) != 1
                or one.component
                or not (one.focus is one.modifier_extension is one.implicit_rules is one.data_absent_reason is None)
                or not (one.body_site is one.method is None and one.specimen is one.extension is subject.type is None)
                or not (quantity.extension is quantity.about_value is quantity.comparator is None)
                or type(value := quantity.value) not in _NUMBERS
                or type(unit := quantity.code or "") is not str
                or (unit != quantity.unit is not None)
                or not (effective := one.effective_date_time)
                or one.resource_type != "Observation"
                or not is_id(key := one.id)
            ):
                readings += _readings(one, rule, bases)
            elif (opening := openings.get(((coding := concept.coding[0]).system, coding.code))) is not None:
                patient, problem = patient_of(subject.reference)
                time, issued = micros_of(effective), micros_of(one.issued)
                if time == UNKNOWN and not problem:
                    problem = NO_TIME
                available = time if issued == UNKNOWN else issued
                ref, unit, status, number = f"Observation/{key}", unit.strip(), str(one.status), float(value)
                for variable in opening.variables:
                    add((patient, time, available, number, ref, (variable, unit, "", False, status, problem)))
        except (TypeError, AttributeError, ValueError, OverflowError):
            readings += _malformed(msgspec.to_builtins(one), rule, bases)
    return readings


def in_our_units(readings: Readings, translation: Translation) -> Readings:
    """Returns the readings with each of the source's own units replaced by the unit that it means."""
    if not translation.units:
        return readings
    meant = dict(translation.units)
    return readings.with_kinds(
        lambda kind: kind._replace(
            unit=meant.get(kind.unit, kind.unit), other_unit=meant.get(kind.other_unit, kind.other_unit)
        )
    )


def _readings(observation: Observation, rule: ReadingRule, bases: Bases) -> list[Row]:
    """Returns the readings in any Observation. Raises whatever error a malformed one causes."""
    concept = observation.code
    if observation.resource_type != "Observation" or concept is None:
        return []
    if (opening := rule.opening(concept.coding)) is None:
        return []
    if not is_id(observation.id):
        raise ValueError("no usable id")
    subject = observation.subject
    patient, foreign = bases.patient(subject.reference) if subject else ("", "")
    if subject and subject.type is not None and patient and contradicts({"type": subject.type}, "Patient"):
        raise ValueError("says two types")
    time = micros_of(observation.effective_date_time or _other_time(observation))
    issued = micros_of(observation.issued)
    available = time if issued == UNKNOWN else issued
    source_ref, status = f"Observation/{observation.id}", str(observation.status)
    aside = foreign or changed(observation)
    readings: list[Row] = []
    for holder, variable, why in _holders(observation, concept.coding, opening, rule):
        value, unit, other, comparator = _value(holder)
        problem = aside or why
        if not problem:
            problem = NO_TIME if time == UNKNOWN else NO_VALUE if value is None and not comparator else ""
        number = _NAN if value is None else value
        kind = (variable, unit, other, comparator, status, problem)
        readings.append((patient, time, available, number, source_ref, kind))
    return readings


def _holders(
    observation: Observation, codings: Sequence[Coding], opening: Opening, rule: ReadingRule
) -> Iterator[_Holder]:
    """Yields whatever holds a value that counts, with its variable, and why it may not be one."""
    ruled_out = rule.ruled_out(codings) if len(codings) > 1 else ()
    around = context_of(observation, observation)
    for name in opening.variables:
        yield observation, name, (CODE if name in ruled_out else "") or rule.excluded(name, around)
    for component, name, why in _parts(observation, opening, rule, ruled_out):
        said = around if component.extension is None else context_of(observation, component)
        yield component, name, why or rule.excluded(name, said)


def _parts(
    observation: Observation, opening: Opening, rule: ReadingRule, ruled_out: Collection[str]
) -> Iterator[tuple[Component, str, str]]:
    """Yields the components that count. If the Observation has its own value for a variable, that is not repeated."""
    own = observation.value_quantity is not None or observation.value_integer is not None
    said = opening.variables if own else ()
    for component in observation.component:
        codings = component.code.coding if component.code else ()
        others = {*ruled_out, *rule.ruled_out(codings)} if len(codings) > 1 else ruled_out
        why = MODIFIER_EXTENSION if is_there(component.modifier_extension) else ""
        for name in dict.fromkeys(opening.components.get((coding.system, coding.code)) for coding in codings):
            if name and name not in said:
                yield component, name, why or (CODE if name in others else "")


def _value(holder: Observation | Component) -> tuple[float | None, str, str, bool]:
    """Returns number, unit, any other unit, and whether a comparator makes it a bound. Reads no numbers from text."""
    if holder.data_absent_reason is not None:
        return None, "", "", False
    quantity = holder.value_quantity
    if quantity is None:
        return _number(holder.value_integer), "", "", False
    if not (quantity.extension is quantity.about_value is None) and is_absent(quantity):
        return None, "", "", False
    return _number(quantity.value), *_units(quantity), bool(quantity.comparator)


def _units(quantity: Quantity) -> tuple[str, str]:
    """Returns the unit that counts, and any other unit named beside it: a UCUM code comes first.

    A code of another system is treated as text; the human-readable unit takes precedence over it.
    """
    code, text = quantity.code, quantity.unit
    if not text or code == text:
        return str(code or "").strip(), ""
    if not code:
        return str(text).strip(), ""
    if quantity.system and quantity.system not in UCUM_SYSTEMS:
        code, text = text, code
    return str(code).strip(), str(text).strip()


def _number(value: Any) -> float | None:
    return float(value) if type(value) in _NUMBERS else None


def _other_time(observation: Observation) -> Any:
    if not observation.effective_instant and observation.effective_period:
        return observation.effective_period.end or observation.effective_period.start
    return observation.effective_instant


def _malformed(resource: Resource, rule: ReadingRule, bases: Bases) -> list[Row]:
    """Returns a reading without a value for each variable that the resource seems to be about."""
    if resource.get("resourceType") != "Observation":
        return []
    patient, key = patient_of(bases.localised({"subject": resource.get("subject")})), resource.get("id")
    source_ref = f"Observation/{key}" if is_id(key) else "Observation"
    return [
        (patient, UNKNOWN, UNKNOWN, _NAN, source_ref, (variable, "", "", False, "", MALFORMED))
        for variable in rule.variables_mentioned(resource.get("code"), resource.get("component"))
    ]
