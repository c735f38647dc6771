"""How to sign in to a FHIR server: one frozen class per method, secrets never shown; `fhir.auth` carries it out."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from wardround.errors import FhirError
from wardround.spec.issuers import is_loopback

# The characters that a request header can hold.
BEARER: Final = re.compile(r"[\x21-\x7e]+")
_LONGEST_SECRET: Final = 2**16  # characters


@dataclass(frozen=True)
class BearerToken:
    """A token that is obtained and renewed elsewhere.

    Attributes:
        file: where it was read, and is read again if the server refuses it: whoever renews it replaces that file.
    """

    token: str = field(repr=False)
    file: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        # The libraries' own message about such a header would show the token.
        if not BEARER.fullmatch(self.token):
            raise FhirError(
                "token: contains a space, a line break or a character outside ASCII, expected none of these; remove it"
            )


@dataclass(frozen=True)
class BasicPassword:
    """HTTP Basic."""

    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class ClientSecret:
    """OAuth client credentials with a secret.

    Attributes:
        token_url: the token endpoint; if None, it is looked up in <base>/.well-known/smart-configuration.
        scope: what to ask for, such as `system/*.read`; not sent if it is empty.
        sent_as: `basic` in the Authorization header (RFC 6749, 2.3.1), `post` in the form.
    """

    client_id: str
    client_secret: str = field(repr=False)
    token_url: str | None = None
    scope: str = ""
    sent_as: Literal["basic", "post"] = "basic"

    def __post_init__(self) -> None:
        require_private(self.token_url)


@dataclass(frozen=True)
class SignedAssertion:
    """SMART Backend Services: client credentials with an assertion signed by the client's private key.

    Attributes:
        key: the private key's text, PEM or JWK (or a JWK set): RSA signs RS384, EC P-384 signs ES384.
        key_id: `kid` under which the server knows the public key; a JWK brings its own.
        token_url, scope: see `ClientSecret`.
    """

    client_id: str
    key: str = field(repr=False)
    key_id: str | None = None
    token_url: str | None = None
    scope: str = ""

    def __post_init__(self) -> None:
        require_private(self.token_url)


TokenSignIn = ClientSecret | SignedAssertion
SignIn = BearerToken | BasicPassword | TokenSignIn


def read_key(path: Path) -> str:
    """Returns the text of a private key's file. Raises FhirError if it cannot be read."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        raise FhirError(
            f"{path}: cannot be read, expected a private key as PEM or JWK; check the path and the permissions"
        ) from None


def read_secret(path: Path) -> str:
    """Returns the secret in a file, as Docker and Kubernetes provide it, without the line break that editors add.

    Raises FhirError for a file that is missing, unreadable or empty, or that holds more than a secret.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST_SECRET + 1)
    except FileNotFoundError:
        raise FhirError(f"{path}: does not exist, expected a file with a secret; check the path") from None
    except OSError:
        raise FhirError(
            f"{path}: cannot be read, expected a file with a secret; check the path and the permissions"
        ) from None
    except UnicodeDecodeError:
        raise FhirError(f"{path}: is not text, expected a secret; check the path") from None
    secret = text.rstrip("\r\n")
    if not secret:
        raise FhirError(f"{path}: is empty, expected a secret; write it into the file")
    if len(text) > _LONGEST_SECRET:
        raise FhirError(f"{path}: is too large for a secret, expected one; check the path")
    return secret


def require_private(token_url: str | None) -> None:
    """Raises FhirError for a token endpoint that would get secrets unencrypted: http, except on this machine."""
    if token_url is not None and not is_private(token_url):
        raise FhirError("token URL: not https, expected https://host/path without credentials; correct it")


def is_private(url: str) -> bool:
    """Returns whether secrets may be sent to a URL: it has none itself, and is https or ends on this machine."""
    try:
        parts = urlsplit(url)
        ends_here = is_loopback(parts.hostname or "")
    except ValueError:
        return False
    encrypted = parts.scheme == "https" and bool(parts.hostname)
    return not parts.username and (encrypted or (parts.scheme == "http" and ends_here))
