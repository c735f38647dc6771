"""A base URL, or the name of a source in the environment or a .env file, in; the FHIR server to talk to out."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from wardround.errors import FhirError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.sign_in import (
    BasicPassword,
    BearerToken,
    ClientSecret,
    SignedAssertion,
    SignIn,
    read_key,
    read_secret,
)
from wardround.settings import Settings, listed
from wardround.spec.loading import load_server_profile, load_source_map
from wardround.spec.servers import GENERIC
from wardround.spec.source_maps import NO_TRANSLATION, Translation

if TYPE_CHECKING:
    from wardround.workflows.screen import ScreeningRequest

PROFILE_HELP: Final = "Kind of server: a profile of include/schemas/servers.  [default: by what it calls itself]"
MAP_HELP: Final = "What the source's own codes and units mean: YAML, or a ConceptMap as JSON."
SOURCE_HELP: Final = "FHIR R4 server: its base URL, or the name of a source in the environment or .env."
WRITE_TO_HELP: Final = (
    "Server that takes the results, where the source takes none: URL, or name of a source."
    "  [default: NAME_WRITE_TO of the source]"
)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_BASE_URL: Final = "_BASE_URL"
# The variable that decides how a source signs in, and those that it cannot do without.
SIGN_IN_VARIABLES: Final = {
    "KEY_FILE": ("CLIENT_ID",),
    "PRIVATE_KEY": ("CLIENT_ID",),
    "CLIENT_SECRET": ("CLIENT_ID",),
    "PASSWORD": ("USERNAME",),
    "TOKEN": (),
}
# What may lie in a file instead, whose path stands in a variable with this at its end. A private key has KEY_FILE.
SECRETS: Final = ("TOKEN", "PASSWORD", "CLIENT_SECRET", "PROXY")
_FILE: Final = "_FILE"
# What is left if the deciding variable is missing, and the variables that would mend it.
_HALVES: Final = {
    "CLIENT_ID": "CLIENT_SECRET or {}_KEY_FILE",
    "USERNAME": "PASSWORD",
    **dict.fromkeys(("TOKEN_URL", "KEY_ID", "SCOPE", "CLIENT_AUTH"), "CLIENT_ID"),
}


def server_at(
    place: str,
    settings: Settings,
    environment: Mapping[str, str] = os.environ,
    profile: str | None = None,
    source_map: Path | None = None,
    write_to: str | None = None,
    map_by_identifier: bool = False,
) -> FhirEndpoint:
    """The server at a URL or of a name, asked as the environment says.

    A name such as `medplum` stands for the variables MEDPLUM_BASE_URL, MEDPLUM_CLIENT_ID and so on, of the environment,
    of .env in the working directory or of .env in the home, in this order. Without a `profile`, here or in
    MEDPLUM_PROFILE, the server is to be recognised. A `source_map` goes before MEDPLUM_SOURCE_MAP, `write_to` before
    MEDPLUM_WRITE_TO: the URL or name of the server that takes the results instead. At a URL nobody signs in to that
    one: what WARDROUND_FHIR_TOKEN holds is the source's own.

    Raises:
        FhirError: what is no base URL, an unknown name, a variable that is missing or contradicts another.
        SpecError: an unknown profile, or a source map that cannot be used.
    """
    if not _NAME.fullmatch(place):
        return _source(
            place,
            _token_of(settings),
            settings,
            profile,
            aliases=settings.fhir_aliases,
            source_map=source_map or settings.source_map,
            write_to=_taker(write_to, settings, environment),
            map_by_identifier=map_by_identifier,
        )
    variables = _variables(place, settings, environment)
    return _source(
        variables.required("BASE_URL"),
        _sign_in(variables),
        settings,
        profile or variables.get("PROFILE"),
        ca_file=variables.get("CA_FILE"),
        proxy=variables.get("PROXY"),
        aliases=listed(variables.get("ALIASES") or ""),
        chart_url=variables.get("CHART_URL"),
        source_map=source_map or _path(variables.get("SOURCE_MAP")),
        name=place,
        write_to=_taker(write_to or variables.get("WRITE_TO"), settings, environment),
        map_by_identifier=map_by_identifier or variables.is_true("MAP_BY_IDENTIFIER"),
    )


def servers_of(
    request: "ScreeningRequest",
    settings: Settings,
    source: str | None = None,
    write_to: str | None = None,
    profile: str | None = None,
) -> FhirEndpoint:
    """The source of a run, and where its results go, reached as is said here, or else as the run says. As server_at."""
    place = source or request.source_url
    reached = server_at(place, settings, profile=profile, write_to=write_to)
    if reached.write_to or not request.write_to:
        return reached
    name = request.write_to_name
    known = name if name and is_server(name, settings) else request.write_to
    return server_at(place, settings, profile=profile, write_to=known)


def _taker(place: str | None, settings: Settings, environment: Mapping[str, str]) -> FhirEndpoint | None:
    """The server that takes another one's results."""
    if place is None:
        return None
    if _NAME.fullmatch(place):
        variables = _variables(place, settings, environment)
        if variables.get("WRITE_TO"):
            what = f"takes results, and {variables.prefix}_WRITE_TO is set, expected a server that keeps them"
            raise FhirError(f"{variables.where}: {what}; remove it, or name another server")
        return server_at(place, settings, environment)
    return FhirEndpoint(place, page_size=settings.fhir_page_size, retries=settings.fhir_retries, recognise=True)


def translation_in(source_map: Path | None, settings: Settings) -> Translation:
    """What a source map says; nothing without one. Raises SpecError."""
    return load_source_map(source_map, settings.schemas) if source_map else NO_TRANSLATION


def is_server(place: str, settings: Settings, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a place that may be a folder means a server: a URL, or a name whose base URL is set and no file has."""
    if not _NAME.fullmatch(place):
        return "://" in place
    variable = f"{_prefix(place)}{_BASE_URL}"
    known = {**_from_files(settings.home), **environment}
    return bool(known.get(variable)) and not Path(place).exists()


def _token_of(settings: Settings) -> BearerToken | None:
    file, name = settings.fhir_token_file, "WARDROUND_FHIR_TOKEN"
    if file and settings.fhir_token:
        raise FhirError(_both(name))
    try:
        token = read_secret(file) if file else settings.fhir_token
        return BearerToken(token) if token else None
    except FhirError as error:
        raise FhirError(f"{name}{_FILE if file else ''}: {error}") from None


def _both(name: str) -> str:
    return f"both {name} and {name}{_FILE} are set, expected one of them; remove the other"


class _Variables:
    """The variables of one named source. Raises FhirError for a name that none of them has."""

    def __init__(self, name: str, values: Mapping[str, str]) -> None:
        self._values = values
        self.where = f"source {name}"
        self.prefix = _prefix(name)
        if not any(key.startswith(f"{self.prefix}_") and values[key] for key in values):
            known = sorted(_named(key) for key in values if key.endswith(_BASE_URL) and key != _BASE_URL)
            named = ", ".join(known) or "none, as no variable ends in _BASE_URL"
            remedy = f"set {self.prefix}{_BASE_URL} or put it in .env"
            raise FhirError(f"{self.where}: unknown, expected a URL or one of: {named}; {remedy}")

    def get(self, key: str) -> str | None:
        """The value, of a secret also what lies in its file; None if there is none or it is empty.

        Raises FhirError for a file that holds no secret, and for a secret that is given in both ways.
        """
        name = f"{self.prefix}_{key}"
        value, file = self._values.get(name), self._values.get(f"{name}{_FILE}") if key in SECRETS else None
        if not file:
            return value or None
        if value:
            raise FhirError(f"{self.where}: {_both(name)}")
        try:
            return read_secret(Path(file))
        except FhirError as error:
            raise FhirError(f"{self.where}: {name}{_FILE}: {error}") from None

    def required(self, key: str) -> str:
        """The value. Raises FhirError naming the variable."""
        value = self.get(key)
        if value is None:
            raise self.missing(key)
        return value

    def is_true(self, key: str) -> bool:
        """Whether it says true. Raises FhirError for anything but true and false."""
        said = (self.get(key) or "false").lower()
        if said not in ("true", "false"):
            raise FhirError(f"{self.prefix}_{key}: neither true nor false, expected one of them; correct it")
        return said == "true"

    def missing(self, what: str) -> FhirError:
        return FhirError(f"{self.where}: {self.prefix}_{what} is missing, expected a value; set it or put it in .env")


def _variables(name: str, settings: Settings, environment: Mapping[str, str]) -> _Variables:
    return _Variables(name, {**_from_files(settings.home), **environment})


def _prefix(name: str) -> str:
    return name.upper().replace("-", "_")


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _named(variable: str) -> str:
    return variable.removesuffix(_BASE_URL).lower()


def _from_files(home: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    values: dict[str, str | None] = {}
    for folder in (home, Path.cwd()):
        values |= dotenv_values(folder / ".env")
    return {key: value for key, value in values.items() if value is not None}


def _sign_in(variables: _Variables) -> SignIn | None:
    given = [key for key in SIGN_IN_VARIABLES if variables.get(key)]
    if len(given) > 1:
        both = f"{variables.prefix}_{given[0]} and {variables.prefix}_{given[1]}"
        raise FhirError(f"{variables.where}: both {both} are set, expected one way to sign in; remove one")
    if not given:
        for half, rest in _HALVES.items():
            if variables.get(half):
                raise variables.missing(rest.format(variables.prefix))
        return None
    for needed in SIGN_IN_VARIABLES[given[0]]:
        variables.required(needed)
    try:
        return _of(given[0], variables)
    except FhirError as error:
        raise FhirError(f"{variables.where}: {error}") from None


def _of(way: str, variables: _Variables) -> SignIn:
    value, get = variables.required(way), variables.get
    if way == "TOKEN":
        return BearerToken(value)
    if way == "PASSWORD":
        return BasicPassword(variables.required("USERNAME"), value)
    client_id, token_url, scope = variables.required("CLIENT_ID"), get("TOKEN_URL"), get("SCOPE") or ""
    if way == "CLIENT_SECRET":
        return ClientSecret(client_id, value, token_url, scope, _sent_as(variables))
    key = value if way == "PRIVATE_KEY" else read_key(Path(value))
    return SignedAssertion(client_id, key, get("KEY_ID"), token_url, scope)


def _sent_as(variables: _Variables) -> Literal["basic", "post"]:
    match variables.get("CLIENT_AUTH"):
        case None | "basic":
            return "basic"
        case "post":
            return "post"
    raise FhirError(f"{variables.prefix}_CLIENT_AUTH: unknown, expected basic or post; correct it")


def _source(
    base_url: str,
    sign_in: SignIn | None,
    settings: Settings,
    profile: str | None,
    ca_file: str | None = None,
    proxy: str | None = None,
    aliases: tuple[str, ...] = (),
    chart_url: str | None = None,
    source_map: Path | None = None,
    name: str | None = None,
    write_to: FhirEndpoint | None = None,
    map_by_identifier: bool = False,
) -> FhirEndpoint:
    return FhirEndpoint(
        base_url=base_url,
        sign_in=sign_in,
        ca_file=ca_file,
        proxy=proxy,
        page_size=settings.fhir_page_size,
        retries=settings.fhir_retries,
        icu_classes=settings.icu_classes,
        icu_locations=settings.icu_locations,
        aliases=aliases,
        chart_url=chart_url,
        translation=translation_in(source_map, settings),
        profile=load_server_profile(profile, settings.schemas) if profile else GENERIC,
        recognise=profile is None,
        name=name,
        write_to=write_to,
        map_by_identifier=map_by_identifier,
    )
