"""`wardround stream replay`: plays stored messages and readings back, and compares with what was said then."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from wardround.cli.results import add_row, print_table
from wardround.cli.stream.queues import opened_queue
from wardround.cli.times import DAY
from wardround.settings import settings_from

if TYPE_CHECKING:
    from wardround.stream.replay import Gone, Replayed

_BANDS: Final = ("low", "moderate", "high", "indeterminate")


@click.command("replay", short_help="Play stored messages and readings back, and compare with what was said then.")
@click.option(
    "--from", "start", type=DAY, required=True, help="First time of receipt: a day, or a time with an offset."
)
@click.option("--to", "end", type=DAY, required=True, help="Time of receipt before which it ends.")
@click.option(
    "--branch",
    "branches",
    metavar="CONDITION/ID",
    multiple=True,
    help="Only this branch; may be given several times. [default: all]",
)
@click.option("--model", "version", metavar="VERSION", help="Score with this stored model. [default: that of then]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def command(start: datetime, end: datetime, branches: tuple[str, ...], version: str | None, as_json: bool) -> None:
    """Flag stored messages again, and score stored readings again, without any FHIR server.

    With the model of then, all must be equal to the last bit. Nothing is written, and nobody is told.
    """
    if end <= start:
        raise click.UsageError("--to must be after --from")
    from wardround.errors import SpecError
    from wardround.spec.loading import load_conditions
    from wardround.stream.branches import ways_of
    from wardround.stream.replay import Span, replayed
    from wardround.stream.replay_flags import flagged_again
    from wardround.workflows.stores import model_store

    settings = settings_from()
    ways = ways_of(load_conditions(settings.schemas))
    if unknown := [one for one in branches if one not in ways]:
        raise SpecError(
            f"stream: has no branch {unknown[0]!r}, expected one of: {', '.join(ways) or 'none'}; correct it"
        )
    span = Span(start, end, branches)
    with opened_queue() as queue:
        flags = flagged_again(queue, settings, span)
        found = compared(replayed(queue, ways, model_store(settings), span, version))
    result = {"from": start.isoformat(), "to": end.isoformat(), "flags": asdict(flags), "branches": found}
    if as_json:
        click.echo(json.dumps(result))
        return
    _show(result, version)


def compared(predictions: "Iterable[Replayed | Gone]") -> dict[str, dict[str, Any]]:
    """Returns by branch how predictions compare.

    `bands` counts those that are known of then by their band then and now; `alerts` those of which people would be
    told, apart from lock-outs.
    """
    from wardround.stream.replay import Gone

    found: dict[str, dict[str, Any]] = {}
    for one in predictions:
        counts = found.setdefault(one.branch, {"same": 0, "different": 0, "not stored": 0, "erased": 0, "alerts": 0})
        if isinstance(one, Gone):
            counts["erased" if one.is_erased else "not stored"] += 1
            continue
        bands = counts.setdefault("bands", Counter())
        counts.setdefault("models", Counter())[one.version] += 1
        counts["alerts"] += one.alerts_now
        if one.then is None:
            counts["not stored"] += 1
            continue
        counts["same" if one.is_same else "different"] += 1
        bands[f"{one.then.band} {one.now.band}"] += 1
    return found


def _show(result: dict[str, Any], version: str | None) -> None:
    from rich.table import Table

    flags = result["flags"]
    table = Table("requests to score", "count", title=f"{flags['messages']:,} messages flagged again")
    for name in ("same", "missing", "new"):
        add_row(table, name, f"{flags[name]:,}")
    print_table(table)
    if flags["gone"]:
        click.echo(f"{flags['gone']:,} earlier messages are no longer stored, so that some may be flagged otherwise.")
    if flags["erased"]:
        click.echo(f"{flags['erased']:,} of them were erased with a patient; what they asked for is not compared.")
    for branch, counts in result["branches"].items():
        title = f"{branch}: scored again with {version or 'the model of then'}"
        table = Table("then", *_BANDS, title=title)
        bands = counts.get("bands", {})
        for then in _BANDS:
            add_row(table, then, *(f"{bands.get(f'{then} {now}', 0):,}" for now in _BANDS))
        print_table(table)
        said = ", ".join(f"{name} {counts[name]:,}" for name in ("same", "different", "not stored", "erased"))
        click.echo(f"{branch}: {said}; of {counts['alerts']:,} people would be told, apart from lock-outs")
