"""Makes the client for a connection of the type `fhir`; the form's Test button calls `test_connection`."""

from collections.abc import Callable
from typing import ClassVar, Final
from urllib.parse import urlsplit

from airflow.sdk import BaseHook, Connection

from wardround.airflow.provider import CONNECTION_TYPE, DEFAULT_CONNECTION, SETTINGS
from wardround.errors import FhirError, WardroundError
from wardround.fhir.client import FhirClient
from wardround.fhir.configured import endpoint_of, naming, settings_of, sign_in_of
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.profiles import require_r4
from wardround.fhir.source_settings import is_secret, label
from wardround.settings import settings_from


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
        """Returns a client, a context manager. Raises WardroundError for a connection that cannot be used."""
        return FhirClient(self.source())

    def source(self) -> FhirEndpoint:
        """Returns the connection as a FhirEndpoint; its secrets never leave that object."""
        return source_of(self.get_connection(self.fhir_conn_id), self.get_connection)

    def test_connection(self) -> tuple[bool, str]:
        """Asks the server, and the one for results, for /metadata.

        Returns (True, what answered) or (False, what is wrong).
        """
        try:
            with self.get_conn() as client:
                answered = _answered(client)
                if client.results is not client:
                    answered += f"; for its results, {_answered(client.results)}"
        except WardroundError as error:
            # Airflow runs the test under a temporary name that the user does not know.
            return False, str(error).removeprefix(f"connection {self.fhir_conn_id}: ")
        return True, answered


def _answered(client: FhirClient) -> str:
    statement = client.capabilities()
    require_r4(statement, client.source)
    name = statement.get("software", {}).get("name", "a server")
    return f"{name} answered: FHIR {statement.get('fhirVersion', 'of unknown version')}"


def source_of(
    connection: Connection, connection_of: Callable[[str], Connection] = BaseHook.get_connection
) -> FhirEndpoint:
    """Returns the endpoint that a connection describes by host, login, password and extra.

    `connection_of` returns the connection that its results go to. Raises FhirError naming connection and field, and
    SpecError for an unknown server profile.
    """
    where, schemas = f"connection {connection.conn_id}", settings_from().schemas
    with naming(where):
        asked = settings_of(_values(connection), _FORM)
        sign_in = sign_in_of(asked, _FORM)
    results = _taker(connection_of(asked.write_to)) if asked.write_to else None
    with naming(where):
        return endpoint_of(asked, sign_in, schemas, connection.conn_id, results)


class _Form:
    """Says what is wrong with a field, using the form's labels."""

    def missing(self, setting: str) -> str:
        return f"{label(setting)} is empty, expected a value for this Authentication; fill it in"

    def wrong(self, setting: str, value: object, expected: str) -> str:
        what = "cannot be used" if is_secret(setting) else f"is {value!r}"
        return f"{label(setting)} {what}, expected {expected}; correct it"

    def both(self, setting: str, other: str) -> str:
        return f"{label(setting)} and {label(other)} are both filled in, expected one; clear the other"


_FORM: Final = _Form()
# What the fields that every connection has mean, depending on Authentication.
_MEANT: Final = {
    "bearer": {"password": "token"},
    "basic": {"login": "username", "password": "password"},
    "client_secret": {"login": "client_id", "password": "client_secret"},
    "smart": {"login": "client_id"},
}


def _values(connection: Connection) -> dict[str, object]:
    """Returns the settings that are filled in. Raises FhirError for a field that the form does not have."""
    extra = {key: value for key, value in connection.extra_dejson.items() if value not in (None, "")}
    unknown = sorted(set(extra) - set(SETTINGS))
    if unknown:
        raise FhirError(f"unknown field {unknown[0]!r}, expected {', '.join(SETTINGS)}; remove it")
    meant = _MEANT.get(str(extra.get("auth")), {})
    own = {setting: getattr(connection, field) for field, setting in meant.items()}
    return {
        "base_url": _base_url(connection),
        # A task holds one slot of the pool, and a slot stands for one request at a time.
        "threads": 1,
        **{setting: value for setting, value in own.items() if value},
        **{SETTINGS[field]: value for field, value in extra.items()},
    }


def _taker(connection: Connection) -> FhirEndpoint:
    """Returns the server that takes another one's results."""
    if connection.extra_dejson.get("write_to"):
        what = "receives results, but its Write to is filled in, expected a server that stores them"
        raise FhirError(f"connection {connection.conn_id}: {what}; clear Write to, or use another connection")
    return source_of(connection)


def _base_url(connection: Connection) -> str:
    """Returns the host, with the parts that Airflow stores separately if the connection was given as a URI.

    These are the port, and the path or protocol. The form has the base URL in one field.
    """
    host, apart = connection.host or "", (connection.schema or "").strip("/")
    if "://" not in host and apart in ("http", "https"):
        host, apart = f"{apart}://{host}", ""
    try:
        url = urlsplit(host)
        stated = url.port
    except ValueError:  # the code that uses it reports what is wrong
        return host
    port = connection.port or None  # Airflow's form turns an empty port into 0
    if port and stated and port != stated:
        raise FhirError(f"Base URL has port {stated} and Port is {port}, expected one; clear Port")
    place = f"{url.netloc}:{port}" if port and url.netloc and not stated else url.netloc
    return url._replace(netloc=place, path="/".join(filter(None, (url.path.rstrip("/"), apart)))).geturl()
