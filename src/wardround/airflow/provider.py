"""What Airflow reads from the installed package: the connection type `fhir` and the fields of its form."""

from importlib.metadata import version
from typing import Any

CONNECTION_TYPE = "fhir"
DEFAULT_CONNECTION = "fhir_default"


def get_provider_info() -> dict[str, Any]:
    """The answer to the entry point `apache_airflow_provider`. The keys are kebab-case, as Airflow's own YAML."""
    return {
        "package-name": "wardround",
        "name": "Wardround",
        "description": "Screening of intensive-care stays against a FHIR server.",
        "versions": [version("wardround")],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": "wardround.airflow.hook.FhirHook",
                "hook-name": "FHIR server",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "login"],
                    "relabeling": {"host": "Base URL", "password": "Bearer token"},
                    "placeholders": {"host": "https://fhir.example.org/r4"},
                },
                "conn-fields": CONNECTION_FIELDS,
            }
        ],
    }


def _count(label: str, default: int, largest: int, description: str) -> dict[str, Any]:
    schema = {"type": "integer", "default": default, "minimum": 1, "maximum": largest}
    return {"label": label, "schema": schema, "description": description}


def _names(label: str, default: list[str], description: str) -> dict[str, Any]:
    schema = {"type": ["array", "null"], "items": {"type": "string"}, "default": default}
    return {"label": label, "schema": schema, "description": description}


# The defaults are those of wardround.adapters.fhir_client.FhirSource, which a test compares.
CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "auth": {
        "label": "Authentication",
        "schema": {"type": "string", "default": "none", "enum": ["none", "bearer"]},
        "description": "bearer sends the token of the field Bearer token with every request.",
    },
    "page_size": _count("Page size", 1000, 10000, "Resources asked for per page (_count)."),
    "patients_per_search": _count("Patients per search", 100, 500, "Patients named in one search."),
    "entries_per_batch": _count("Entries per batch", 100, 1000, "Entries written in one batch."),
    "retries": _count("Retries", 500, 100_000, "Requests that one task may repeat, in all."),
    "icu_classes": _names("ICU classes", ["ACUTE"], "Encounter.class codes of intensive-care stays, one a line."),
    "icu_locations": _names("ICU locations", [], "Names or ids of intensive-care Locations, one a line."),
}
