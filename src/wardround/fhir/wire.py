"""Limits what one answer may cost, whatever the server does: time on the line, bytes, and their unpacked size.

A timeout of requests limits each wait for the next byte. A server that sends one now and then would be read forever,
and three megabytes of gzip can hold gigabytes.
"""

import math
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import Any, ClassVar, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, ProtocolError, ReadTimeoutError, SSLError

from wardround.errors import FhirError
from wardround.fhir.endpoint import shown

WAITS: Final = 4  # times the timeout: how long to wait for one answer in all
SLOWEST: Final = 16 * 2**10  # bytes a second of a body; at this rate or faster, waiting has no limit
MOST: Final = 256 * 2**20  # bytes of an answer that is held whole; a page of 10,000 resources leaves 25 KB for each
_FREE: Final = 64 * 2**20  # bytes that may be unpacked from however few
_RATIO: Final = 200  # NDJSON of one ward is packed 20 to 60 times; zeros 1,000 times
_PART: Final = 2**24


class TooSlow(TimeoutError):
    """An answer that arrived, but not within the total time it had."""


class _Watched(RawIOBase):
    """The bytes of a connection, limited by the time spent waiting for them.

    Time spent processing them does not count. The bytes of a body give time back, so that a long body that comes fast
    enough may take as long as it needs.
    """

    _gives_back = True

    def __init__(self, raw: Any, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._raw = raw
        self._clock = clock
        self._whole = self._left = WAITS * timeout
        self.in_body = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._left <= 0:
            raise TooSlow
        began = self._clock()
        read: int | None = self._raw.readinto(buffer)
        self._left -= self._clock() - began
        if read and self.in_body and self._gives_back:
            self._left = min(self._whole, self._left + read / SLOWEST)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Hurried(_Watched):
    """The same, where the whole answer must be there within the timeout, however fast it comes."""

    _gives_back = False

    def __init__(self, raw: Any, sock: socket.socket, timeout: float) -> None:
        super().__init__(raw, timeout)
        self._sock = sock
        self._left = timeout

    def readinto(self, buffer: Any) -> int | None:
        if self._left > 0:
            self._sock.settimeout(self._left)
        return super().readinto(buffer)


class _WatchedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._watched = self._watching(self.fp.detach(), sock)
        self.fp = BufferedReader(self._watched)

    def _watching(self, raw: Any, sock: socket.socket) -> _Watched:
        return _Watched(raw, sock.gettimeout() or math.inf)

    def begin(self) -> None:
        super().begin()
        self._watched.in_body = True


class _HurriedResponse(_WatchedResponse):
    def _watching(self, raw: Any, sock: socket.socket) -> _Watched:
        return _Hurried(raw, sock, sock.gettimeout() or math.inf)


def _pools_of(kind: type[_WatchedResponse]) -> dict[str, type[HTTPConnectionPool]]:
    """Returns, by scheme, pools of connections whose responses are of this kind."""

    class Connection(HTTPConnection):
        response_class = kind

    class TlsConnection(HTTPSConnection):
        response_class = kind

    class Connections(HTTPConnectionPool):
        ConnectionCls = Connection

    class TlsConnections(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": Connections, "https": TlsConnections}


class WholeAnswers(HTTPAdapter):
    """requests' own adapter with limits on answers, and reading those that are not streamed in one go.

    requests reads them 10 KiB at a time, which takes three times as long and, for pages of several megabytes, half as
    long as parsing them.
    """

    _pools: ClassVar = _pools_of(_WatchedResponse)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # which has its own connections
            manager.pool_classes_by_scheme = self._pools
        return manager

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        response = super().send(request, stream, timeout, verify, cert, proxies)
        if response.is_redirect:
            # Redirects are not followed, but requests would read the whole body and the address to be able to.
            del response.headers["Location"]
        if not stream:
            hold(response)
        return response


class HurriedAnswers(WholeAnswers):
    """The same, where the time-out of a request is that of its whole answer."""

    _pools: ClassVar = _pools_of(_HurriedResponse)


def hold(response: requests.Response) -> None:
    """Reads the body into `response.content`.

    Raises FhirError for a body that is too large, and what requests raises if it breaks off.
    """
    held, size = [], 0
    for part in parts(response, _PART):
        held.append(part)
        size += len(part)
        if size > MOST:
            raise _refused(
                response, f"answered with more than {MOST >> 20} MiB, expected smaller pages; set a smaller page size"
            )
    response._content = b"".join(held)


def parts(response: requests.Response, size: int) -> Iterator[bytes]:
    """Yields the unpacked body, `size` bytes at a time.

    Raises FhirError if it unpacks to too much, and what requests raises if it breaks off.
    """
    raw, unpacked = response.raw, 0
    while part := _read(response, size):
        unpacked += len(part)
        if unpacked > _FREE and unpacked > _RATIO * raw.tell():
            raise _refused(
                response,
                f"decompresses to more than {_RATIO} times its size, expected resources; check what compresses it",
            )
        yield part


def _read(response: requests.Response, size: int) -> bytes:
    # urllib3 copies what it unpacks, even if there is nothing to unpack.
    packed = "Content-Encoding" in response.headers
    try:
        part: bytes = response.raw.read(size, decode_content=packed)
    except DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except (ReadTimeoutError, SSLError) as error:
        raise requests.ConnectionError(error) from error
    except ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    return part


def _refused(response: requests.Response, what: str) -> FhirError:
    response.close()
    return FhirError(f"{shown(str(response.url))}: {what}")
