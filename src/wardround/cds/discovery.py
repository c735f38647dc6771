"""The services of the door: one for each condition and hook, as `GET /cds-services` lists them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import orjson

from wardround.cds.templates import templates
from wardround.escaping import markdown
from wardround.spec.conditions import Condition
from wardround.spec.servers import ServerProfile

PATIENT_VIEW: Final = "patient-view"
# Of CDS Hooks, which the services keep to; not of a condition or of Wardround.
SPECIFICATION: Final = "2.0.1"
_WHEN: Final = {
    PATIENT_VIEW: "when a chart is opened",
    "encounter-start": "when an encounter begins",
    "encounter-discharge": "before a discharge",
    "order-select": "when an order is chosen",
}


@dataclass(frozen=True)
class Service:
    """One service: a condition on one hook, for EHRs of one kind; its id belongs to no other service."""

    id: str
    hook: str
    condition: Condition
    profile: ServerProfile

    @cached_property
    def prefetch(self) -> dict[str, str]:
        """The prefetch templates by their keys."""
        return templates(self.condition, self.profile)

    def described(self) -> dict[str, Any]:
        """Returns the service as discovery lists it."""
        return {
            "hook": self.hook,
            "title": f"{self.condition.title} risk, {_WHEN[self.hook]}",
            # CDS Hooks has Markdown here.
            "description": markdown(self.condition.description),
            "id": self.id,
            "version": SPECIFICATION,
            "usageRequirements": "For patients in intensive care. Adjunct only: never the sole basis of a decision.",
            "prefetch": self.prefetch,
        }


def services_of(conditions: Iterable[Condition], profile: ServerProfile) -> dict[str, Service]:
    """Returns all services by their id."""
    return {one.id: one for condition in conditions for one in _of_condition(condition, profile)}


def _of_condition(condition: Condition, profile: ServerProfile) -> Iterable[Service]:
    yield Service(f"{condition.id}-risk", PATIENT_VIEW, condition, profile)
    for hook in condition.bedside.hooks:
        # Some clients know services by their id alone, so that no two hooks may share one.
        yield Service(f"{condition.id}-{hook}", hook, condition, profile)


def listed(services: Mapping[str, Service]) -> bytes:
    """Returns the body of the answer to `GET /cds-services`."""
    return orjson.dumps({"services": [one.described() for one in services.values()]})
