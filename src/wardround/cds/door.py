"""The bedside door as one function, `answer`: HTTP, the sandbox and the tests all call it.

It sees patient values; it never logs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self

from wardround.adapters.models.store import ModelStore
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.cds.answering import RETRY_AFTER, Means, answer_call
from wardround.cds.discovery import PATIENT_VIEW, Service, listed, services_of
from wardround.cds.exchange import Answer, Request
from wardround.cds.feedback import feedback_in
from wardround.cds.keeping import Keeping, KeepsNothing
from wardround.cds.problems import Problem
from wardround.cds.reading import Reader
from wardround.cds.screened import Ledgers
from wardround.cds.servers import Servers
from wardround.cds.warm_up import warm_up_call
from wardround.errors import DatabaseError, ModelError, StorageError, named
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.loading import load_conditions
from wardround.spec.servers import GENERIC, ServerProfile
from wardround.workflows.live_models import Live
from wardround.workflows.stores import model_store

SERVICES: Final = "/cds-services"
_PAGE: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Door:
    """What all answers have in common, prepared once for a process; `answer` may be called by several threads."""

    services: dict[str, Service]
    discovery: bytes
    store: ModelStore
    means: Means
    servers: Servers

    @classmethod
    def of(
        cls,
        settings: Settings,
        keeping: Keeping,
        *,
        servers: Sequence[FhirEndpoint] = (),
        profile: ServerProfile = GENERIC,
        base_url: str = "",
        as_of: datetime | None = None,
    ) -> Self:
        """Prepares the door for all conditions, and loads their live models.

        Args:
            settings: of the installation.
            keeping: where calls, notifications and feedback are kept.
            servers: the FHIR servers that a call's `fhirServer` may name; no other is ever asked.
            profile: the kind of EHR that is asked for prefetch.
            base_url: of the door, for links to model cards; empty if nobody reaches it from outside.
            as_of: the prediction time of all calls, for tests, sandbox and playback; None: when each arrives.

        Raises:
            SpecError: a condition is invalid.
            StorageError: the folder of Wardround's files cannot be used.
        """
        conditions, store = load_conditions(settings.schemas), model_store(settings)
        services = services_of(conditions.values(), profile)
        live = Live(store, conditions)
        live.look()
        listed_servers = Servers.of(settings, servers)
        asked = {one.condition.id: one.prefetch for one in services.values()}
        means = Means(
            live=live,
            readers={
                key: Reader(one, asked[key], listed_servers, Ledgers(settings.runs, key))
                for key, one in conditions.items()
            },
            keeping=keeping,
            pseudonyms=Pseudonyms.in_folder(settings.var),
            base_url=base_url.rstrip("/"),
            as_of=as_of,
        )
        return cls(services, listed(services), store, means, listed_servers)

    @contextmanager
    def watched(self) -> Iterator[Self]:
        """Notices promotions and suspensions within a second, until the block ends."""
        with self.means.live.watched():
            yield self

    def warm_up(self, now: datetime) -> None:
        """Answers a call of a patient who does not exist, for each condition, and keeps nothing of it."""
        means = replace(self.means, keeping=KeepsNothing())
        for service in self.services.values():
            if service.hook == PATIENT_VIEW:
                icu = service.condition.cohort.encounters or self.servers.source_of(None).icu
                body = warm_up_call(service, self.means.as_of or now, icu)
                answer_call(service, Request("POST", f"{SERVICES}/{service.id}", now, body), means)

    def answer(self, request: Request) -> Answer:
        """Returns the answer to a request; it never raises for what a request says."""
        try:
            return self._answer(request)
        except Problem as problem:
            return problem.answer()

    def _answer(self, request: Request) -> Answer:
        match request.path.strip("/").split("/"):
            case ["cds-services"]:
                _require_method(request, "GET")
                return Answer(200, self.discovery)
            case ["cds-services", service]:
                known = self._service(service)
                _require_method(request, "POST")
                return answer_call(known, request, self.means)
            case ["cds-services", service, "feedback"]:
                known = self._service(service)
                _require_method(request, "POST")
                return self._heard(known, request)
            case ["model-cards", condition, version]:
                _require_method(request, "GET")
                return self._model_card(condition, version)
        raise Problem(404, f"there is nothing at this path; GET {SERVICES} lists the services")

    def _service(self, key: str) -> Service:
        if key not in self.services:
            raise Problem(404, f"there is no service of this id; GET {SERVICES} lists them")
        return self.services[key]

    def _heard(self, service: Service, request: Request) -> Answer:
        """Keeps feedback; feedback on cards that are not known is taken, too, and counted apart."""
        given = feedback_in(request.body)
        try:
            with request.while_waiting():
                heard = self.means.keeping.heard(given, service.condition.id, request.arrived)
        except (DatabaseError, StorageError) as error:
            later = Problem(503, "feedback cannot be kept at the moment; send it again later", RETRY_AFTER)
            return replace(later.answer(), fault=named(error))
        return Answer(200, b"", heard=heard)

    def _model_card(self, condition: str, version: str) -> Answer:
        try:
            return Answer(200, self.store.page(condition, version).encode(), headers=_PAGE)
        except (ModelError, StorageError):
            raise Problem(404, "there is no model card of this version") from None


def _require_method(request: Request, method: str) -> None:
    if request.method != method:
        raise Problem(405, f"this path takes {method} only", {"Allow": method})
