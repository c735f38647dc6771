"""Speaks to a CDS Hooks service over HTTP: discovery and calls, signed if there is a key; measures how long it takes.

It sees patient values; it never logs.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import requests

from wardround.demo.sandbox.rules import broken
from wardround.demo.sandbox.signing import Signer
from wardround.errors import WardroundError

_SECONDS: Final = 30
_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True)
class Service:
    """A service as its discovery describes it."""

    id: str
    hook: str
    prefetch: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What a service answered: status (0 if nothing came), JSON (None if it is none), time, and rules it breaks."""

    status: int
    content: Any
    milliseconds: float
    broken: tuple[str, ...]

    @property
    def found(self) -> dict[str, Any]:
        """The content, if it is a JSON object; empty if it is anything else."""
        return self.content if isinstance(self.content, dict) else {}


@dataclass(frozen=True)
class Services:
    """The services under a base URL. It may be used by several threads."""

    base_url: str
    signer: Signer | None = None
    session: requests.Session = field(default_factory=requests.Session, compare=False)

    def discovered(self) -> tuple[list[Service], Answer]:
        """Returns the services that can be called, and the answer to discovery with the rules that it breaks.

        Raises WardroundError if nothing can be called.
        """
        answer = self._asked("GET", self._url())
        listed = answer.found.get("services")
        if answer.status != 200 or not isinstance(listed, list):
            got = f"status {answer.status}" if answer.status else "no answer"
            raise WardroundError(
                f"{self._url()}: got {got}, expected a list of services; check that the service runs, its URL and, if"
                " it wants tokens, --key and --issuer"
            )
        return [found for one in listed if (found := _service(one))], answer

    def called(self, service: Service, body: bytes) -> Answer:
        """Returns what the service answers to a hook request."""
        return self._asked("POST", self._url(service.id), body)

    def _url(self, *parts: str) -> str:
        return "/".join([self.base_url.rstrip("/").removesuffix("/cds-services"), "cds-services", *parts])

    def _asked(self, method: str, url: str, body: bytes | None = None) -> Answer:
        headers = {**_JSON, **(self.signer.header(url) if self.signer else {})}
        begun = time.perf_counter()
        try:
            answer = self.session.request(
                method, url, data=body, headers=headers, timeout=_SECONDS, allow_redirects=False
            )
        except requests.RequestException:
            return Answer(0, None, _since(begun), ("no answer",))
        took = _since(begun)
        try:
            content = orjson.loads(answer.content) if answer.content else None
        except orjson.JSONDecodeError:
            return Answer(answer.status_code, None, took, ("the body is not JSON",))
        kind = "services" if method == "GET" else "answer"
        rules = broken(kind, content) if answer.status_code == 200 else ()
        return Answer(answer.status_code, content, took, tuple(rules))


def _service(described: Any) -> Service | None:
    """Returns a service; None if it lacks what a call needs."""
    known = described if isinstance(described, dict) else {}
    key, hook, asked = known.get("id"), known.get("hook"), known.get("prefetch")
    if not (isinstance(key, str) and isinstance(hook, str)):
        return None
    templates = asked if isinstance(asked, dict) else {}
    return Service(key, hook, {str(name): one for name, one in templates.items() if isinstance(one, str)})


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
