"""Serves the door in one process: prepares it, warms it up, listens, and stops without losing what is in hand."""

import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from wardround.adapters.database.database import Database, opened
from wardround.adapters.ready_server import ReadyServer
from wardround.adapters.repeating import repeating
from wardround.cds.door import Door
from wardround.cds.exchange import Became, Call, Result
from wardround.cds.http.app import ANSWER_SECONDS, Means, create_app
from wardround.cds.http.audit import Asked, Audit
from wardround.cds.http.metrics import Metrics
from wardround.cds.http.options import Options
from wardround.cds.http.protocol import Bounded
from wardround.cds.keeping import Keeping, KeepsNothing
from wardround.cds.kept_in_database import WITHIN, keeping_in
from wardround.cds.record import Record
from wardround.cds.tokens.used_tokens import UsedTokens
from wardround.cds.tokens.verification import Verifier
from wardround.errors import StorageError
from wardround.spec.loading import load_issuers

_KEEP_ALIVE_SECONDS: Final = 75
_COUNTS_SECONDS: Final = 1.0
_TOKEN_SECONDS: Final = 2.0  # for which the look-up of a token waits for another transaction


def serve(options: Options, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Answers requests until SIGTERM or SIGINT; calls `ready` when it does. Then it finishes what it has in hand.

    It accepts connections only after its warm-up call: the first call takes a hundred times as long as the others.
    Raises WardroundError if it cannot be prepared.
    """
    with (
        opened(options.settings.database) as database,
        keeping_of(options, database) as keeping,
        # A call whose token cannot be looked up is refused, and must not keep a thread from the others until then.
        database.hurried(_TOKEN_SECONDS) as tokens,
    ):
        # First, so that keys which cannot be used are reported before any model is loaded.
        verifier = _verifier(options, tokens)
        door = Door.of(
            options.settings,
            keeping,
            servers=options.servers,
            profile=options.profile,
            base_url=options.base_url,
            as_of=options.as_of,
        )
        door.warm_up(datetime.now(UTC))
        # What is there now stays until the end; looking through it for garbage would delay a call by 0.1 s.
        gc.collect()
        gc.freeze()
        metrics = Metrics(options.counts)
        audit = Audit(options.settings.var / "cds" / "audit")
        with door.watched(), _kept(metrics), recording(options, door, audit, metrics) as record:
            means = Means(door.answer, door.services, verifier, audit, metrics, record)
            ReadyServer(configured(create_app(means, options.origins)), ready).run(sockets=[listening])


@contextmanager
def recording(
    options: Options, door: Door, audit: Audit, metrics: Metrics
) -> Iterator[Callable[[Result], None] | None]:
    """Gives what takes scores for the record, and audits and counts what becomes of them; None if none are written."""

    def tell(call: Call, became: Became, why: str) -> None:
        metrics.result(became)
        try:
            audit.record(Asked(datetime.now(UTC), "result", call.issuer, 0, call, became=became, why=why))
        except StorageError:  # which the audit logs
            metrics.audit_failure()

    if not options.writes:
        yield None
        return
    with Record(options.settings, door.servers, door.means.live, tell).writing() as writing:
        yield writing.offer


def keeping_of(options: Options, database: Database, within: float = WITHIN) -> AbstractContextManager[Keeping]:
    """Returns where the door keeps its calls: nowhere in a playback, else in the database, waiting `within` seconds."""
    # What is played back, at another time than now, must neither silence an alert nor be counted.
    if options.as_of is not None:
        return nullcontext(KeepsNothing())
    return keeping_in(database, options.settings.bedside_kept, within)


def configured(app: ASGIApp) -> uvicorn.Config:
    """Returns how uvicorn serves the application."""
    return uvicorn.Config(
        app,
        http=Bounded,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(ANSWER_SECONDS),
    )


def _verifier(options: Options, database: Database) -> Verifier | None:
    if options.issuers is None:
        return None
    issuers = load_issuers(options.issuers)
    return Verifier.of(issuers, options.issuers.parent, options.base_url, UsedTokens(database))


@contextmanager
def _kept(metrics: Metrics) -> Iterator[None]:
    """Writes the counts for the other workers while the block runs, and once more at its end."""
    try:
        with repeating(metrics.keep, _COUNTS_SECONDS, "bedside-counts"):
            yield
    finally:
        metrics.keep()
