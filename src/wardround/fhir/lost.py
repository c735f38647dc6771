"""Turns an exception of requests into one of ours that says why no complete answer came, and what to do."""

import errno
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import BadStatusLine
from typing import Final

import requests
from urllib3.exceptions import ConnectTimeoutError, DecodeError, NameResolutionError, ProxyError, ReadTimeoutError

from wardround.errors import FhirUnreachable
from wardround.fhir.endpoint import shown
from wardround.fhir.wire import TooSlow

LOST: Final = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
"""What requests raises if no complete answer came."""

_NOT_RUNNING: Final = "check that the server is running"
_UNREACHABLE: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
# https://docs.openssl.org/3.0/man1/openssl-verification-options/, as X509_V_ERR_… in x509_vfy.h
_NOT_YET, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64
# OpenSSL's names for an answer that is not TLS at all.
_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")


@dataclass(frozen=True)
class Loss:
    """What happened, and the remedy; `lasting` if asking again would not help."""

    what: str
    remedy: str
    lasting: bool = False


class Busy(Exception):
    """Worth another attempt, after `wait` seconds if the server gave a time; `where` may be the token endpoint."""

    def __init__(self, where: str, what: str, wait: float | None = None, remedy: str = _NOT_RUNNING) -> None:
        super().__init__(what)
        self.where = where
        self.wait = wait
        self.remedy = remedy


def lost(url: str, error: requests.RequestException) -> Exception:
    """Returns the exception to raise in place of one of requests: FhirUnreachable if another attempt would not help."""
    loss = loss_of(error)
    if loss.lasting:
        return FhirUnreachable(f"{shown(url)}: {loss.what}, expected an answer; {loss.remedy}")
    return Busy(shown(url), loss.what, remedy=loss.remedy)


def loss_of(error: requests.RequestException) -> Loss:
    """Returns the cause that a person can fix, wherever the libraries keep it in the exception."""
    causes = list(_causes(error))
    found = next((loss for rule, loss in _RULES for cause in causes if rule(cause)), None)
    if found is None:
        return Loss(f"no complete answer ({type(error).__name__})", _NOT_RUNNING)
    if any(isinstance(cause, ProxyError) for cause in causes):
        return Loss(f"cannot get through the proxy: {found.what}", f"for the proxy: {found.remedy}", found.lasting)
    return found


def _causes(error: BaseException) -> Iterator[BaseException]:
    ahead: list[object] = [error]
    seen: set[int] = set()
    while ahead:
        one = ahead.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            ahead += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def _is(*kinds: type[BaseException]) -> Callable[[BaseException], bool]:
    return lambda cause: isinstance(cause, kinds)


def _certificate(*codes: int) -> Callable[[BaseException], bool]:
    return lambda cause: isinstance(cause, ssl.SSLCertVerificationError) and (not codes or cause.verify_code in codes)


def _tls(*reasons: str) -> Callable[[BaseException], bool]:
    return lambda cause: isinstance(cause, ssl.SSLError) and cause.reason in reasons


def _is_unreachable(cause: BaseException) -> bool:
    return isinstance(cause, OSError) and cause.errno in _UNREACHABLE


def _closed_tunnel(cause: BaseException) -> bool:
    """Returns whether http.client reports that a proxy refused the tunnel; only the text tells."""
    return type(cause) is OSError and str(cause).startswith("Tunnel connection failed")


# The first match counts: to the libraries, a host name that cannot be resolved is also a connection timeout.
_RULES: Final[list[tuple[Callable[[BaseException], bool], Loss]]] = [
    (
        _is(NameResolutionError),
        Loss("the host name does not resolve", "check the host name, and this machine's DNS"),
    ),
    (
        _is(ConnectionRefusedError),
        Loss("nothing is listening on the port", f"{_NOT_RUNNING}, and the port"),
    ),
    (_is_unreachable, Loss("its network cannot be reached", "check the address and the way there (VPN, routes)")),
    (
        _closed_tunnel,
        Loss("the tunnel was refused", "check the password and the permissions"),
    ),
    (
        _is(ConnectTimeoutError),
        Loss("the connection timed out", "check the host, the port and the way there (firewall, VPN)"),
    ),
    (
        _certificate(_OTHER_HOST, _OTHER_ADDRESS),
        Loss("its certificate is for another host", "use the host name in the certificate", lasting=True),
    ),
    (
        _certificate(_EXPIRED, _NOT_YET),
        Loss(
            "its certificate is not valid today",
            "renew it at the server, or check this machine's clock",
            lasting=True,
        ),
    ),
    (
        _certificate(),
        Loss("its certificate is not trusted", "set the CA file of its issuer", lasting=True),
    ),
    (_tls(*_NO_TLS), Loss("the port does not speak TLS", "check scheme and port: http or https", lasting=True)),
    (
        _is(ssl.SSLEOFError, ssl.SSLZeroReturnError),
        Loss("no complete answer (the TLS connection was cut off)", _NOT_RUNNING),
    ),
    (
        _is(ssl.SSLError),
        Loss(
            "the TLS handshake failed",
            "check which TLS versions it supports, and whether it requires a client certificate",
        ),
    ),
    (
        _is(TooSlow),
        Loss("no complete answer (it arrived too slowly)", "check the server's load and the connection to it"),
    ),
    (
        _is(ReadTimeoutError),
        Loss("no complete answer (nothing arrived in time)", "check the server's load, or request less at once"),
    ),
    (
        _is(DecodeError),
        Loss("no complete answer (it cannot be decompressed)", "check what compresses it, such as a proxy"),
    ),
    (
        lambda cause: type(cause) is BadStatusLine,  # by its class, a closed connection is one too
        Loss("the answer is not HTTP", "check scheme and port: http or https"),
    ),
]
