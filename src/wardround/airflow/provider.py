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
                    "hidden-fields": ["schema", "port"],
                    "relabeling": {
                        "host": "Base URL",
                        "login": "User name or client id",
                        "password": "Token, password or client secret",
                    },
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


def _choice(label: str, choices: list[str], description: str) -> dict[str, Any]:
    return {
        "label": label,
        "schema": {"type": "string", "default": choices[0], "enum": choices},
        "description": description,
    }


def _text(label: str, description: str, secret: bool = False) -> dict[str, Any]:
    hidden = {"format": "password"} if secret else {}
    return {"label": label, "schema": {"type": ["string", "null"], **hidden}, "description": description}


def _yes_or_no(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "schema": {"type": "boolean", "default": False}, "description": description}


# Of these fields wardround.airflow.hook makes the source's sign-in; the others are fields of FhirEndpoint.
SIGN_IN_FIELDS: dict[str, dict[str, Any]] = {
    "auth": _choice(
        "Authentication",
        ["none", "bearer", "basic", "client_secret", "smart"],
        "bearer sends a token, basic user name and password. client_secret gets tokens with client id and secret,"
        " smart (SMART Backend Services) with client id and private key.",
    ),
    # Under the name token_url Airflow would mask it, and with it the address in messages about the token endpoint.
    "auth_url": _text("Token URL", "Asks <base URL>/.well-known/smart-configuration if it is empty."),
    "scope": _text("Scope", "What to ask for, such as system/*.read system/*.write; the server's own if it is empty."),
    "client_auth": _choice("Client secret goes", ["basic", "post"], "basic in a header, post in the form."),
    # Airflow masks what has this name in logs and in its API.
    "private_key": _text("Private key", "PEM or JWK, for smart: RSA or EC P-384.", secret=True),
    "key_file": _text("Private key file", "Instead of Private key: its path on every worker."),
    "key_id": _text("Key id", "kid under which the server knows the public key."),
}

# The defaults are those of wardround.fhir.client.FhirEndpoint, which a test compares.
CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    **SIGN_IN_FIELDS,
    "ca_file": _text("CA file", "PEM of the authorities to trust instead of the usual ones: its path on every worker."),
    "proxy": _text("Proxy", "http(s)://host:port to go through, instead of what the environment says.", secret=True),
    "profile": _text(
        "Server profile", "A file of include/schemas/servers (hapi, epic, …); by what the server calls itself if empty."
    ),
    "page_size": _count("Page size", 5000, 10000, "Resources asked for per page (_count)."),
    "patients_per_search": _count("Patients per search", 100, 500, "Patients named in one search."),
    "entries_per_batch": _count("Entries per batch", 100, 1000, "Entries written in one batch."),
    "retries": _count("Retries", 500, 100_000, "Requests that one task may repeat, in all."),
    "icu_classes": _names("ICU classes", ["ACUTE"], "Encounter.class codes of intensive-care stays, one a line."),
    "icu_locations": _names("ICU locations", [], "Names or ids of intensive-care Locations, one a line."),
    "source_map": _text(
        "Source map", "What its own codes and units mean, YAML or a ConceptMap as JSON: its path on every worker."
    ),
    "write_to": _text(
        "Write to", "Id of the connection whose server takes the results, where this one takes none: it is only read."
    ),
    "map_by_identifier": _yes_or_no(
        "Map by identifier",
        "With Write to: results refer to that server's own Patients and Encounters, found by their identifiers.",
    ),
    "chart_url": _text(
        "Chart URL",
        "How the EHR opens a chart: https://…/{patient_id}?enc={encounter_id}. Reports then lead from a patient there.",
    ),
    "aliases": _names("Aliases", [], "Other base URLs of the server: references under them are its own. One a line."),
}
