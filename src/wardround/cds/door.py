"""The bedside door as one function, `answer`: HTTP, the sandbox and the tests all call it.

It sees patient values; it never logs.
"""

from dataclasses import dataclass
from typing import Final, Self

from wardround.cds.discovery import Service, listed, services_of
from wardround.cds.exchange import Answer, Request
from wardround.cds.problems import Problem
from wardround.settings import Settings
from wardround.spec.loading import load_conditions

_DISCOVERY: Final = "/cds-services"


@dataclass(frozen=True)
class Door:
    """Everything that answers have in common, prepared once for a process."""

    services: dict[str, Service]
    discovery: bytes

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Prepares the door for all conditions. Raises SpecError if one of them is invalid."""
        services = services_of(load_conditions(settings.schemas).values())
        return cls(services, listed(services))

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
