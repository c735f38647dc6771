"""Validates a resource before the server stores it and raises a Problem if it is invalid, or only says so ($validate).

It checks type, id, required and known elements, choices, code sets and dates, but not profiles or nested data types.
"""

from functools import lru_cache
from typing import Any

import orjson

from wardround.demo.fhir_server.dates import span_in
from wardround.demo.fhir_server.extraction import values_at
from wardround.demo.fhir_server.problems import Problem, invalid, operation_outcome, too_deep
from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES, ResourceType
from wardround.fhir.references import is_id


def check(resource: Any, resource_type: ResourceType) -> None:
    """Raises a 400 Problem that names the element and the rule, if the resource is invalid."""
    name = resource_type.name
    if not isinstance(resource, dict):
        raise invalid(f"{name}: the body is not a JSON object, expected a resource", "structure")
    if resource.get("resourceType") != name:
        raise invalid(f"{name}: resourceType differs, expected {name}")
    if "id" in resource and not is_id(resource["id"]):
        raise invalid(f"{name}.id: not an id, expected 1 to 64 letters, digits, - or .", "value")
    if not isinstance(resource.get("meta", {}), dict):
        raise invalid(f"{name}.meta: not an object", "structure")
    _check_depth(resource)
    _check_elements(resource, resource_type)
    _check_values(resource, resource_type)


def validated(body: Any, resource_type: ResourceType) -> bytes:
    """Returns the OperationOutcome that answers $validate: for a resource, or for Parameters with one.

    Raises a Problem if there is none, or if it must conform to a profile.
    """
    parts = {one.get("name"): one for one in _parameters(body)}
    if "profile" in parts:
        raise Problem(422, "not-supported", f"{resource_type.name}/$validate: no profile is known here")
    resource = parts["resource"].get("resource") if "resource" in parts else body
    if resource is None:
        raise invalid(f"{resource_type.name}/$validate: no resource, expected one", "required")
    try:
        check(resource, resource_type)
    except Problem as problem:
        return problem.outcome()
    return operation_outcome("information", "informational", "nothing is wrong with what is checked here")


def _parameters(body: Any) -> list[dict[str, Any]]:
    listed = body.get("parameter") if isinstance(body, dict) and body.get("resourceType") == "Parameters" else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _check_depth(resource: dict[str, Any]) -> None:
    try:
        orjson.dumps(resource)  # orjson can read deeper nesting than it can write
    except orjson.JSONEncodeError:
        raise too_deep() from None


def _check_elements(resource: dict[str, Any], resource_type: ResourceType) -> None:
    _check_names(resource_type.name, frozenset(resource))
    for element in resource_type.required:
        if resource.get(element) in (None, "", [], {}):
            raise invalid(f"{resource_type.name}.{element}: missing, expected a value", "required")


# Cached, because many resources have few combinations of elements.
@lru_cache(10_000)
def _check_names(name: str, elements: frozenset[str]) -> None:
    resource_type = RESOURCE_TYPES[name]
    if unknown := elements - resource_type.elements:
        raise invalid(f"{name}: unknown element {min(unknown)[:40]!r}, expected elements of {name} in R4", "structure")
    for choice in resource_type.choices:
        if len(present := elements & choice) > 1:
            raise invalid(f"{name}: {' and '.join(sorted(present))} together, expected one of them", "structure")


def _check_values(resource: dict[str, Any], resource_type: ResourceType) -> None:
    name = resource_type.name
    for element, allowed in resource_type.codes.items():
        code = resource.get(element)
        if code is not None and (not isinstance(code, str) or code not in allowed):
            raise invalid(
                f"{name}.{element}: unknown code, expected one of {', '.join(sorted(allowed))}", "code-invalid"
            )
    for element in resource.keys() & resource_type.dates:
        try:
            span_in(resource[element])
        except ValueError:
            raise invalid(f"{name}.{element}: not a FHIR date, dateTime or instant", "value") from None
    for prediction in values_at(resource, ("prediction",)):
        if isinstance(prediction, dict) and len(prediction.keys() & {"probabilityDecimal", "probabilityRange"}) > 1:
            raise invalid(f"{name}.prediction: two probability[x], expected one of them", "structure")
