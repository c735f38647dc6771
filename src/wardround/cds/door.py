"""The bedside door as one function, `answer`: HTTP, the sandbox and the tests all call it.

It sees patient values; it never logs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from wardround.adapters.models.store import ModelStore
from wardround.cds.discovery import Service, listed, services_of
from wardround.cds.exchange import Answer, Request
from wardround.cds.live import Live
from wardround.cds.problems import Problem
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.loading import load_conditions
from wardround.spec.servers import GENERIC, ServerProfile

_DISCOVERY: Final = "/cds-services"


@dataclass(frozen=True)
class Door:
    """Everything that answers have in common, prepared once for a process; `answer` may be called by several threads.

    Attributes:
        servers: the FHIR servers that a call's `fhirServer` may name.
        base_url: of the door itself, without a slash at its end; empty if nobody reaches it from outside.
        as_of: the prediction time of all calls, for tests, sandbox and playback; None: when each arrives.
    """

    services: dict[str, Service]
    discovery: bytes
    live: Live
    servers: tuple[FhirEndpoint, ...]
    base_url: str
    as_of: datetime | None

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        servers: Sequence[FhirEndpoint] = (),
        profile: ServerProfile = GENERIC,
        base_url: str = "",
        as_of: datetime | None = None,
    ) -> Self:
        """Prepares the door for all conditions, and loads their live models.

        `profile` says what kind of EHR is asked for prefetch. Raises SpecError if a condition is invalid.
        """
        conditions = load_conditions(settings.schemas)
        services = services_of(conditions.values(), profile)
        live = Live(ModelStore(settings.models), conditions)
        live.look()
        return cls(services, listed(services), live, tuple(servers), base_url, as_of)

    @contextmanager
    def watched(self) -> Iterator[Self]:
        """Notices promotions and suspensions within a second, until the block ends."""
        with self.live.watched():
            yield self

    def answer(self, request: Request) -> Answer:
        """Returns the answer to a request; it never raises for what a request says."""
        try:
            return self._answer(request)
        except Problem as problem:
            return problem.answer()

    def _answer(self, request: Request) -> Answer:
        if request.path == _DISCOVERY:
            _require_method(request, "GET")
            return Answer(200, self.discovery)
        raise Problem(404, f"there is nothing at this path; GET {_DISCOVERY} lists the services")


def _require_method(request: Request, method: str) -> None:
    if request.method != method:
        raise Problem(405, f"this path takes {method} only", {"Allow": method})
