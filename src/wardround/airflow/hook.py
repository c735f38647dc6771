"""A connection of type `fhir` in, a FhirClient out; `test_connection` is what the form's Test button calls."""

from typing import Any, ClassVar

from airflow.sdk import BaseHook, Connection

from wardround.adapters.fhir_client import FhirClient, FhirSource
from wardround.airflow.provider import CONNECTION_FIELDS, CONNECTION_TYPE, DEFAULT_CONNECTION
from wardround.errors import FhirError, WardroundError


class FhirHook(BaseHook):  # type: ignore[misc]  # mypy does not follow airflow
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
    """A FhirSource from a connection's host, password and extra. Raises FhirError naming connection and field."""
    where = f"connection {connection.conn_id}"
    extra: dict[str, Any] = {key: value for key, value in connection.extra_dejson.items() if value not in (None, "")}
    unknown = sorted(set(extra) - set(CONNECTION_FIELDS))
    if unknown:
        raise FhirError(f"{where}: unknown field {unknown[0]!r}, expected {', '.join(CONNECTION_FIELDS)}; remove it")
    token = _token(where, extra.pop("auth", "none"), connection.password)
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in extra.items()}
    try:
        return FhirSource(base_url=connection.host or "", token=token, **given)
    except FhirError as error:
        raise FhirError(f"{where}: {error}") from None


def _token(where: str, auth: object, token: str | None) -> str | None:
    if auth not in ("none", "bearer"):
        raise FhirError(f"{where}: Authentication is {auth!r}, expected none or bearer; correct it")
    if auth == "bearer" and not token:
        raise FhirError(f"{where}: Authentication is bearer and Bearer token is empty; fill it in")
    return token if auth == "bearer" else None
