"""Returns part of a stored resource, as `_elements` and `_summary` request, tagged as SUBSETTED."""

from typing import Any

import orjson

from wardround.demo.fhir_server.resource_types import ResourceType

_ALWAYS = frozenset({"resourceType", "id", "meta"})
_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


def subset(body: bytes, resource_type: ResourceType, elements: tuple[str, ...], summary: str) -> bytes:
    """Returns the resource with the requested and the required elements."""
    resource = orjson.loads(body)
    keep = _ALWAYS | resource_type.required | _wanted(resource, resource_type, elements, summary)
    part = {name: value for name, value in resource.items() if name.removeprefix("_") in keep}
    tags = part["meta"].get("tag")
    part["meta"] = {**part["meta"], "tag": [*(tags if isinstance(tags, list) else ()), _SUBSETTED]}
    return orjson.dumps(part)


def _wanted(
    resource: dict[str, Any], resource_type: ResourceType, elements: tuple[str, ...], summary: str
) -> frozenset[str]:
    if elements:
        # A choice may be given by its stem: `value` for valueQuantity.
        spelled = {name for group in resource_type.choices for name in group if name.startswith(elements)}
        return frozenset(elements) | spelled
    if summary == "text":
        return frozenset({"text"})
    if summary == "data":
        return frozenset(resource) - {"text"}
    return resource_type.summary
