"""ASGI middleware, off by default: a token endpoint for registered clients, and 401 for requests without a token."""

import secrets
import time
from base64 import b64decode
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote_plus

import jwt
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wardround.demo.fhir_server.problems import operation_outcome

TOKEN_PATH: Final = "/auth/token"
_CONFIGURATION: Final = "/fhir/.well-known/smart-configuration"
_OPEN: Final = ("/fhir/metadata", _CONFIGURATION)
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ALGORITHMS: Final = ["RS384", "ES384"]
_LONGEST: Final = 300  # maximum lifetime of an assertion in seconds, according to SMART


class Clients(BaseModel):
    """Who may sign in.

    Attributes:
        public_keys: client id to public key (PEM), for signed assertions.
        secrets: client id to secret, in the Authorization header or the form.
        lifetime: seconds for which a token is accepted.
        said_lifetime: what `expires_in` says instead, to test clients with a wrong lifetime.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    public_keys: dict[str, str] = {}
    secrets: dict[str, str] = Field(default={}, repr=False)
    lifetime: Annotated[float, Field(gt=0)] = 300.0
    said_lifetime: Annotated[float, Field(gt=0)] | None = None


class SignedIn:
    """Wraps the app; tokens and used assertions are kept in memory."""

    def __init__(self, app: ASGIApp, clients: Clients) -> None:
        self._app = app
        self._clients = clients
        self._tokens: dict[str, float] = {}
        self._used: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = scope["path"]
        if path == TOKEN_PATH:
            await (await self._token(request))(scope, receive, send)
        elif path == _CONFIGURATION:
            await _configuration(request)(scope, receive, send)
        elif path.startswith("/fhir") and path not in _OPEN and not self._knows(request.headers.get("authorization")):
            body = operation_outcome("error", "login", "no token, or an expired one; get one and try again")
            await Response(body, 401, {"WWW-Authenticate": "Bearer"}, "application/fhir+json")(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _knows(self, header: str | None) -> bool:
        return self._tokens.get((header or "").removeprefix("Bearer "), 0.0) > time.monotonic()

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if not (self._proved(form, _token_url(request)) or self._knows_secret(form, request.headers)):
            return JSONResponse({"error": "invalid_client"}, 401)
        token = secrets.token_urlsafe(24)
        self._tokens[token] = time.monotonic() + self._clients.lifetime
        said = self._clients.said_lifetime or self._clients.lifetime
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": said})

    def _proved(self, form: dict[str, str], audience: str) -> bool:
        """Returns whether the assertion is signed by the client it names, meant for us, in force, and not used yet."""
        assertion = form.get("client_assertion", "")
        try:
            client = jwt.decode(assertion, options={"verify_signature": False}).get("sub")
            key = self._clients.public_keys.get(str(client))
            if key is None or form.get("client_assertion_type") != _ASSERTION_TYPE:
                return False
            claims = jwt.decode(
                assertion,
                key,
                _ALGORITHMS,
                audience=audience,
                issuer=client,
                options={"require": ["iss", "sub", "aud", "exp", "jti"]},
            )
        # Times beyond the range of datetime overflow.
        except (jwt.PyJWTError, OverflowError):
            return False
        new = claims["jti"] not in self._used and claims["exp"] <= time.time() + _LONGEST
        self._used.add(claims["jti"])
        return new

    def _knows_secret(self, form: dict[str, str], headers: Any) -> bool:
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            try:
                client, secret = map(unquote_plus, b64decode(encoded).decode().split(":", 1))
            except ValueError:  # not base64, not UTF-8, or without a colon
                return False
        # As bytes, because compare_digest accepts no text beyond ASCII.
        return bool(secret) and secrets.compare_digest(self._clients.secrets.get(client, "").encode(), secret.encode())


def _token_url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{TOKEN_PATH}"


def _configuration(request: Request) -> Response:
    return JSONResponse(
        {
            "token_endpoint": _token_url(request),
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", "client_secret_post"],
            "token_endpoint_auth_signing_alg_values_supported": _ALGORITHMS,
            "capabilities": ["client-confidential-asymmetric", "client-confidential-symmetric"],
        }
    )
