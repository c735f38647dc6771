"""Reads the variables of a named source: MEDPLUM_BASE_URL, MEDPLUM_TOKEN and so on, one for each setting."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wardround.errors import FhirError
from wardround.fhir.configured import naming
from wardround.fhir.sign_in import read_secret
from wardround.fhir.source_settings import SourceSettings, is_secret, schema

_BASE_URL: Final = "_BASE_URL"
_FILE: Final = "_FILE"
# How a source signs in depends on which of these is set.
_SIGNS_IN: Final = {
    "key_file": "smart",
    "private_key": "smart",
    "client_secret": "client_secret",
    "password": "basic",
    "token": "bearer",
}
SET_BY_VARIABLE: Final = tuple(setting for setting in SourceSettings.model_fields if setting != "auth")
"""The settings that have a variable."""
IN_FILES: Final = tuple(setting for setting in SET_BY_VARIABLE if is_secret(setting) and setting != "private_key")
"""Settings that may be kept in a file, whose path is in a variable ending in _FILE. A private key has KEY_FILE."""
# Settings that are useless alone, and what to set with them.
_HALVES: Final = {
    "client_id": ("client_secret", "key_file"),
    "username": ("password",),
    **dict.fromkeys(("token_url", "key_id", "scope", "client_auth"), ("client_id",)),
}


class SourceVariables:
    """The variables of one named source, and the wording of what is wrong with one of them."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        """Reads the environment. Raises FhirError for a name that has no variables."""
        self._environment = environment
        self.where = f"source {name}"
        self._prefix = _prefix_of(name)
        if not any(key.startswith(f"{self._prefix}_") and environment[key] for key in environment):
            known = sorted(_named(key) for key in environment if key.endswith(_BASE_URL) and key != _BASE_URL)
            named = ", ".join(known) or "none, as no variable ends in _BASE_URL"
            remedy = f"set {self._prefix}{_BASE_URL} or put it in .env"
            raise FhirError(f"{self.where}: unknown, expected a URL or one of: {named}; {remedy}")

    def values(self) -> dict[str, object]:
        """Returns the values that are set, including secrets from their files, and `auth`, which follows from them.

        Raises FhirError for a file that holds no secret, for a secret that is given both ways, and for two ways to sign
        in or half of one.
        """
        found: dict[str, object] = {
            setting: text for setting in SET_BY_VARIABLE if (text := self._text(setting)) is not None
        }
        return {**found, "auth": self._auth(found)}

    def file_of(self, setting: str) -> Path | None:
        """Returns the file that a secret is kept in; None if its variable has it, or nothing."""
        file = self._environment.get(f"{self.called(setting)}{_FILE}")
        return Path(file) if file else None

    def missing(self, setting: str, *others: str) -> str:
        names = " or ".join(self.called(one) for one in (setting, *others))
        return f"{names} is missing, expected a value; set it or put it in .env"

    def wrong(self, setting: str, value: object, expected: str) -> str:  # noqa: ARG002  a variable's value is not shown
        what = "neither true nor false" if schema(setting)["type"] == "boolean" else "unusable"
        return f"{self.called(setting)}: {what}, expected {expected}; correct it"

    def both(self, setting: str, other: str) -> str:
        names = f"{self.called(setting)} and {self.called(other)}"
        return f"both {names} are set, expected one way to sign in; remove one"

    def called(self, setting: str) -> str:
        """Returns the variable of a setting."""
        return f"{self._prefix}_{setting.upper()}"

    def _text(self, setting: str) -> str | None:
        name = self.called(setting)
        text, file = self._environment.get(name), self.file_of(setting)
        if file and setting in IN_FILES:
            if text:
                raise FhirError(secret_twice(name))
            with naming(f"{name}{_FILE}"):
                return read_secret(file)
        # An empty list is a valid list, such as that of ICU classes if Locations alone count.
        return text if text or schema(setting)["type"] == "array" else None

    def _auth(self, found: Mapping[str, object]) -> str:
        given = [setting for setting in _SIGNS_IN if setting in found]
        if len(given) > 1:
            raise FhirError(self.both(*given[:2]))
        if given:
            return _SIGNS_IN[given[0]]
        for half, rest in _HALVES.items():
            if half in found:
                raise FhirError(self.missing(*rest))
        return "none"


def is_named(name: str, environment: Mapping[str, str]) -> bool:
    """Returns whether the environment has a base URL for a source of this name."""
    return bool(environment.get(f"{_prefix_of(name)}{_BASE_URL}"))


def _prefix_of(name: str) -> str:
    """Returns the prefix of a source's variables: MY_WARD for my-ward."""
    return name.upper().replace("-", "_")


def secret_twice(variable: str) -> str:
    """Returns the message for a secret that is given both in its variable and in a file."""
    return f"both {variable} and {variable}{_FILE} are set, expected one of them; remove the other"


def _named(variable: str) -> str:
    return variable.removesuffix(_BASE_URL).lower()
