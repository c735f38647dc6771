"""Sends HTTP requests and returns JSON answers: keep-alive, retries, Retry-After, errors that name the cause."""

import logging
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any, Final, TypeVar

import orjson
import requests
from requests.adapters import BaseAdapter

from wardround.errors import FhirError, FhirUnreachable
from wardround.fhir.answer import Answer, answer_of, retry_after
from wardround.fhir.auth import Authorization, AuthorizationHeader
from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.fhir.json_object import json_object
from wardround.fhir.lost import LOST, Busy, lost
from wardround.fhir.patience import Patience
from wardround.fhir.request import Request
from wardround.fhir.wire import WholeAnswers, hold, parts

ATTEMPTS: Final = 5
FIRST_WAIT: Final = 0.5  # seconds; doubled each time
LONGEST_WAIT: Final = 120.0  # seconds; the longest wait, even if Retry-After asks for more
_BUSY: Final = (408, 429, 502, 503, 504)
_PART: Final = 2**20  # bytes of a file at a time
T = TypeVar("T")

_LOG = logging.getLogger(__name__)


class Transport:
    """A pool of connections to one server."""

    def __init__(
        self, source: FhirEndpoint, adapter: BaseAdapter | None = None, patience: Patience | None = None
    ) -> None:
        self._source = source
        self.patience = patience or Patience(source.retries)
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/fhir+json"
        # HAPI answers a repeated search from a cache for about a minute; what was just written must be found.
        self._session.headers["Cache-Control"] = "no-cache"
        self._verify = _trusted(source.ca_file)
        self._proxies = {"http": source.proxy, "https": source.proxy} if source.proxy else None
        self._authorization = Authorization(source, self._exchange)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter or WholeAnswers(pool_connections=2, pool_maxsize=source.threads))
        self._lock = Lock()
        self._requirements: tuple[Callable[[], None], ...] = ()
        self.requests_made = 0

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    @contextmanager
    def sending_while(self, require: Callable[[], None]) -> Iterator[None]:
        """Calls `require` before each request, in whichever thread; what it raises is raised instead of sending."""
        with self._lock:
            self._requirements += (require,)
        try:
            yield
        finally:
            with self._lock:
                rest = list(self._requirements)
                rest.remove(require)
                self._requirements = tuple(rest)

    def sign_in(self) -> None:
        """Gets the token that requests will carry, if they need one; raises as `send` does."""
        itself = Request("GET", f"{self._source.base_url}/")
        self._persist(lambda _: self._authorization.header(), itself, repeat=True)

    def send(
        self,
        method: str,
        url: str,
        *,
        data: str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
        repeat: bool = True,
        read: Callable[[bytes], Any] = json_object,
    ) -> Answer:
        """Sends until there is an answer, `ATTEMPTS` times at most, and again once a server that was down is up.

        Without `repeat` it is sent once; the token for it may be asked for again. `read` decodes the body of a success,
        into a dict or something else, and returns None for a broken one.

        Returns:
            The answer if it succeeded, or if its status is one of `accept`; then it may have no body.

        Raises:
            FhirUnreachable: no connection, or the server stayed busy or broke off every time.
            FhirRefused: 401 or 403.
            FhirError: any other answer that cannot be used.
        """
        body = orjson.dumps(json) if json is not None else data.encode() if data is not None else None
        return self._persist(self._answer, Request(method, url, body, headers, accept, read), repeat)

    def download(self, url: str, accept: str, signed: bool, keep: Callable[[Iterator[bytes]], T]) -> T:
        """Passes a file, part by part, to `keep`, and again from its beginning if it broke off.

        Only a `signed` request carries the token. Returns what `keep` returns; raises as `send` does.
        """
        request = Request("GET", url, headers={"Accept": accept}, stream=True)
        return self._persist(partial(self._kept, signed=signed, keep=keep), request, repeat=True)

    def _persist(self, once: Callable[[Request], T], request: Request, repeat: bool) -> T:
        """Returns what `once` returns for the request, tried again as `send` says."""
        again = True
        while True:
            try:
                return self._attempt(once, request, repeat)
            except _GaveUp as error:
                if not self.patience.can_wait or self.patience.spent:
                    raise FhirUnreachable(str(error)) from None
                if self.is_down():
                    _LOG.warning("%s; the server is down, waiting for it", error)
                    back = self.patience.wait_until(lambda: not self.is_down())
                    _LOG.warning("%s: %s", request.where, "is up again" if back else "is still down; no longer waiting")
                else:
                    # The server may have just come back. If not, it is this request that it cannot answer.
                    back, again = again, False
                if not back:
                    raise FhirUnreachable(str(error)) from None

    def _attempt(self, once: Callable[[Request], T], request: Request, repeat: bool) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return once(request)
            except Busy as busy:
                what = f"{busy.where}: {busy}"
                # If the token endpoint did not answer, the request was not sent to the server yet, or the server
                # refused it.
                if not repeat and busy.where == request.where:
                    raise FhirUnreachable(f"{what}, expected an answer; check whether it was done") from None
                if attempt == ATTEMPTS:
                    raise _GaveUp(f"{what} (tried {ATTEMPTS} times), expected an answer; {busy.remedy}") from None
                if not self.patience.retry():
                    raise _GaveUp(f"{what}, and the run has used up its retries; resume it later") from None
                backoff = FIRST_WAIT * 2 ** (attempt - 1)
                wait = min(LONGEST_WAIT, backoff if busy.wait is None else busy.wait)
                _LOG.warning("%s; trying again in %.1f s, attempt %d of %d", what, wait, attempt + 1, ATTEMPTS)
                self.patience.pause(wait)
        raise AssertionError("unreachable")

    def wait(self, attempt: int) -> bool:
        """Waits as long as before the next attempt at a request; returns False if the run has no more retries."""
        if not self.patience.retry():
            _LOG.warning("%s: the run has used up its retries", shown(self._source.base_url))
            return False
        self.patience.pause(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))
        return True

    def is_down(self) -> bool:
        """Returns whether the server, or its token endpoint, does not answer a request for /metadata at all.

        A server that refuses, or whose certificate is not trusted, is not down: waiting would not help.
        """
        try:
            self._answer(Request("GET", f"{self._source.base_url}/metadata"))
        except Busy:
            return True
        except FhirError:
            return False
        return False

    def _answer(self, request: Request) -> Answer:
        return answer_of(self._signed(request), request)

    def _kept(self, request: Request, signed: bool, keep: Callable[[Iterator[bytes]], T]) -> T:
        """Returns what `keep` returns for a file's parts, read once."""
        with self._signed(request) if signed else self._exchange(request, None) as response:
            if response.status_code != requests.codes.ok:
                hold(response)
                what = answer_of(response, request).status
                raise FhirError(f"{request.where}: answered {what}, expected a file; export again")
            try:
                return keep(parts(response, _PART))
            except LOST as error:
                raise lost(request.url, error) from None

    def _signed(self, request: Request) -> requests.Response:
        authorization = self._authorization.header()
        response = self._exchange(request, authorization)
        if response.status_code == requests.codes.unauthorized:
            # The server no longer accepts the token, before it has expired; the next one is the last try.
            renewed = self._authorization.after_refusal(authorization)
            if renewed is not None:
                response.close()
                response = self._exchange(request, renewed)
        return response

    def _exchange(self, request: Request, authorization: str | None) -> requests.Response:
        """Sends one request and returns its answer, unless another attempt may bring a better one."""
        for require in self._requirements:
            require()
        with self._lock:
            self.requests_made += 1
        began = time.monotonic()
        try:
            # No redirects: they would turn a POST into a GET, and could send the token elsewhere. The environment
            # overrides proxies and certificate authorities set on the session, but not those set on the request.
            response = self._session.request(
                request.method,
                request.url,
                data=request.body,
                headers=request.headers,
                auth=AuthorizationHeader(authorization),
                timeout=self._source.timeout,
                allow_redirects=False,
                verify=self._verify,
                proxies=self._proxies,
                stream=request.stream,
            )
        except LOST as error:
            raise lost(request.url, error) from None
        except requests.RequestException as error:
            raise FhirError(
                f"{request.where}: the request cannot be made ({type(error).__name__}); check base URL and proxy"
            ) from None
        if _LOG.isEnabledFor(logging.DEBUG):
            seconds = time.monotonic() - began
            _LOG.debug("%s %s: answered %d after %.3f s", request.method, request.where, response.status_code, seconds)
        if response.status_code in _BUSY:
            wait = retry_after(response.headers.get("Retry-After"))
            response.close()
            raise Busy(request.where, f"answered {response.status_code}", wait)
        return response


class _GaveUp(Exception):
    """Every attempt failed."""


def _trusted(ca_file: str | None) -> str | None:
    """Returns the file of certificate authorities, if it is usable; None means the usual ones. Raises FhirError."""
    if ca_file is not None:
        try:
            ssl.create_default_context(cafile=ca_file)
        except OSError:  # ssl.SSLError is one
            raise FhirError(f"{ca_file}: cannot be used, expected PEM certificates; set another CA file") from None
    return ca_file
