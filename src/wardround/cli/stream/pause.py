"""`wardround stream pause` and `resume`: a stage or a source, while the stream runs."""

from datetime import UTC, datetime
from typing import Literal

import click

from wardround.cli.deciding import by_option, why_option
from wardround.cli.results import tell
from wardround.cli.stream.queues import opened_queue
from wardround.settings import settings_from

Kind = Literal["stage", "source"]

_kind = click.argument("kind", type=click.Choice(["stage", "source"]))
_name = click.argument("name")


@click.command("pause", short_help="Let a stage take nothing, or refuse a source's messages, until it is resumed.")
@_kind
@_name
@by_option
@why_option
def pause_command(kind: Kind, name: str, by: str, why: str) -> None:
    """Pause the stage or the source NAME, while the stream runs; within a second everywhere.

    Messages wait before a stage that is paused. Those of a paused source are refused, so that its engine keeps them and
    sends them again.
    """
    from wardround.adapters.queue.pauses import Pause, pause

    _require(kind, name)
    with opened_queue() as queue:
        pause(queue.database, Pause(kind, name, datetime.now(UTC), by, why))
    tell(f"{kind} {name}: paused")


@click.command("resume", short_help="Let a paused stage or source go on.")
@_kind
@_name
def resume_command(kind: Kind, name: str) -> None:
    """Let the stage or the source NAME go on, if it is paused."""
    from wardround.adapters.queue.pauses import resume

    with opened_queue() as queue:
        was_paused = resume(queue.database, kind, name)
    tell(f"{kind} {name}: {'goes on' if was_paused else 'was not paused'}")


def _require(kind: Kind, name: str) -> None:
    from wardround.spec.loading import load_stream
    from wardround.stream.stages import QUEUES

    known = QUEUES if kind == "stage" else tuple(load_stream(settings_from().stream).sources)
    if name not in known:
        raise click.UsageError(f"there is no {kind} {name!r}, expected one of {', '.join(known)}")
