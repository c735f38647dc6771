"""Makes the Authorization header of an endpoint's requests; a process asks for a token once and shares it."""

import logging
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol
from urllib.parse import quote_plus, urlencode

import requests

from wardround.errors import FhirError, FhirRefused
from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.fhir.json_object import json_object
from wardround.fhir.request import Request
from wardround.fhir.sign_in import (
    BEARER,
    BasicPassword,
    BearerToken,
    ClientSecret,
    SignedAssertion,
    TokenSignIn,
    read_secret,
    require_private,
)

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# A token is renewed this many seconds before it expires, or after nine tenths of its lifetime if that is later.
EARLY: Final = 30.0
_EARLY_SHARE: Final = 0.1
# SMART requires expires_in and recommends five minutes; if a server leaves it out, five minutes are assumed.
_UNSAID_LIFETIME: Final = 300.0
# RFC 6749, 5.2: what the error codes of a token endpoint mean to the person who configures the client.
_RULES: Final = {
    "invalid_client": "check the client id, its secret or key, and that the server has the public key",
    "invalid_grant": "check the client's key and this machine's clock",
    "invalid_request": "check which sign-in method the server expects, and whether it requires a scope",
    "invalid_scope": "check the scope",
    "unauthorized_client": "allow this client the client credentials grant on the server",
    "unsupported_grant_type": "enable the client credentials grant on the server, or use another sign-in method",
}
MOST_SIGN_INS: Final = 64
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

_LOG = logging.getLogger(__name__)


class Ask(Protocol):
    """One exchange with a server. Returns only responses that another attempt would not improve."""

    def __call__(self, request: Request, authorization: str | None) -> requests.Response: ...


class Authorization:
    """The Authorization header of one client's requests.

    Raises FhirError for a key that cannot be used. The other methods may ask the token endpoint, and then raise
    FhirRefused, or FhirError for an answer without a token.
    """

    def __init__(self, source: FhirEndpoint, ask: Ask) -> None:
        self._fixed: str | None = None
        self._tokens: _Tokens | None = None
        self._token_file: Path | None = None
        match source.sign_in:
            case BearerToken(token, file):
                self._fixed, self._token_file = f"Bearer {token}", file
            case BasicPassword(username, password):
                self._fixed = _basic(username, password)
            case ClientSecret() | SignedAssertion() as sign_in:
                self._tokens = SIGN_INS.of(source)
                self._get = _TokenRequest(source, sign_in, ask, self._tokens).get

    def header(self) -> str | None:
        """Returns the value of Authorization; None to send no header."""
        return self._fixed if self._tokens is None else self._tokens.header(self._get)

    def after_refusal(self, header: str | None) -> str | None:
        """Returns another value to try once after a request with this one was answered 401; None if there is none."""
        if self._token_file is not None:
            return self._read_again(self._token_file, header)
        if self._tokens is None or header is None:
            return None
        _LOG.warning("a token was refused before it expired; requesting another one")
        self._tokens.forget(header)
        return self._tokens.header(self._get)

    def _read_again(self, file: Path, header: str | None) -> str | None:
        """Returns the header of the token that is in the file now; None if it is the one that was refused."""
        self._fixed = f"Bearer {BearerToken(read_secret(file)).token}"
        if self._fixed == header:
            return None
        _LOG.warning("a token was refused, and there is another one in its file")
        return self._fixed


class AuthorizationHeader(requests.auth.AuthBase):
    """Sets the header, or none. Because it is an auth object, requests does not set another header from .netrc."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value is not None:
            request.headers["Authorization"] = self._value
        return request


@dataclass(frozen=True)
class Token:
    """An access token; `lifetime` in seconds."""

    value: str = field(repr=False)
    lifetime: float


class _Tokens:
    """The current token of one sign-in. The first thread that finds none asks for one, and the others wait for it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.endpoint: str | None = None
        self._clock = clock
        self._lock = Lock()
        self._header: str | None = None
        self._until = 0.0

    def header(self, get: Callable[[], Token]) -> str:
        with self._lock:
            asked = self._clock()
            if self._header is None or asked >= self._until:
                self._header = None
                token = get()
                self._header = f"Bearer {token.value}"
                # Counted from before the request: the token may have aged in transit.
                self._until = asked + token.lifetime - min(EARLY, token.lifetime * _EARLY_SHARE)
            return self._header

    @property
    def ended(self) -> bool:
        """Returns whether there was a token and it has expired."""
        return self._header is not None and self._clock() >= self._until

    def forget(self, header: str) -> None:
        """Drops the token if it is still this one; another thread may have replaced it already."""
        with self._lock:
            if self._header == header:
                self._header = None


class _SignIns:
    """The tokens of this process's most recently used sign-ins, each at one server; expired ones are dropped."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[tuple[object, ...], _Tokens] = OrderedDict()
        self._lock = Lock()

    def of(self, source: FhirEndpoint) -> _Tokens:
        """Returns the same tokens for all clients with the same server, sign-in, CA file and proxy."""
        key = (source.base_url, source.sign_in, source.ca_file, source.proxy)
        with self._lock:
            if key not in self._tokens:
                self._tokens = OrderedDict((old, kept) for old, kept in self._tokens.items() if not kept.ended)
                self._tokens[key] = _Tokens()
            self._tokens.move_to_end(key)
            while len(self._tokens) > MOST_SIGN_INS:
                # Clients that already hold the dropped tokens continue to use them.
                self._tokens.popitem(last=False)
            return self._tokens[key]

    def forget(self) -> None:
        """Drops all tokens."""
        with self._lock:
            self._tokens.clear()


SIGN_INS: Final = _SignIns()
"""Shared by this process: tasks of a DAG that run in it one after another ask for a token once."""


class _TokenRequest:
    """Asks the token endpoint once per call. Every call signs a new assertion, so that none is used twice."""

    def __init__(self, source: FhirEndpoint, sign_in: TokenSignIn, ask: Ask, tokens: _Tokens) -> None:
        self._source = source
        self._sign_in = sign_in
        self._ask = ask
        self._tokens = tokens
        self._credentials = _credentials(sign_in)

    def get(self) -> Token:
        try:
            return self._asked()
        except Exception:
            # The endpoint may have moved since it was discovered.
            self._tokens.endpoint = None
            raise

    def _asked(self) -> Token:
        url = self._sign_in.token_url or self._tokens.endpoint or self._discovered()
        form, authorization = self._credentials(url)
        scope = {"scope": self._sign_in.scope} if self._sign_in.scope else {}
        body = urlencode({"grant_type": "client_credentials", **scope, **form}).encode()
        token = _token(self._ask(Request("POST", url, body, _FORM), authorization))
        _LOG.info("%s: issued a token that is valid for %.0f s", shown(url), token.lifetime)
        return token

    def _discovered(self) -> str:
        place = f"{self._source.base_url}/.well-known/smart-configuration"
        response = self._ask(Request("GET", place, headers={"Accept": "application/json"}), None)
        url = _object(response).get("token_endpoint")
        if response.status_code != requests.codes.ok or not isinstance(url, str):
            what = f"answered {response.status_code} without a token_endpoint, expected one"
            raise FhirError(f"{shown(place)}: {what}; set the token URL")
        try:
            require_private(url)
        except FhirError as error:
            raise FhirError(f"{shown(place)}: {error}") from None
        self._tokens.endpoint = url
        return url


Credentials = tuple[dict[str, str], str | None]


# A run has one client per thread, and checking a private key takes longer than a request.
@lru_cache(maxsize=16)
def _credentials(sign_in: TokenSignIn) -> Callable[[str], Credentials]:
    """Returns a function that makes the form fields and the Authorization header for a token endpoint."""
    if isinstance(sign_in, SignedAssertion):
        # cryptography takes a moment to import, and most sources need none.
        from wardround.fhir.keys import Signer

        signer = Signer.of(sign_in)
        return lambda url: ({"client_assertion_type": _ASSERTION_TYPE, "client_assertion": signer.assertion(url)}, None)
    pair = sign_in.client_id, sign_in.client_secret
    if sign_in.sent_as == "post":
        return lambda _url: ({"client_id": pair[0], "client_secret": pair[1]}, None)
    return lambda _url: ({}, _basic(*map(quote_plus, pair)))


def _basic(username: str, password: str) -> str:
    return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


def _token(response: requests.Response) -> Token:
    url, status, answered = shown(str(response.url)), response.status_code, _object(response)
    if 400 <= status < 500:
        raise _refused(url, status, answered.get("error"))
    value, kind = answered.get("access_token"), answered.get("token_type")
    if not 200 <= status < 300 or not isinstance(value, str) or not BEARER.fullmatch(value):
        raise FhirError(f"{url}: answered {status} without a token, expected access_token; check the token URL")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise FhirError(f"{url}: issued a token that is not a bearer token, expected one; check the server")
    return Token(value, _seconds(answered.get("expires_in"), url))


def _refused(url: str, status: int, error: object) -> FhirError:
    if isinstance(error, str) and error in _RULES:
        return FhirRefused(f"{url}: refused to issue a token ({error}), expected one; {_RULES[error]}")
    if status in (401, 403):
        return FhirRefused(f"{url}: refused to issue a token ({status}), expected one; {_RULES['invalid_client']}")
    return FhirError(f"{url}: answered {status} without a token, expected access_token; check the token URL")


def _seconds(expires_in: object, url: str) -> float:
    if expires_in is None:
        return _UNSAID_LIFETIME
    try:
        seconds = float(str(expires_in))
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise FhirError(f"{url}: issued a token without a lifetime, expected expires_in in seconds; check the server")
    return seconds


def _object(response: requests.Response) -> dict[str, Any]:
    """Returns the response's JSON object; an empty dict if the response holds anything else."""
    return json_object(response.content) or {}
