"""The services of the door: one for each condition and hook, as `GET /cds-services` lists them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from wardround.spec.conditions import Condition

PATIENT_VIEW: Final = "patient-view"
# Of CDS Hooks, which the services keep to; not of a condition or of Wardround.
SPECIFICATION: Final = "2.0.1"


@dataclass(frozen=True)
class Service:
    """One service: a condition on one hook, with an id of its own."""

    id: str
    hook: str
    condition: Condition

    def described(self) -> dict[str, Any]:
        """Returns the service as discovery lists it."""
        return {
            "hook": self.hook,
            "title": f"{self.condition.title} risk",
            "description": self.condition.description,
            "id": self.id,
            "version": SPECIFICATION,
        }


def services_of(conditions: Iterable[Condition]) -> dict[str, Service]:
    """Returns all services by their id."""
    return {f"{one.id}-risk": Service(f"{one.id}-risk", PATIENT_VIEW, one) for one in conditions}


def listed(services: Mapping[str, Service]) -> bytes:
    """Returns the body of the answer to `GET /cds-services`."""
    return orjson.dumps({"services": [one.described() for one in services.values()]})
