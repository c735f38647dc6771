"""Finds the FHIR server that a base URL or a name means; names come from the environment or a .env file."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wardround.errors import FhirError
from wardround.fhir.configured import endpoint_of, naming, settings_of, sign_in_of
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.sign_in import BearerToken, read_secret
from wardround.fhir.source_settings import SourceSettings
from wardround.settings import Settings
from wardround.workflows.source_variables import SourceVariables, is_named, secret_twice

if TYPE_CHECKING:
    from wardround.workflows.screen import ScreeningRequest

OF_ALL: Final = {
    "page_size": "fhir_page_size",
    "timeout": "fhir_timeout",
    "retries": "fhir_retries",
    "icu_classes": "icu_classes",
    "icu_locations": "icu_locations",
}
"""The field of `Settings` that applies to each server of the command line whose own variables do not set it."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def server_at(
    place: str,
    settings: Settings,
    environment: Mapping[str, str] = os.environ,
    profile: str | None = None,
    source_map: Path | None = None,
    write_to: str | None = None,
    map_by_identifier: bool = False,
) -> FhirEndpoint:
    """Returns the server with this URL or name, using the environment.

    A name such as `medplum` stands for the variables MEDPLUM_BASE_URL, MEDPLUM_CLIENT_ID and so on, from the
    environment, .env in the working directory or .env in the home directory, in this order. A `profile` takes
    precedence over MEDPLUM_PROFILE, and so do the other arguments over their variables. `write_to` is the URL or name
    of the server that takes the results instead. If it is a URL, there is no sign-in to that server, because
    WARDROUND_FHIR_TOKEN holds the source's own token.

    Raises:
        FhirError: an invalid base URL, an unknown name, a variable that is missing, unusable or contradicts another.
        SpecError: an unknown profile, or a source map that cannot be used.
    """
    options = {
        "profile": profile,
        "source_map": source_map,
        "write_to": write_to,
        "map_by_identifier": map_by_identifier,
    }
    once = {setting: value for setting, value in options.items() if value}
    if _NAME.fullmatch(place):
        return _of_name(place, settings, environment, once)
    of_url = {"aliases": settings.fhir_aliases, "source_map": settings.source_map}
    asked = SourceSettings(base_url=place, **{**_of_all(settings), **of_url, **once})
    results = _taker(asked.write_to, settings, environment)
    return endpoint_of(asked, _token_of(settings), settings.schemas, write_to=results)


def servers_of(
    request: "ScreeningRequest",
    settings: Settings,
    source: str | None = None,
    write_to: str | None = None,
    profile: str | None = None,
) -> FhirEndpoint:
    """Returns the source of a run with where its results go: as these arguments say, or else as the run says."""
    place = source or request.source_url
    reached = server_at(place, settings, profile=profile, write_to=write_to)
    if reached.write_to or not request.write_to:
        return reached
    name = request.write_to_name
    known = name if name and is_server(name, settings) else request.write_to
    return server_at(place, settings, profile=profile, write_to=known)


def is_server(place: str, settings: Settings, environment: Mapping[str, str] = os.environ) -> bool:
    """Returns whether a place that may be a folder means a server.

    It does if it is a URL, or a name for which a base URL is set and no file exists.
    """
    if not _NAME.fullmatch(place):
        return "://" in place
    return is_named(place, _known(settings, environment)) and not Path(place).exists()


def _of_name(name: str, settings: Settings, environment: Mapping[str, str], once: Mapping[str, object]) -> FhirEndpoint:
    variables = SourceVariables(name, _known(settings, environment))
    with naming(variables.where):
        asked = settings_of({**_of_all(settings), **variables.values(), **once}, variables)
        sign_in = sign_in_of(asked, variables)
        if isinstance(sign_in, BearerToken):
            sign_in = replace(sign_in, file=variables.file_of("token"))
    results = _taker(asked.write_to, settings, environment)
    with naming(variables.where):
        return endpoint_of(asked, sign_in, settings.schemas, name, results)


def _taker(place: str | None, settings: Settings, environment: Mapping[str, str]) -> FhirEndpoint | None:
    """Returns the server that takes another one's results."""
    if place is None:
        return None
    if not _NAME.fullmatch(place):
        return endpoint_of(SourceSettings(base_url=place, **_of_all(settings)), None, settings.schemas)
    variables = SourceVariables(place, _known(settings, environment))
    if "write_to" in variables.values():
        what = f"takes results, and {variables.called('write_to')} is set, expected a server that keeps them"
        raise FhirError(f"{variables.where}: {what}; remove it, or name another server")
    return server_at(place, settings, environment)


def _of_all(settings: Settings) -> dict[str, Any]:
    return {setting: getattr(settings, field) for setting, field in OF_ALL.items()}


def _token_of(settings: Settings) -> BearerToken | None:
    file, name = settings.fhir_token_file, "WARDROUND_FHIR_TOKEN"
    if file and settings.fhir_token:
        raise FhirError(secret_twice(name))
    with naming(f"{name}_FILE" if file else name):
        token = read_secret(file) if file else settings.fhir_token
        return BearerToken(token, file) if token else None


def _known(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    return {**_from_files(settings.home), **environment}


def _from_files(home: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    values: dict[str, str | None] = {}
    for folder in (home, Path.cwd()):
        values |= dotenv_values(folder / ".env")
    return {key: value for key, value in values.items() if value is not None}
