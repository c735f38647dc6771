"""The FHIR server of each source: how it is reached for one piece of work, and whether a failure is its own.

Nothing is kept of a server but its profile: whoever asks next must find out anew whether it answers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self, TypeVar

from wardround.adapters.queue.message import LATER, Done, Message
from wardround.errors import DatabaseError, FhirError, StorageError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.fhir.patience import Patience
from wardround.fhir.profiles import fit_of, with_profile
from wardround.settings import Settings
from wardround.spec.stream import StreamSettings
from wardround.stream.stage import StageStopped
from wardround.workflows.servers import server_at

# A connection that was kept open may have been closed; the stage itself is what waits for a server that is down.
_RETRIES: Final = 1
_OTHERS_FIRST: Final = timedelta(seconds=15)
"""How long the messages of a source wait whose server is down, while those of other sources are handled."""
_NOBODY: Final = "wardround-nobody"

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Servers:
    """The servers.

    Attributes:
        by_source: the server that each source's patients are read from, with where its results go.
        schemas: where the server profiles are, for a server whose profile is to be recognised.
    """

    by_source: Mapping[str, FhirEndpoint]
    schemas: Path
    _suited: dict[str, FhirEndpoint] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, stream: StreamSettings, settings: Settings) -> Self:
        """Returns the servers that the sources name. Raises FhirError or SpecError."""
        by_source = {name: server_at(source.fhir, settings) for name, source in stream.sources.items()}
        return cls(by_source, settings.schemas)

    def has(self, source: str) -> bool:
        """Returns whether there is a source of this name."""
        return source in self.by_source

    def later(self, message: Message, why: StageStopped, now: datetime) -> Done:
        """Returns that a message waits while those of other sources are handled; raises `why` if there are none."""
        if len(self.by_source) == 1:
            raise why
        return Done(message, LATER, why.reason, due=now + _OTHERS_FIRST, counts=False)

    @contextmanager
    def client(self, source: str) -> Iterator[FhirClient]:
        """Gives a connection to the server of a source. Raises StageStopped if it cannot be recognised."""
        if source not in self._suited:
            self._suited[source] = self._recognised(self.by_source[source])
        with FhirClient(self._suited[source], None, Patience(_RETRIES)) as client:
            yield client

    def _recognised(self, source: FhirEndpoint) -> FhirEndpoint:
        taker = self._recognised(source.write_to) if source.write_to else None
        source = replace(source, write_to=taker)
        if not source.recognise:
            return source
        alone = replace(source, write_to=None, map_by_identifier=False)
        try:
            with FhirClient(alone, None, Patience(_RETRIES)) as client:
                fit = fit_of(client, self.schemas).profile
        except FhirError as error:
            raise stopped(source, error) from None
        return with_profile(source, fit)


def stopped(source: FhirEndpoint, error: FhirError) -> StageStopped:
    """Returns what stops a stage because of this server; it names the server and the kind of error alone."""
    return StageStopped(f"{shown(source.base_url)}: {type(error).__name__}")


def each_alone(
    client: FhirClient, items: Sequence[T], work: Callable[[Sequence[T]], Sequence[R]]
) -> list[R | Exception]:
    """Returns what `work` makes of each item, done for all together; for one whose data break it, the exception.

    If the work fails, it is done for half of the items and then for the rest, down to the one that breaks it. Raises
    StageStopped if it is the server that fails, which is so if it cannot even be asked for nobody; StorageError or
    DatabaseError as `work` does.
    """
    if not items:
        return []
    try:
        return list(work(items))
    except (StorageError, DatabaseError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever one patient's data may break, the others go on
        if isinstance(error, FhirError):
            require_server(client, error)
        if len(items) == 1:
            return [error]
    middle = len(items) // 2
    return [*each_alone(client, items[:middle], work), *each_alone(client, items[middle:], work)]


def require_server(client: FhirClient, error: FhirError) -> None:
    """Raises StageStopped if the server, or the one that takes its results, cannot even be asked for nobody."""
    try:
        list(client.search("Patient", {"_id": [_NOBODY]}))
        if client.results is not client:
            list(client.results.search("RiskAssessment", {"_id": [_NOBODY]}))
    except FhirError:
        raise stopped(client.source, error) from None
