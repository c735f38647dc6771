"""Plain FHIR JSON in, which values of which codes a screening must account for out; no reader of Wardround is used.

A value is a quantity of an Observation or of one of its components. It must come out, as an event or set aside, if the
Observation is about one of the patients and dated in the window, and its code is one of a variable's; a component's,
if the Observation's own code is one of that variable's codes or panels as well.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

Code = tuple[str, str]


class Codes(NamedTuple):
    """What a variable is called: its own codes, and those of the panels that carry it."""

    own: frozenset[Code]
    panels: frozenset[Code]


class Value(NamedTuple):
    """One value that is to be accounted for."""

    observation: str
    variable: str
    code: str


def values_in(
    resources: Iterable[Mapping[str, Any]],
    variables: Mapping[str, Codes],
    patients: frozenset[str],
    begin: datetime,
    end: datetime,
) -> list[Value]:
    """The values of these patients (by id) from begin to end, both included."""
    return [
        value
        for resource in resources
        if resource["resourceType"] == "Observation"
        and resource["subject"]["reference"].removeprefix("Patient/") in patients
        and begin <= datetime.fromisoformat(resource["effectiveDateTime"]) <= end
        for value in _values(resource, variables)
    ]


def per_code(values: Iterable[Value]) -> Counter[str]:
    """How many values there are of each variable and code."""
    return Counter(f"{value.variable} {value.code}" for value in values)


def _values(observation: Mapping[str, Any], variables: Mapping[str, Codes]) -> Iterator[Value]:
    whole = _codes(observation["code"])
    for name, codes in variables.items():
        if whole & codes.own and "valueQuantity" in observation:
            yield Value(observation["id"], name, min(code for _, code in whole & codes.own))
        for component in observation.get("component", []):
            part = _codes(component["code"])
            if part & codes.own and whole & (codes.own | codes.panels):
                yield Value(observation["id"], name, min(code for _, code in part & codes.own))


def _codes(concept: Mapping[str, Any]) -> frozenset[Code]:
    return frozenset((coding["system"], coding["code"]) for coding in concept["coding"])
