"""A request to a server, which may be sent several times."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from wardround.fhir.endpoint import shown
from wardround.fhir.json_object import json_object


@dataclass(frozen=True)
class Request:
    """A request, and how its answer is read.

    Attributes:
        accept: statuses of refusals that the caller can handle.
        read: decodes the body of a success, into a dict or something else; None if it is broken.
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
        """Returns the URL without what messages must not show."""
        return shown(self.url)
