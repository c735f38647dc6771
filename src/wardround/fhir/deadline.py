"""Limits the time that several requests take together, for callers who must answer somebody who waits."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3 import Timeout

from wardround.fhir.wire import HurriedAnswers


class Deadline(BaseAdapter):
    """Sends requests over connections that others use too, until the time is up; then each fails as timed out.

    Args:
        connections: keeps the connections open from one caller to the next.
        seconds: how long all the requests may take together, from now on.
        clock: seconds that only increase.
    """

    def __init__(
        self, connections: HurriedAnswers, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._connections = connections
        self._clock = clock
        self._until = clock() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(0.0, self._until - self._clock())

    def pause(self, seconds: float) -> None:
        """Waits; ends at once if there is not so much time left, as nothing would come of waiting."""
        if seconds < self.left:
            time.sleep(seconds)
        else:
            self._until = self._clock()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,  # noqa: ARG002 - what is left takes its place
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        left = self.left
        if left <= 0:
            raise requests.Timeout("the time is up", request=request)
        return self._connections.send(request, stream, Timeout(total=left), verify, cert, proxies)

    def close(self) -> None:
        """Leaves the connections open."""
