"""Tells Airflow about the installed package: the connection type `fhir` and the fields of its form."""

from importlib.metadata import version
from typing import Any

from wardround.fhir.source_settings import SourceSettings, form_field, is_path, is_secret, label, meaning, schema

CONNECTION_TYPE = "fhir"
DEFAULT_CONNECTION = "fhir_default"


def _field(setting: str) -> dict[str, Any]:
    """Returns the form field that holds a setting, with its schema in the keywords that Airflow's form understands."""
    about = schema(setting)
    kept = ("items", "enum", "minimum", "maximum")
    shape: dict[str, Any] = {"type": about["type"], **{key: about[key] for key in kept if key in about}}
    if about.get("default") not in (None, ""):
        shape["default"] = about["default"]
    # An empty or omitted field arrives as null.
    if "enum" not in about and about["type"] in ("string", "array"):
        shape["type"] = [about["type"], "null"]
    if is_secret(setting):
        shape["format"] = "password"
    hint = " Its path on every worker." if is_path(setting) else " One a line." if about["type"] == "array" else ""
    return {"label": label(setting), "schema": shape, "description": f"{meaning(setting)}{hint}"}


_FHIR = "FHIR"
# Fields that every Airflow connection has, whatever its type.
_OF_ALL_TYPES = ("host", "login", "password")
SETTINGS: dict[str, str] = {
    field: setting
    for setting in SourceSettings.model_fields
    if (field := form_field(setting)) and field not in _OF_ALL_TYPES
}
"""The setting that each field of this type holds, by the field's key in the connection's extra."""

CONNECTION_FIELDS: dict[str, dict[str, Any]] = {field: _field(setting) for field, setting in SETTINGS.items()}


def get_provider_info() -> dict[str, Any]:
    """Returns the answer to the entry point `apache_airflow_provider`.

    The keys are kebab-case, as in Airflow's own YAML.
    """
    return {
        "package-name": "wardround",
        "name": "Wardround",
        "description": "FHIR servers: connection type, hook and operators; and screening of intensive-care stays.",
        "versions": [version("wardround")],
        "integrations": [
            {"integration-name": _FHIR, "external-doc-url": "https://hl7.org/fhir/R4/", "tags": ["protocol"]}
        ],
        "hooks": [{"integration-name": _FHIR, "python-modules": ["wardround.airflow.hook"]}],
        "operators": [{"integration-name": _FHIR, "python-modules": ["wardround.airflow.operators"]}],
        # For OpenLineage; Airflow itself takes any URI.
        "asset-uris": [
            {
                "schemes": ["wardround"],
                "handler": None,
                "to_openlineage_converter": "wardround.airflow.lineage.dataset_of",
            }
        ],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": "wardround.airflow.hook.FhirHook",
                "hook-name": "FHIR server",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port"],
                    "relabeling": {
                        field: label(setting)
                        for setting in SourceSettings.model_fields
                        if (field := form_field(setting)) in _OF_ALL_TYPES
                    },
                    "placeholders": {"host": "https://fhir.example.org/r4"},
                },
                "conn-fields": CONNECTION_FIELDS,
            }
        ],
    }
