"""What can be set for a FHIR server: every setting once, with its type, its bounds, its default and its meaning.

The variables of a named source (`workflows/source_variables.py`), the options of commands, the fields of Airflow's
connection form (`airflow/provider.py`) and the tables in docs/operations follow from `SourceSettings`;
`fhir/configured.py` makes the FhirEndpoint of it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from wardround.fhir.patience import RETRIES


@dataclass(frozen=True)
class InForm:
    """The field of Airflow's connection that holds a setting, if it does not have the setting's own name.

    `host`, `login` and `password` are fields that every connection has; with None, the form has no field for it.
    """

    field: str | None


def listed(value: object) -> object:
    """Returns the values of a comma-separated list; anything but a string unchanged."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _true_or_false(value: object) -> object:
    """Returns the truth value of a string. pydantic would also take 1, yes and on for true."""
    if not isinstance(value, str):
        return value
    if value.lower() not in ("true", "false"):
        raise ValueError("neither true nor false")
    return value.lower() == "true"


Names = Annotated[tuple[str, ...], BeforeValidator(listed)]
Count = Annotated[int, Field(ge=1)]
Authentication = Literal["none", "bearer", "basic", "client_secret", "smart"]
_LOGIN: Final = "User name or client id"
_PASSWORD: Final = "Token, password or client secret"


class SourceSettings(BaseModel):
    """The settings of one FHIR server. `title` is the label in Airflow's form, `description` the meaning everywhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: Annotated[str, InForm("host")] = Field(
        title="Base URL", description="The server's base URL, such as https://fhir.example.org/r4."
    )
    auth: Authentication = Field(
        "none",
        title="Authentication",
        description="How to sign in. bearer: send a token. basic: send user name and password. client_secret: get"
        " tokens"
        " with client id and secret. smart (SMART Backend Services): get tokens with client id and private key.",
    )
    client_id: Annotated[str | None, InForm("login")] = Field(
        None, title=_LOGIN, description="The client id that is registered with the server."
    )
    client_secret: Annotated[SecretStr | None, InForm("password")] = Field(
        None, title=_PASSWORD, description="The client's secret, for OAuth client credentials."
    )
    # Under the name token_url, Airflow would mask the value, and the address in messages about the token endpoint too.
    token_url: Annotated[str | None, InForm("auth_url")] = Field(
        None,
        title="Token URL",
        description="The token endpoint. If not set, it is looked up in <base URL>/.well-known/smart-configuration.",
    )
    scope: str = Field(
        "",
        title="Scope",
        description="The scopes to request, such as system/*.read system/*.write. If not set, the server decides.",
    )
    client_auth: Literal["basic", "post"] = Field(
        "basic",
        title="Client secret sent in",
        description="Where the client secret is sent. basic: in a header; post: in the form.",
    )
    private_key: SecretStr | None = Field(
        None,
        title="Private key",
        description="The private key for SMART Backend Services: PEM (line breaks may be missing) or JWK. RSA keys sign"
        " RS384, EC P-384 keys ES384.",
    )
    key_file: Path | None = Field(
        None,
        title="Private key file",
        description="A file that contains the private key, to set instead of the key itself.",
    )
    key_id: str | None = Field(
        None,
        title="Key id",
        description="The kid under which the server knows the public key. A JWK usually contains it.",
    )
    username: Annotated[str | None, InForm("login")] = Field(
        None, title=_LOGIN, description="The user name, for HTTP Basic."
    )
    password: Annotated[SecretStr | None, InForm("password")] = Field(
        None, title=_PASSWORD, description="The user's password, for HTTP Basic."
    )
    token: Annotated[SecretStr | None, InForm("password")] = Field(
        None, title=_PASSWORD, description="A bearer token. Wardround does not renew it."
    )
    ca_file: Path | None = Field(
        None, title="CA file", description="PEM file of the certificate authorities to trust instead of the usual ones."
    )
    proxy: SecretStr | None = Field(
        None,
        title="Proxy",
        description="http(s)://host:port of the proxy to use, instead of the one from the environment.",
    )
    profile: str | None = Field(
        None,
        title="Server profile",
        description="The kind of server: a file in include/schemas/servers (hapi, epic, …). If not set,"
        " it is recognised from the server's CapabilityStatement.",
    )
    page_size: Count = Field(
        5000,
        le=10_000,
        title="Page size",
        description="Resources requested per page (_count), of Encounters at most 2,000. A server may return fewer.",
    )
    patients_per_search: Count = Field(100, le=500, title="Patients per search", description="Patients in one search.")
    entries_per_batch: Count = Field(
        100, le=1000, title="Entries per batch", description="Entries in one batch of writes."
    )
    timeout: float = Field(
        60.0,
        ge=1,
        le=3600,
        allow_inf_nan=False,
        title="Time-out",
        description="Seconds to wait for a connection, and then for each part of an answer. A whole answer may take"
        " four times as long, and longer while it arrives fast enough.",
    )
    # An Airflow task holds one slot of the pool, and a slot stands for one request at a time.
    threads: Annotated[Count, InForm(None)] = Field(
        4, le=64, title="Threads", description="Requests sent at the same time."
    )
    retries: Count = Field(
        RETRIES,
        le=100_000,
        title="Retries",
        description="How many requests one run may repeat in total; in Airflow, one task.",
    )
    icu_classes: Names = Field(
        ("ACUTE",), title="ICU classes", description="The Encounter.class codes of ICU stays, as code or system|code."
    )
    icu_locations: Names = Field(
        (),
        title="ICU locations",
        description="Names or ids of the ICU's Locations. An Encounter counts as a stay for the time spent there.",
    )
    source_map: Path | None = Field(
        None,
        title="Source map",
        description="A file that maps the source's local codes and units: YAML, or a ConceptMap as JSON.",
    )
    write_to: str | None = Field(
        None,
        title="Write to",
        description="The server to write results to, if this one is read-only: a URL or the name of a source;"
        " in Airflow, the id of a connection.",
    )
    map_by_identifier: Annotated[bool, BeforeValidator(_true_or_false)] = Field(
        False,
        title="Map by identifier",
        description="Whether results refer to the Patients and Encounters of the server that they are written to,"
        " found by their identifiers.",
    )
    chart_url: str | None = Field(
        None,
        title="Chart URL",
        description="The address at which the EHR opens a chart: https://…/{patient_id}?enc={encounter_id}. Reports"
        " then link each patient to it.",
    )
    aliases: Names = Field(
        (), title="Aliases", description="Other base URLs of the same server. References under them are its own."
    )


DEFAULTS: Final = SourceSettings(base_url="")
"""The defaults. They include no base URL."""


def meaning(setting: str) -> str:
    """Returns what a setting is for, in full sentences."""
    return SourceSettings.model_fields[setting].description or ""


def label(setting: str) -> str:
    """Returns what Airflow's form calls a setting."""
    return SourceSettings.model_fields[setting].title or ""


def form_field(setting: str) -> str | None:
    """Returns the key of the field in which an Airflow connection holds a setting; None if there is none."""
    own = [mark for mark in SourceSettings.model_fields[setting].metadata if isinstance(mark, InForm)]
    return own[0].field if own else setting


def value_of(setting: str, text: str) -> Any:
    """Returns the value that a string sets. Raises ValueError, which says what is expected instead."""
    try:
        return _reader(setting).validate_python(text)
    except ValidationError as error:
        raise ValueError(expected(setting, error.errors()[0]["type"])) from None


@cache
def _reader(setting: str) -> TypeAdapter[Any]:
    field = SourceSettings.model_fields[setting]
    kind: Any = Annotated[field.annotation, field]
    return TypeAdapter(kind)


def schema(setting: str) -> dict[str, Any]:
    """Returns the JSON schema of a setting's values, without the null of an optional one."""
    about = _schemas()[setting]
    return {**about, **about["anyOf"][0]} if "anyOf" in about else about


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    schemas: dict[str, dict[str, Any]] = SourceSettings.model_json_schema()["properties"]
    return schemas


def is_secret(setting: str) -> bool:
    """Returns whether messages, logs and forms must hide the setting."""
    return schema(setting).get("format") == "password"


def is_path(setting: str) -> bool:
    """Returns whether the setting names a file on the machine that contacts the server."""
    return schema(setting).get("format") == "path"


def expected(setting: str, fault: str) -> str:
    """Returns which values a setting may have, for messages.

    `fault` is pydantic's code for what is wrong with a value.
    """
    about = schema(setting)
    choices = about.get("enum", ())
    match about["type"]:
        case "integer" | "number" if fault == "less_than_equal":
            return f"at most {about['maximum']:,}"
        case "integer":
            return f"a whole number above {about['minimum'] - 1}"
        case "number":
            return f"a number of at least {about['minimum']:,}"
        case "boolean":
            return "true or false"
        case "array":
            return "a list of strings"
        case _ if len(choices) == 2:
            return " or ".join(choices)
        case _:
            return f"one of {', '.join(choices)}" if choices else "a string"
