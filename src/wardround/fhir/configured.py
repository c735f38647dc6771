"""Makes the endpoint that a source's settings describe, wherever they were set."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr, ValidationError

from wardround.errors import FhirError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.sign_in import BasicPassword, BearerToken, ClientSecret, SignedAssertion, SignIn, read_key
from wardround.fhir.source_settings import SourceSettings, expected
from wardround.spec.loading import load_server_profile, load_source_map
from wardround.spec.servers import GENERIC
from wardround.spec.source_maps import NO_TRANSLATION, Translation


class Wording(Protocol):
    """Says what is wrong with a setting, in terms of where it was set: a variable or a field of a form.

    Each message names the variable or field and the remedy, and shows no secret; `naming` says which source it is
    about.
    """

    def missing(self, setting: str) -> str: ...

    def wrong(self, setting: str, value: object, expected: str) -> str: ...

    def both(self, setting: str, other: str) -> str: ...


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Puts the name of a source or a variable before the messages of errors raised inside."""
    try:
        yield
    except FhirError as error:
        raise FhirError(f"{where}: {error}") from None


def settings_of(values: Mapping[str, object], wording: Wording) -> SourceSettings:
    """Returns the settings with these values, which may be strings. Raises FhirError for the first that is invalid."""
    try:
        return SourceSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        setting = str(first["loc"][0])
        if first["type"] == "missing":
            raise FhirError(wording.missing(setting)) from None
        raise FhirError(wording.wrong(setting, values[setting], expected(setting, first["type"]))) from None


def sign_in_of(settings: SourceSettings, wording: Wording) -> SignIn | None:
    """Returns how to sign in; None for a server without sign-in.

    Raises FhirError if anything is missing or unusable.
    """

    def required(setting: str) -> str:
        value = getattr(settings, setting)
        if not value:
            raise FhirError(wording.missing(setting))
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    def key() -> str:
        if settings.private_key and settings.key_file:
            raise FhirError(wording.both("private_key", "key_file"))
        return read_key(settings.key_file) if settings.key_file else required("private_key")

    match settings.auth:
        case "bearer":
            return BearerToken(required("token"))
        case "basic":
            return BasicPassword(required("username"), required("password"))
        case "client_secret":
            about = (settings.token_url, settings.scope, settings.client_auth)
            return ClientSecret(required("client_id"), required("client_secret"), *about)
        case "smart":
            return SignedAssertion(required("client_id"), key(), settings.key_id, settings.token_url, settings.scope)
    return None


def endpoint_of(
    settings: SourceSettings,
    sign_in: SignIn | None,
    schemas: Path,
    name: str | None = None,
    write_to: FhirEndpoint | None = None,
) -> FhirEndpoint:
    """Returns the server of these settings; `write_to` is the one that takes its results.

    Without a profile, the server's profile is recognised later.

    Raises:
        FhirError: an invalid address, or results that would go to the same server.
        SpecError: an unknown profile, or a source map that cannot be used.
    """
    as_set: dict[str, Any] = {
        one.name: getattr(settings, one.name) for one in fields(FhirEndpoint) if one.name in SourceSettings.model_fields
    }
    made = {
        "ca_file": str(settings.ca_file) if settings.ca_file else None,
        "proxy": settings.proxy.get_secret_value() if settings.proxy else None,
        "profile": load_server_profile(settings.profile, schemas) if settings.profile else GENERIC,
        "recognise": settings.profile is None,
        "translation": translation_in(settings.source_map, schemas),
    }
    return FhirEndpoint(**{**as_set, **made, "sign_in": sign_in, "name": name, "write_to": write_to})


def translation_in(source_map: Path | None, schemas: Path) -> Translation:
    """Returns the translation that a source map holds; an empty one without a map. Raises SpecError."""
    return load_source_map(source_map, schemas) if source_map else NO_TRANSLATION
