"""Extracts the values of a resource's search parameters for the search tables. It does not use the database."""

from functools import lru_cache
from typing import Any

import orjson

from wardround.demo.fhir_server.dates import EARLIEST, LATEST, span_in
from wardround.demo.fhir_server.problems import invalid
from wardround.demo.fhir_server.references import Target, target_of
from wardround.demo.fhir_server.resource_types import Parameter

Token = tuple[str, str]


def values_at(resource: Any, path: tuple[str, ...]) -> list[Any]:
    """Returns every value at a path of element names; lists on the way are flattened."""
    if len(path) == 1 and isinstance(resource, dict):
        value = resource.get(path[0])
        values = value if isinstance(value, list) else [value]
        # A list of primitives may contain nulls where only an extension is given.
        return [one for one in values if one is not None]
    found = [resource]
    for name in path:
        step: list[Any] = []
        for node in found:
            value = node.get(name) if isinstance(node, dict) else None
            if isinstance(value, list):
                step += [one for one in value if one is not None]
            elif value is not None:
                step.append(value)
        found = step
    return found


def _values_of(resource: Any, parameter: Parameter) -> list[Any]:
    """Returns every value that a parameter reads, from all its paths."""
    if len(parameter.paths) == 1:
        return values_at(resource, parameter.paths[0])
    return [value for path in parameter.paths for value in values_at(resource, path)]


def tokens(resource: Any, parameter: Parameter) -> tuple[Token, ...]:
    """Returns the (system, code) pairs of codes, Codings, CodeableConcepts, booleans and uris, in a stable order."""
    values = _values_of(resource, parameter)
    try:
        if len(values) == 1:
            return _tokens_in(orjson.dumps(values[0]))
        return tuple(sorted({token for value in values for token in _tokens_in(orjson.dumps(value))}))
    except ValueError:
        raise _malformed(parameter, "a code or CodeableConcept") from None


# A ward's resources repeat a few hundred codes: parsing each spelling only once halves the time of a load.
@lru_cache(20_000)
def _tokens_in(spelling: bytes) -> tuple[Token, ...]:
    value = orjson.loads(spelling)
    if isinstance(value, bool):
        return (("", "true" if value else "false"),)
    if isinstance(value, str):
        return (("", value),)
    if not isinstance(value, dict):
        raise ValueError("neither a code nor an object")
    codings = value["coding"] if isinstance(value.get("coding"), list) else [value]
    return tuple(sorted({token for coding in codings for token in _token_of(coding)}))


def _token_of(coding: Any) -> list[Token]:
    """Returns the token of a Coding; none if it has no code."""
    if not isinstance(coding, dict):
        raise ValueError("not a Coding")
    system, code = coding.get("system", ""), coding.get("code", "")
    if not isinstance(system, str) or not isinstance(code, str):
        raise ValueError("not a Coding")
    return [(system, code)] if code else []


def identifiers(resource: Any, parameter: Parameter) -> list[str]:
    """Returns each Identifier twice, in the two forms that a search may use: `=value` and `system|value`."""
    spelled = []
    for value in _values_of(resource, parameter):
        if not isinstance(value, dict):
            raise _malformed(parameter, "an Identifier")
        if isinstance(text := value.get("value"), str):
            spelled += [f"={text}", f"{value.get('system', '')}|{text}"]
    return spelled


def targets(resource: Any, parameter: Parameter, base: str) -> list[Target]:
    """Returns the targets of a parameter's References, except those only by identifier or to contained resources."""
    found = []
    for value in _values_of(resource, parameter):
        reference = value.get("reference", "") if isinstance(value, dict) else None
        if not isinstance(reference, str):
            raise _malformed(parameter, "a Reference")
        if (target := target_of(reference, base)) is not None:
            found.append(target)
    return found


def first_span(resource: Any, parameter: Parameter) -> tuple[int | None, int | None]:
    """Returns the span of the first date or Period, or (None, None); an open end is the largest number."""
    for value in _values_of(resource, parameter):
        try:
            if isinstance(value, dict):
                start, end = value.get("start"), value.get("end")
                return (span_in(start)[0] if start else EARLIEST), (span_in(end)[1] if end else LATEST)
            return span_in(value)
        except ValueError:
            raise _malformed(parameter, "a FHIR date with a time zone, or a Period") from None
    return None, None


def numbers(resource: Any, parameter: Parameter) -> list[float]:
    """Returns every number."""
    values = _values_of(resource, parameter)
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        raise _malformed(parameter, "a number")
    # SQLite's integers have 64 bits.
    return [float(value) for value in values]


def quantity(resource: Any, parameter: Parameter) -> tuple[float | None, tuple[Token, ...]]:
    """Returns the first Quantity's value, and its unit as (system, code) and as ("", unit)."""
    for value in _values_of(resource, parameter):
        amount = value.get("value") if isinstance(value, dict) else True
        if isinstance(amount, bool) or not isinstance(amount, (int, float, type(None))):
            raise _malformed(parameter, "a Quantity")
        unit = (value.get("system", ""), value.get("code", ""), value.get("unit", ""))
        if not all(isinstance(part, str) for part in unit):
            raise _malformed(parameter, "a Quantity")
        return None if amount is None else float(amount), _unit_tokens(*unit)
    return None, ()


@lru_cache(1_000)
def _unit_tokens(system: str, code: str, unit: str) -> tuple[Token, ...]:
    return tuple(sorted(token for token in {(system, code), ("", unit)} if token[1]))


def strings(resource: Any, parameter: Parameter) -> str | None:
    """Returns every text, each between unit separators; None if there is none."""
    values = _values_of(resource, parameter)
    if any(not isinstance(value, str) for value in values):
        raise _malformed(parameter, "a text")
    return "\x1f" + "\x1f".join(values) + "\x1f" if values else None


def _malformed(parameter: Parameter, expected: str) -> Exception:
    where = " or ".join(".".join(path) for path in parameter.paths)
    return invalid(f"{where}: malformed, expected {expected}", "value")
