"""One HTTP request in, one JSON answer out: keep-alive, retries, Retry-After, and errors that name the cause."""

import logging
import re
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any, Final, TypeVar

import orjson
import requests
from requests.adapters import BaseAdapter

from wardround.adapters.fhir_auth import Authorization, AuthorizationHeader
from wardround.adapters.fhir_lost import LOST, NOT_RUNNING, loss_of
from wardround.adapters.fhir_page import dicts
from wardround.adapters.fhir_patience import Patience
from wardround.adapters.fhir_source import FhirSource, shown
from wardround.adapters.fhir_wire import WholeAnswers, hold, parts
from wardround.adapters.json_object import is_cut, json_object
from wardround.errors import FhirError, FhirRefused, FhirUnreachable

ATTEMPTS: Final = 5
FIRST_WAIT: Final = 0.5  # seconds; doubled each time
LONGEST_WAIT: Final = 120.0  # seconds; a server that asks for more in Retry-After is asked again after this
_BUSY: Final = (408, 429, 502, 503, 504)
_PART: Final = 2**20  # bytes of a file at a time
# http://hl7.org/fhir/R4/valueset-issue-type.html
_ISSUE_CODE: Final = re.compile(
    "invalid|structure|required|value|invariant|security|login|unknown|expired|forbidden|suppressed|processing|"
    "not-supported|duplicate|multiple-matches|not-found|deleted|too-long|code-invalid|extension|too-costly|"
    "business-rule|conflict|transient|lock-error|no-store|exception|timeout|incomplete|throttled|informational"
)

_CONTENT_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]{1,60}|nothing")

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """A JSON object that a server answered; `url` is fit for messages, `complaint` what to say if it is no success.

    `body` is the object as a dict; that of a success is what the request's `read` made of it.
    """

    url: str
    status: int
    body: Any
    complaint: str
    headers: Mapping[str, str]

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the server wants to be asked again, if it says so."""
        return _retry_after(self.headers.get("Retry-After"))


class Transport:
    """A pool of connections to one server."""

    def __init__(
        self, source: FhirSource, adapter: BaseAdapter | None = None, patience: Patience | None = None
    ) -> None:
        self._source = source
        self.patience = patience or Patience(source.retries)
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/fhir+json"
        # HAPI answers a search that it saw a minute ago with what it found then; what was just written must be found.
        self._session.headers["Cache-Control"] = "no-cache"
        self._verify = _trusted(source.ca_file)
        self._proxies = {"http": source.proxy, "https": source.proxy} if source.proxy else None
        self._authorization = Authorization(source, self._exchange)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter or WholeAnswers(pool_connections=2, pool_maxsize=source.threads))
        self._lock = Lock()
        self.requests_made = 0

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def sign_in(self) -> None:
        """Gets the token that requests will bear, if they need one; raises as `send` does."""
        self._persist(f"{self._source.base_url}/", self._authorization.header, repeat=True)

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
        """Sends until there is an answer, `ATTEMPTS` times at most, and again after a server that was down is up.

        Without `repeat` it is sent once; the token for it may be asked for again. `read` makes something else than a
        dict of the body of a success, and None of one that is broken.

        Returns:
            The answer if it succeeded, or its status is one of `accept`, which may then have no body.

        Raises:
            FhirUnreachable: no connection, or the server stayed busy or broke off every time.
            FhirRefused: 401 or 403.
            FhirError: any other answer that cannot be used.
        """
        body = orjson.dumps(json) if json is not None else data.encode() if data is not None else None
        return self._persist(url, lambda: self._send_once(method, url, body, headers, accept, read), repeat)

    def download(self, url: str, accept: str, signed: bool, keep: Callable[[Iterator[bytes]], T]) -> T:
        """Passes a file, part by part, to `keep`, and again from its beginning where it broke off.

        Only a `signed` request bears the token. Gives what `keep` gives; raises as `send` does.
        """
        return self._persist(url, lambda: self._download_once(url, {"Accept": accept}, signed, keep), repeat=True)

    def _persist(self, url: str, once: Callable[[], T], repeat: bool) -> T:
        again = True
        while True:
            try:
                return self._attempt(url, once, repeat)
            except _GaveUp as error:
                if not self.patience.can_wait or self.patience.spent:
                    raise FhirUnreachable(str(error)) from None
                if self.is_down():
                    _LOG.warning("%s; it is down and waited for", error)
                    back = self.patience.wait_until(lambda: not self.is_down())
                    _LOG.warning("%s: %s", shown(url), "is up again" if back else "is not waited for any longer")
                else:
                    # It may have come back this moment. If not, it is this request that it cannot answer.
                    back, again = again, False
                if not back:
                    raise FhirUnreachable(str(error)) from None

    def _attempt(self, url: str, once: Callable[[], T], repeat: bool) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return once()
            except _Busy as busy:
                what = f"{busy.where}: {busy}"
                # What the token endpoint did not answer was not sent to the server yet, or refused by it.
                if not repeat and busy.where == shown(url):
                    raise FhirUnreachable(f"{what}, expected an answer; look whether it was done") from None
                if attempt == ATTEMPTS:
                    raise _GaveUp(f"{what} {ATTEMPTS} times, expected an answer; {busy.remedy}") from None
                if not self.patience.retry():
                    raise _GaveUp(f"{what}, and all retries of the run are used up; resume it later") from None
                backoff = FIRST_WAIT * 2 ** (attempt - 1)
                wait = min(LONGEST_WAIT, backoff if busy.wait is None else busy.wait)
                _LOG.warning("%s; asked again in %.1f s, attempt %d of %d", what, wait, attempt + 1, ATTEMPTS)
                self.patience.pause(wait)
        raise AssertionError("unreachable")

    def wait(self, attempt: int) -> bool:
        """Waits as long as before the next attempt at a request; False if the run has no more retries."""
        if not self.patience.retry():
            _LOG.warning("%s: all retries of the run are used up", shown(self._source.base_url))
            return False
        self.patience.pause(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))
        return True

    def is_down(self) -> bool:
        """Whether the server, or who signs in to it, gives no answer at all when it is asked who it is.

        One that refuses, or whose certificate is not trusted, is not down: waiting would not mend it.
        """
        try:
            self._send_once("GET", f"{self._source.base_url}/metadata", None, None, ())
        except _Busy:
            return True
        except FhirError:
            return False
        return False

    def _send_once(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        accept: Collection[int],
        read: Callable[[bytes], Any] = json_object,
    ) -> Answer:
        return _answer(self._signed(method, url, body, headers), shown(url), accept, read)

    def _download_once(
        self, url: str, headers: Mapping[str, str], signed: bool, keep: Callable[[Iterator[bytes]], T]
    ) -> T:
        if signed:
            response = self._signed("GET", url, None, headers, stream=True)
        else:
            response = self._exchange("GET", url, None, headers, None, stream=True)
        with response:
            if response.status_code != requests.codes.ok:
                hold(response)
                what = _answer(response, shown(url), ()).status
                raise FhirError(f"{shown(url)}: answered {what}, expected a file; export again")
            try:
                return keep(parts(response, _PART))
            except LOST as error:
                raise _lost(url, error) from None

    def _signed(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None, stream: bool = False
    ) -> requests.Response:
        authorization = self._authorization.header()
        response = self._exchange(method, url, body, headers, authorization, stream)
        if response.status_code == requests.codes.unauthorized:
            # A token that the server no longer takes, before its time; the next one is the last try.
            renewed = self._authorization.after_refusal(authorization)
            if renewed is not None:
                response.close()
                response = self._exchange(method, url, body, headers, renewed, stream)
        return response

    def _exchange(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        authorization: str | None,
        stream: bool = False,
    ) -> requests.Response:
        """One request and its answer, unless that is one that another attempt may mend."""
        with self._lock:
            self.requests_made += 1
        began = time.monotonic()
        try:
            # No redirects: they would turn a POST into a GET, and could lead the token elsewhere. What the session
            # knows of proxies and authorities would yield to the environment, what the request says does not.
            response = self._session.request(
                method,
                url,
                data=body,
                headers=headers,
                auth=AuthorizationHeader(authorization),
                timeout=self._source.timeout,
                allow_redirects=False,
                verify=self._verify,
                proxies=self._proxies,
                stream=stream,
            )
        except LOST as error:
            raise _lost(url, error) from None
        except requests.RequestException as error:
            raise FhirError(
                f"{shown(url)}: the request cannot be made ({type(error).__name__}); check base URL and proxy"
            ) from None
        if _LOG.isEnabledFor(logging.DEBUG):
            seconds = time.monotonic() - began
            _LOG.debug("%s %s: answered %d after %.3f s", method, shown(url), response.status_code, seconds)
        if response.status_code in _BUSY:
            wait = _retry_after(response.headers.get("Retry-After"))
            response.close()
            raise _Busy(shown(url), f"answered {response.status_code}", wait)
        return response


class _Busy(Exception):
    """Worth another attempt, after `wait` seconds if the server said so; `where` may be the token endpoint."""

    def __init__(self, where: str, what: str, wait: float | None = None, remedy: str = NOT_RUNNING) -> None:
        super().__init__(what)
        self.where = where
        self.wait = wait
        self.remedy = remedy


class _GaveUp(Exception):
    """Every attempt was in vain."""


def _lost(url: str, error: requests.RequestException) -> Exception:
    loss = loss_of(error)
    if loss.lasting:
        return FhirUnreachable(f"{shown(url)}: {loss.what}, expected an answer; {loss.remedy}")
    return _Busy(shown(url), loss.what, remedy=loss.remedy)


def _trusted(ca_file: str | None) -> str | None:
    """The file of authorities, if it can be used; None means the usual ones. Raises FhirError."""
    if ca_file is not None:
        try:
            ssl.create_default_context(cafile=ca_file)
        except OSError:  # ssl.SSLError is one
            raise FhirError(f"{ca_file}: not usable, expected certificates as PEM; give another CA file") from None
    return ca_file


def _answer(
    response: requests.Response, url: str, accept: Collection[int], read: Callable[[bytes], Any] = json_object
) -> Answer:
    status = response.status_code
    if status in (401, 403):
        raise FhirRefused(f"{url}: answered {status}, expected access; check the sign-in and what it allows")
    if 300 <= status < 400:
        raise FhirError(f"{url}: answered {status}, expected FHIR; give the base URL that it redirects to")
    # An error is read as it comes: what it says is not what was asked for.
    body = (read if status < 400 else json_object)(response.content)
    issue = _issue(body) if status >= 400 else ""
    complaint = f"{url}: answered {status}{issue}, expected success; check the base URL and the server's log"
    if status >= 400 and status not in accept:
        raise FhirError(complaint)
    if body is None and status < 400 and status not in accept:
        kind = response.headers.get("Content-Type", "nothing").partition(";")[0]
        if "json" in kind and is_cut(response.content):
            raise _Busy(url, "broke off its JSON")
        if "json" in kind:
            raise FhirError(f"{url}: answered what is no JSON object, expected FHIR as JSON; check the server")
        what = kind if _CONTENT_TYPE.fullmatch(kind) else "something"
        raise FhirError(f"{url}: answered {what}, expected FHIR as JSON; check the base URL")
    return Answer(url, status, body or {}, complaint, response.headers)


def _issue(body: dict[str, Any] | None) -> str:
    """The code of an OperationOutcome's first issue; its text may name patients."""
    issues = (body or {}).get("issue")
    first = issues[0] if isinstance(issues, list) and issues and isinstance(issues[0], dict) else {}
    return f" ({issue_code(first)})" if "code" in first else ""


def error_codes(issues: Any) -> list[str]:
    """The codes of an OperationOutcome's issues that are errors; the others are warnings and hints."""
    return [issue_code(issue) for issue in dicts(issues) if issue.get("severity") in ("error", "fatal")]


def issue_code(issue: Mapping[str, Any]) -> str:
    """The code of an issue if it is one of R4's; a server may write anything there."""
    code = issue.get("code")
    return code if isinstance(code, str) and _ISSUE_CODE.fullmatch(code) else "a code that R4 does not know"


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait, from either form of the header; None if it says nothing usable."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # a year of twenty digits
        return None
    now = datetime.now(UTC) if until.tzinfo else datetime.now(UTC).replace(tzinfo=None)
    return max(0.0, (until - now).total_seconds())
