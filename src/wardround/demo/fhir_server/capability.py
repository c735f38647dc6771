"""Builds the CapabilityStatement from the table of resource types."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import orjson

from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES, ResourceType

_INTERACTIONS = ("read", "vread", "update", "delete", "history-instance", "create", "search-type")
_TYPES = {"identifier": "token"}
_BULK_DATA = "http://hl7.org/fhir/uv/bulkdata"
_EXPORTS = {"Patient": ("patient-export",), "Group": ("group-export",)}
_VALIDATE = {"name": "validate", "definition": "http://hl7.org/fhir/OperationDefinition/Resource-validate"}
_COMMON = (("_id", "token"), ("_lastUpdated", "date"))


def capability_statement(base: str, started: datetime) -> bytes:
    """Returns the CapabilityStatement; `started` is its date."""
    return orjson.dumps(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": started.astimezone(UTC).isoformat(timespec="seconds"),
            "kind": "instance",
            "software": {"name": "Wardround embedded FHIR server", "version": version("wardround")},
            "implementation": {"description": "For demonstration and tests; no authentication", "url": base},
            "instantiates": [f"{_BULK_DATA}/CapabilityStatement/bulk-data"],
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "rest": [
                {
                    "mode": "server",
                    "resource": [_resource(resource_type) for resource_type in RESOURCE_TYPES.values()],
                    "interaction": [{"code": "transaction"}, {"code": "batch"}],
                    "operation": [_operation("export")],
                }
            ],
        }
    )


def _resource(resource_type: ResourceType) -> dict[str, Any]:
    references = [one.name for one in resource_type.parameters.values() if one.kind == "reference"]
    parameters = [*_COMMON, *((one.name, _TYPES.get(one.kind, one.kind)) for one in resource_type.parameters.values())]
    return {
        "type": resource_type.name,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
        "searchInclude": [f"{resource_type.name}:{name}" for name in references],
        "searchRevInclude": _referring_to(resource_type),
        "searchParam": [{"name": name, "type": kind} for name, kind in parameters],
        "operation": [_VALIDATE, *(_operation(name) for name in _EXPORTS.get(resource_type.name, ()))],
    }


def _operation(name: str) -> dict[str, str]:
    return {"name": "export", "definition": f"{_BULK_DATA}/OperationDefinition/{name}"}


def _referring_to(resource_type: ResourceType) -> list[str]:
    return [
        f"{source.name}:{parameter.name}"
        for source in RESOURCE_TYPES.values()
        for parameter in source.parameters.values()
        if parameter.kind == "reference" and (not parameter.targets or resource_type.name in parameter.targets)
    ]
