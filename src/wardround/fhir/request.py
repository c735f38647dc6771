"""One request to a server, which may be sent several times."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from wardround.fhir.endpoint import shown
from wardround.fhir.json_object import json_object


@dataclass(frozen=True)
class Request:
    """A request, and how its answer is read.

    Attributes:
        accept: statuses of refusals that the caller can use.
        read: makes something else than a dict of the body of a success, and None of one that is broken.
        stream: whether the body is read part by part.
    """

    method: str
    url: str
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    accept: Collection[int] = ()
    read: Callable[[bytes], Any] = json_object
    stream: bool = False

    @property
    def where(self) -> str:
        """The URL without what a message must not show."""
        return shown(self.url)
