"""The FHIR servers that the door may read from, and the connection that one call may use until it is answered.

Only servers that are listed are ever asked, at their configured addresses: a call's `fhirServer` selects one of them.
The call's token is the only sign-in; it is neither kept nor logged, and not used once the client is closed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Final, Self
from urllib.parse import urlsplit

from wardround.cds.hook_request import HookRequest
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.fhir.configured import translation_in
from wardround.fhir.deadline import Deadline
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.fhir.profiles import fit_of, with_profile
from wardround.fhir.sign_in import BearerToken, is_private
from wardround.fhir.wire import HurriedAnswers
from wardround.settings import Settings
from wardround.spec.servers import ServerProfile

# A connection that was kept open may have been closed by the server; a second attempt opens another.
_RETRIES: Final = 1
_MOST_CONNECTIONS: Final = 32  # to one server that are kept open
_MOST_STRANGERS: Final = 64
_NOWHERE: Final = "https://unlisted.invalid"


class WhyNot(StrEnum):
    """Why nothing is read from the server of a call."""

    NO_SERVER = "no_server"
    NOT_LISTED = "not_listed"
    NO_TOKEN = "no_token"
    OTHER_PATIENT = "other_patient"  # the token is for somebody else
    NOT_PRIVATE = "not_private"  # neither https, nor on this machine or a plain host: the token would be readable
    REFUSED = "refused"  # 401 or 403
    UNREACHABLE = "unreachable"  # no usable answer in time
    FAILED = "failed"  # an answer that cannot be used


@dataclass(frozen=True)
class Servers:
    """The list.

    Attributes:
        listed: the servers that may be read.
        unlisted: how the data of any other server is understood; its base URL does not matter.
        schemas: where the server profiles are, for servers whose profile is to be recognised.
        seconds: how long all reading for one call may take together.
        plain_hosts: to which tokens may be sent over plain http.
    """

    listed: Sequence[FhirEndpoint]
    unlisted: FhirEndpoint
    schemas: Path
    seconds: float
    plain_hosts: Sequence[str] = ()
    _profiles: dict[str, ServerProfile] = field(default_factory=dict, init=False, compare=False)
    _connections: dict[str, HurriedAnswers] = field(default_factory=dict, init=False, compare=False)
    _strangers: dict[str, FhirEndpoint] = field(default_factory=dict, init=False, compare=False)
    _lock: Lock = field(default_factory=Lock, init=False, compare=False)

    @classmethod
    def of(cls, settings: Settings, listed: Sequence[FhirEndpoint]) -> Self:
        """Returns the list with what the settings say of other servers. Raises SpecError for a wrong source map."""
        unlisted = FhirEndpoint(
            _NOWHERE,
            icu_classes=settings.icu_classes,
            icu_locations=settings.icu_locations,
            aliases=settings.fhir_aliases,
            translation=translation_in(settings.source_map, settings.schemas),
        )
        return cls(tuple(listed), unlisted, settings.schemas, settings.bedside_seconds, settings.bedside_plain_hosts)

    def source_of(self, url: str | None) -> FhirEndpoint:
        """Returns the server that a call's `fhirServer` names, with its codes, units and stays.

        For a server that is not listed, it has that server's address. A call that names none is from the one server
        that is listed, if it is the only one.
        """
        if url is None:
            return self.listed[0] if len(self.listed) == 1 else self.unlisted
        return self._listed_at(url) or self._stranger_at(url)

    def has(self, url: str | None) -> bool:
        """Returns whether this is the URL of a listed server."""
        return url is not None and self._listed_at(url) is not None

    def why_not(self, call: HookRequest) -> WhyNot | None:
        """Returns why nothing may be read for a call; None if something may."""
        if call.fhir_server is None:
            return WhyNot.NO_SERVER
        source = self._listed_at(call.fhir_server)
        if source is None:
            return WhyNot.NOT_LISTED
        if _token_of(call) is None:
            return WhyNot.NO_TOKEN
        if _is_for_another(call):
            return WhyNot.OTHER_PATIENT
        return None if self._takes_tokens(source.base_url) else WhyNot.NOT_PRIVATE

    @contextmanager
    def client_for(self, call: HookRequest) -> Iterator[FhirClient]:
        """Gives a client that signs in with the call's token, if `why_not` says nothing. Raises FhirError."""
        source = self.source_of(call.fhir_server)
        deadline = Deadline(self._connections_to(source), self.seconds)
        patience = Patience(_RETRIES, pause=deadline.pause)
        asked = replace(source, sign_in=_token_of(call), threads=1, write_to=None, map_by_identifier=False)
        with FhirClient(self.suited(asked, deadline, patience), deadline, patience) as client:
            yield client

    def _takes_tokens(self, url: str) -> bool:
        return is_private(url) or urlsplit(url).hostname in self.plain_hosts

    def _listed_at(self, url: str) -> FhirEndpoint | None:
        return next((source for source in self.listed if source.bases.have(url)), None)

    def _stranger_at(self, url: str) -> FhirEndpoint:
        if url not in self._strangers:
            try:
                stranger = replace(self.unlisted, base_url=url)
            except FhirError:
                return self.unlisted
            if len(self._strangers) >= _MOST_STRANGERS:
                self._strangers.clear()
            self._strangers[url] = stranger
        return self._strangers[url]

    def _connections_to(self, source: FhirEndpoint) -> HurriedAnswers:
        with self._lock:
            return self._connections.setdefault(source.base_url, HurriedAnswers(pool_maxsize=_MOST_CONNECTIONS))

    def suited(self, source: FhirEndpoint, deadline: Deadline, patience: Patience) -> FhirEndpoint:
        """Returns the server with its profile, which is recognised once and then known. Raises FhirError."""
        if not source.recognise:
            return source
        if source.base_url not in self._profiles:
            with FhirClient(source, deadline, patience) as client:
                fit = fit_of(client, self.schemas).profile
            self._profiles[source.base_url] = fit
        return with_profile(source, self._profiles[source.base_url])


def _is_for_another(call: HookRequest) -> bool:
    """Returns whether the call's token names another patient than the call: what it reads would look like nothing."""
    given = call.fhir_authorization
    return given is not None and given.patient not in (None, call.context.patient_id)


def _token_of(call: HookRequest) -> BearerToken | None:
    """Returns the call's token; None if it has none, or one that cannot be a token or has expired."""
    given = call.fhir_authorization
    if given is None or given.expires_in <= 0:
        return None
    try:
        return BearerToken(given.access_token)
    except FhirError:
        return None
