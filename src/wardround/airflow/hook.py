"""A connection of type `fhir` in, a FhirClient out; `test_connection` is what the form's Test button calls."""

from dataclasses import fields
from typing import Any, ClassVar

from airflow.sdk import BaseHook, Connection

from wardround.adapters.fhir_client import FhirClient, FhirSource
from wardround.airflow.provider import CONNECTION_FIELDS, CONNECTION_TYPE, DEFAULT_CONNECTION
from wardround.errors import WardroundError


class FhirHook(BaseHook):
    """Gives tasks a client for the FHIR server that an Airflow connection names."""

    conn_name_attr: ClassVar[str] = "fhir_conn_id"
    default_conn_name: ClassVar[str] = DEFAULT_CONNECTION
    conn_type: ClassVar[str] = CONNECTION_TYPE
    hook_name: ClassVar[str] = "FHIR server"

    def __init__(self, fhir_conn_id: str = DEFAULT_CONNECTION) -> None:
        super().__init__()
        self.fhir_conn_id = fhir_conn_id

    def get_conn(self) -> FhirClient:
        """A client, to be used as a context manager. Raises WardroundError for a connection that cannot be used."""
        return FhirClient(self.source())

    def source(self) -> FhirSource:
        """The connection as a FhirSource; its token never leaves that object."""
        return source_of(self.get_connection(self.fhir_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """Asks /metadata: (True, what answered) or (False, what is wrong)."""
        try:
            with self.get_conn() as client:
                statement = client.capabilities()
        except WardroundError as error:
            return False, str(error)
        name = statement.get("software", {}).get("name", "a server")
        return True, f"{name} answered: FHIR {statement.get('fhirVersion', 'of unknown version')}"


def source_of(connection: Connection) -> FhirSource:
    """A FhirSource from a connection's host, password and extra. Raises WardroundError naming field and remedy."""
    where = f"connection {connection.conn_id}"
    base_url = connection.host or ""
    if not base_url.startswith(("http://", "https://")):
        raise WardroundError(f"{where}: Base URL is {base_url!r}, expected one with http:// or https://; correct it")
    extra: dict[str, Any] = {key: value for key, value in connection.extra_dejson.items() if value not in (None, "")}
    unknown = sorted(set(extra) - set(CONNECTION_FIELDS))
    if unknown:
        raise WardroundError(f"{where}: unknown field {unknown[0]!r}, expected {', '.join(CONNECTION_FIELDS)}")
    return FhirSource(base_url=base_url, token=_token(where, extra.pop("auth", "none"), connection), **_typed(extra))


def _token(where: str, auth: str, connection: Connection) -> str | None:
    match auth, connection.password:
        case "none", _:
            return None
        case "bearer", str() as token if token:
            return token
        case "bearer", _:
            raise WardroundError(f"{where}: Authentication is bearer and Bearer token is empty; fill it in")
    raise WardroundError(f"{where}: Authentication is {auth!r}, expected none or bearer; correct it")


def _typed(extra: dict[str, Any]) -> dict[str, Any]:
    """The form's values as FhirSource has them: lists become tuples."""
    known = {field.name for field in fields(FhirSource)}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in extra.items() if key in known}
