"""One Observation in, its readings out; nothing is judged here except what makes a reading impossible."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from wardround.adapters.fhir_context import MODIFIER_EXTENSION, changed, is_absent, is_there, said_around
from wardround.adapters.fhir_observation_shape import Component, Observation, Quantity
from wardround.adapters.fhir_page import Misshapen
from wardround.adapters.fhir_references import (
    Bases,
    Resource,
    contradicts,
    is_id,
    patient_of,
)
from wardround.adapters.fhir_times import UNKNOWN, micros_of, times_of
from wardround.core.events import NO_TIME, NO_VALUE
from wardround.core.reading_rule import CODE, Opening, ReadingRule
from wardround.spec.source_maps import Translation
from wardround.spec.ucum import SYSTEMS as UCUM_SYSTEMS

MALFORMED: Final = "malformed"  # not shaped like an Observation
_NAN: Final = float("nan")
_TEXT: Final = pa.large_string()
_EMPTY: Final = pa.scalar("", _TEXT)

_reading: Final = tuple.__new__  # a third of the time of Reading(…)

_Holder = tuple[Observation | Component, str, str]


class Reading(NamedTuple):
    """A row of readings; times in microseconds since 1970."""

    patient_id: str
    time: int
    available: int
    variable: str
    value: float
    source_ref: str
    unit: str
    other_unit: str
    comparator: bool
    status: str
    problem: str


def readings_of(observation: Observation | Misshapen, rule: ReadingRule, bases: Bases) -> list[Reading]:
    """The readings in one Observation that the rule opens: of its own value and of components that count.

    time is effectiveDateTime or effectiveInstant; of an effectivePeriod its end, when the value was true at last, or
    its start while it is open. A date without a time of day is no time. available is `issued`, or else time.
    """
    if isinstance(observation, Misshapen):
        return _malformed(observation.resource, rule, bases)
    try:
        return _readings(observation, rule, bases)
    except (TypeError, AttributeError, ValueError, OverflowError):
        return _malformed(msgspec.to_builtins(observation), rule, bases)


def frame_of_readings(readings: Sequence[Reading]) -> pd.DataFrame:
    """Rows as a frame (READING_COLUMNS)."""
    patient_id, time, available, variable, value, source_ref, unit, other_unit, comparator, status, problem = (
        zip(*readings, strict=True) if readings else ((),) * len(Reading._fields)
    )
    return pd.DataFrame(
        {
            "patient_id": _texts(patient_id),
            "time": times_of(time),
            "available": times_of(available),
            "variable": _texts(variable),
            "value": np.array(value, dtype="float64"),
            "source_ref": _texts(source_ref),
            "unit": _texts(unit),
            "other_unit": _texts(other_unit),
            "comparator": np.array(comparator, dtype="bool"),
            "status": _texts(status),
            "problem": _texts(problem),
        }
    )


def in_our_units(readings: pd.DataFrame, translation: Translation) -> pd.DataFrame:
    """The readings with each unit that is the source's own replaced by the one that it means."""
    if not translation.units:
        return readings
    meant = dict(translation.units)
    return readings.assign(**{name: readings[name].replace(meant) for name in ("unit", "other_unit")})


def _texts(values: Sequence[str]) -> Any:
    # pandas would look at each text twice before it makes of them what this makes at once.
    texts = pa.array(values, type=_TEXT) if any(values) else pa.repeat(_EMPTY, len(values))
    return pd.array(texts, dtype="str")


def _readings(observation: Observation, rule: ReadingRule, bases: Bases) -> list[Reading]:
    # A hundred of these for each stay: what they need is looked up once, and no generator stands in between.
    if observation.resource_type != "Observation":
        return []
    if observation.code is None or (opening := rule.opening(observation.code.coding)) is None:
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
    aside = foreign
    # Nearly all have none of these, which takes two comparisons.
    if not (observation.focus is observation.modifier_extension is observation.implicit_rules is None):
        aside = foreign or changed(observation)
    around = None
    if not (
        observation.body_site is observation.method is None and observation.specimen is observation.extension is None
    ):
        around = said_around(observation, observation)
    holders: list[_Holder] = [(observation, variable, "") for variable in opening.variables]
    if observation.component or len(observation.code.coding) > 1:
        holders = _holders(observation, opening, rule)
    readings = []
    for holder, variable, why in holders:
        value, unit, other, comparator = _value(holder)
        of_its_own = holder is not observation and holder.extension is not None
        said = said_around(observation, holder) if of_its_own else around
        problem = aside or why or (rule.excluded(variable, said) if said else "")
        if not problem:
            problem = NO_TIME if time == UNKNOWN else NO_VALUE if value is None and not comparator else ""
        number = _NAN if value is None else value
        row = (patient, time, available, variable, number, source_ref, unit, other, comparator, status, problem)
        readings.append(_reading(Reading, row))
    return readings


def _holders(observation: Observation, opening: Opening, rule: ReadingRule) -> list[_Holder]:
    """What holds a value that counts, with its variable, and why it may be none of it."""
    codings = observation.code.coding if observation.code else []
    ruled_out = rule.ruled_out(codings) if len(codings) > 1 else ()
    own: list[_Holder] = [(observation, name, CODE if name in ruled_out else "") for name in opening.variables]
    return [*own, *_parts(observation, opening, rule, ruled_out)]


def _parts(
    observation: Observation, opening: Opening, rule: ReadingRule, ruled_out: Collection[str]
) -> Iterator[_Holder]:
    """The components that count. What the Observation gives a value of its own for, it does not say twice."""
    own = observation.value_quantity is not None or observation.value_integer is not None
    said = opening.variables if own else ()
    for component in observation.component:
        codings = component.code.coding if component.code else []
        others = {*ruled_out, *rule.ruled_out(codings)} if len(codings) > 1 else ruled_out
        why = MODIFIER_EXTENSION if is_there(component.modifier_extension) else ""
        for name in dict.fromkeys(opening.components.get((coding.system, coding.code)) for coding in codings):
            if name and name not in said:
                yield component, name, why or (CODE if name in others else "")


def _value(holder: Observation | Component) -> tuple[float | None, str, str, bool]:
    """Number, unit, the other unit beside it and whether a comparator makes it a bound. No number is read in a text."""
    if holder.data_absent_reason is not None:
        return None, "", "", False
    quantity = holder.value_quantity
    if quantity is None:
        return _number(holder.value_integer), "", "", False
    if not (quantity.extension is quantity.about_value is None) and is_absent(quantity):
        return None, "", "", False
    number, code, text = quantity.value, quantity.code, quantity.unit
    if type(code) is str and (code == text or text is None):
        unit, other = code.strip(), ""
    else:
        unit, other = _units(quantity)
    return (number if type(number) is float else _number(number)), unit, other, bool(quantity.comparator)


def _units(quantity: Quantity) -> tuple[str, str]:
    """The unit that counts, and what else is named beside it: the code of UCUM goes first.

    A code of another system is text like any other; what people read goes before it.
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
    # What JSON gives is of exactly these types; a boolean is an int, and no number.
    return float(value) if type(value) is float or type(value) is int else None


def _other_time(observation: Observation) -> Any:
    if not observation.effective_instant and observation.effective_period:
        return observation.effective_period.end or observation.effective_period.start
    return observation.effective_instant


def _malformed(resource: Resource, rule: ReadingRule, bases: Bases) -> list[Reading]:
    """A reading without a value for each variable that it seems to be about."""
    if resource.get("resourceType") != "Observation":
        return []
    patient, key = patient_of(bases.localised({"subject": resource.get("subject")})), resource.get("id")
    source_ref = f"Observation/{key}" if is_id(key) else "Observation"
    return [
        Reading(patient, UNKNOWN, UNKNOWN, variable, _NAN, source_ref, "", "", False, "", MALFORMED)
        for variable in rule.mentioned(resource.get("code"), resource.get("component"))
    ]
