"""What one answer may cost, whatever the server does: time on the line, bytes, and what they unpack to.

A time-out of requests bounds each wait for some byte. A server that sends one now and then would be read for ever, and
three megabytes of gzip can hold gigabytes.
"""

import math
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, ProtocolError, ReadTimeoutError, SSLError

from wardround.errors import FhirError
from wardround.fhir.endpoint import shown

WAITS: Final = 4  # times the time-out: how long one answer may be waited for in all
SLOWEST: Final = 16 * 2**10  # bytes a second of a body; who sends as much is waited for on and on
MOST: Final = 256 * 2**20  # bytes of an answer that is held whole; a page of 10,000 resources has 25 KB for each
_FREE: Final = 64 * 2**20  # bytes that may come out of however few
_RATIO: Final = 200  # NDJSON of one ward packs 20 to 60 times; zeros pack 1,000 times
_PART: Final = 2**24


class TooSlow(TimeoutError):
    """An answer that came, but not within the time that it had in all."""


class _Watched(RawIOBase):
    """The bytes of a connection, as long as the time lasts that is spent on waiting for them.

    What is done with them in between costs nothing. Those of a body give time back, so that what is long and comes
    fast enough may take as long as it needs.
    """

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
        if read and self.in_body:
            self._left = min(self._whole, self._left + read / SLOWEST)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _WatchedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._watched = _Watched(self.fp.detach(), sock.gettimeout() or math.inf)
        self.fp = BufferedReader(self._watched)

    def begin(self) -> None:
        super().begin()
        self._watched.in_body = True


class _Connection(HTTPConnection):
    response_class = _WatchedResponse


class _TlsConnection(HTTPSConnection):
    response_class = _WatchedResponse


class _Connections(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsConnections(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS: Final = {"http": _Connections, "https": _TlsConnections}


class WholeAnswers(HTTPAdapter):
    """requests' own adapter, but for its limits, and for answers that are not streamed: they are read at once.

    requests reads them 10 KiB at a time, which takes three times as long and, of pages of some megabytes, as long as
    half of parsing them.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # which has connections of its own
            manager.pool_classes_by_scheme = _POOLS
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
            # Nobody follows it, but requests would read its whole body and its address to be able to.
            del response.headers["Location"]
        if not stream:
            hold(response)
        return response


def hold(response: requests.Response) -> None:
    """Reads the body into `response.content`.

    Raises FhirError for one that is too large, and what requests raises where it breaks off.
    """
    held, size = [], 0
    for part in parts(response, _PART):
        held.append(part)
        size += len(part)
        if size > MOST:
            raise _refused(
                response, f"answered more than {MOST >> 20} MiB, expected pages of less; ask for a smaller page size"
            )
    response._content = b"".join(held)


def parts(response: requests.Response, size: int) -> Iterator[bytes]:
    """The body unpacked, `size` bytes at a time.

    Raises FhirError where it unpacks to too much, and what requests raises where it breaks off.
    """
    raw, unpacked = response.raw, 0
    while part := _read(response, size):
        unpacked += len(part)
        if unpacked > _FREE and unpacked > _RATIO * raw.tell():
            raise _refused(
                response, f"unpacks to more than {_RATIO} times its size, expected resources; check what compresses it"
            )
        yield part


def _read(response: requests.Response, size: int) -> bytes:
    # urllib3 copies what it unpacks, also where there is nothing to unpack.
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
