"""Tests that the table agrees with FHIR R4, as implemented by another library, and with the CapabilityStatement."""

from importlib import import_module
from typing import Any

import pytest

from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES, ResourceType
from wardround.demo.fhir_server.schema import columns

_BASE = {"id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension"}


def _fields(name: str) -> dict[str, Any]:
    model = getattr(import_module(f"fhir.resources.R4B.{name.lower()}"), name)
    return {(field.alias or key): field for key, field in model.model_fields.items()}


@pytest.mark.parametrize("name", RESOURCE_TYPES)
def test_elements_and_required_ones_are_those_of_the_standard(name: str) -> None:
    resource_type, fields = RESOURCE_TYPES[name], _fields(name)
    known = {one for one in fields if not one.startswith(("_", "fhir_", "resource")) and one not in _BASE}
    ours = {one for one in resource_type.elements if not one.startswith("_") and one != "resourceType"} - _BASE
    assert ours == known
    needed = {one for one in known if fields[one].is_required() or _extra(fields[one]).get("element_required")}
    assert resource_type.required == needed


def _extra(field: Any) -> dict[str, Any]:
    return field.json_schema_extra or {}


@pytest.mark.parametrize("name", RESOURCE_TYPES)
def test_every_parameter_reads_an_element_that_exists(name: str) -> None:
    resource_type = RESOURCE_TYPES[name]
    for parameter in resource_type.parameters.values():
        assert {path[0] for path in parameter.paths} <= resource_type.elements, parameter.name
        assert not parameter.stored or parameter.stored in resource_type.parameters


@pytest.mark.parametrize("resource_type", RESOURCE_TYPES.values(), ids=RESOURCE_TYPES)
def test_every_index_is_over_columns(resource_type: ResourceType) -> None:
    for index in resource_type.indexes:
        assert all(columns(resource_type.parameters[name]) for name in index)


def test_the_capability_statement_lists_the_table(fhir: Any) -> None:
    resources = fhir.search("metadata")["rest"][0]["resource"]
    assert [one["type"] for one in resources] == list(RESOURCE_TYPES)
    for one in resources:
        names = [parameter["name"] for parameter in one["searchParam"]]
        assert names == ["_id", "_lastUpdated", *RESOURCE_TYPES[one["type"]].parameters]
