"""A connection of type `fhir` in, a FhirClient out; `test_connection` is what the form's Test button calls."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow.sdk import BaseHook, Connection

from wardround.airflow.provider import CONNECTION_FIELDS, CONNECTION_TYPE, DEFAULT_CONNECTION, SIGN_IN_FIELDS
from wardround.errors import FhirError, WardroundError
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.fhir.profiles import require_r4
from wardround.fhir.sign_in import (
    BasicPassword,
    BearerToken,
    ClientSecret,
    SignedAssertion,
    SignIn,
    read_key,
)
from wardround.settings import settings_from
from wardround.spec.loading import load_server_profile, load_source_map
from wardround.spec.servers import GENERIC
from wardround.spec.source_maps import NO_TRANSLATION


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

    def source(self) -> FhirEndpoint:
        """The connection as a FhirEndpoint; its secrets never leave that object."""
        return source_of(self.get_connection(self.fhir_conn_id), self.get_connection)

    def test_connection(self) -> tuple[bool, str]:
        """Asks /metadata, also of where results go: (True, what answered) or (False, what is wrong)."""
        try:
            with self.get_conn() as client:
                answered = _answered(client)
                if client.results is not client:
                    answered += f"; for its results, {_answered(client.results)}"
        except WardroundError as error:
            # Airflow tests under a name that nobody knows.
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
    """The endpoint that a connection names by host, password and extra.

    `connection_of` gives the connection that its results go to.
    Raises FhirError naming connection and field, and SpecError for an unknown server profile.
    """
    where = f"connection {connection.conn_id}"
    extra: dict[str, Any] = {key: value for key, value in connection.extra_dejson.items() if value not in (None, "")}
    unknown = sorted(set(extra) - set(CONNECTION_FIELDS))
    if unknown:
        raise FhirError(f"{where}: unknown field {unknown[0]!r}, expected {', '.join(CONNECTION_FIELDS)}; remove it")
    about = {key: extra.pop(key) for key in SIGN_IN_FIELDS if key in extra}
    profile, source_map = extra.pop("profile", None), extra.pop("source_map", None)
    write_to = extra.pop("write_to", None)
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in extra.items()}
    try:
        return FhirEndpoint(
            base_url=_base_url(connection),
            sign_in=_sign_in(connection, about),
            profile=load_server_profile(profile, settings_from().schemas) if profile else GENERIC,
            recognise=profile is None,
            translation=load_source_map(Path(source_map), settings_from().schemas) if source_map else NO_TRANSLATION,
            # A task holds one slot of the pool, and a slot stands for one request at a time.
            threads=1,
            name=connection.conn_id,
            write_to=_taker(connection_of(write_to)) if write_to else None,
            **given,
        )
    except FhirError as error:
        raise FhirError(f"{where}: {error}") from None


def _taker(connection: Connection) -> FhirEndpoint:
    """The server that takes another one's results."""
    if connection.extra_dejson.get("write_to"):
        what = "takes results, and Write to is filled in, expected a server that keeps them"
        raise FhirError(f"connection {connection.conn_id}: {what}; empty it, or name another connection")
    return source_of(connection)


def _base_url(connection: Connection) -> str:
    """Host, and what Airflow keeps apart from it where the connection was given as a URI: port, and path or protocol.

    The form has the base URL in one field.
    """
    host, apart = connection.host or "", (connection.schema or "").strip("/")
    if "://" not in host and apart in ("http", "https"):
        host, apart = f"{apart}://{host}", ""
    try:
        url = urlsplit(host)
        stated = url.port
    except ValueError:  # whoever uses it says what is wrong with it
        return host
    port = connection.port or None  # Airflow's form makes 0 of an empty port
    if port and stated and port != stated:
        raise FhirError(f"Base URL says port {stated} and Port {port}, expected one; empty Port")
    place = f"{url.netloc}:{port}" if port and url.netloc and not stated else url.netloc
    return url._replace(netloc=place, path="/".join(filter(None, (url.path.rstrip("/"), apart)))).geturl()


def _sign_in(connection: Connection, about: dict[str, Any]) -> SignIn | None:
    """What the fields SIGN_IN_FIELDS, login and password say. Raises FhirError naming a field as the form does."""
    login = partial(_filled, connection.login, "User name or client id")
    password = partial(_filled, connection.password, "Token, password or client secret")
    shared = {"token_url": about.get("auth_url"), "scope": about.get("scope", "")}
    match about.get("auth", "none"):
        case "none":
            return None
        case "bearer":
            return BearerToken(password())
        case "basic":
            return BasicPassword(login(), password())
        case "client_secret":
            return ClientSecret(login(), password(), sent_as=about.get("client_auth", "basic"), **shared)
        case "smart":
            return SignedAssertion(login(), _key(about), about.get("key_id"), **shared)
        case other:
            choices = ", ".join(CONNECTION_FIELDS["auth"]["schema"]["enum"])
            raise FhirError(f"Authentication is {other!r}, expected one of {choices}; correct it")


def _filled(value: str | None, label: str) -> str:
    if not value:
        raise FhirError(f"{label} is empty, expected what this Authentication needs; fill it in")
    return value


def _key(about: dict[str, Any]) -> str:
    text, file = about.get("private_key"), about.get("key_file")
    if text and file:
        raise FhirError("Private key and Private key file are both filled in, expected one; empty the other")
    return read_key(Path(file)) if file else _filled(text, "Private key")
