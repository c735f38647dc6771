"""`wardround stream status`: what waits, what became of messages, and how long it took."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from wardround.cli.results import add_row, print_table, tell
from wardround.cli.stream.queues import opened_queue
from wardround.cli.times import in_seconds

if TYPE_CHECKING:
    from wardround.stream.status import Quartiles, StageStatus, Status, Worked

_MONTH: Final = "%Y-%m"
_COUNTED: Final = ("taken", "passed on", "failed", "otherwise")  # in the last hour, or in the month


@click.command("status", short_help="Show what waits, what became of messages, and how long it took.")
@click.option(
    "--month",
    metavar="YYYY-MM",
    type=click.DateTime([_MONTH]),
    help="Show a whole month (UTC): messages taken, passed on and failed, and seconds by quartile.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def command(month: datetime | None, as_json: bool) -> None:
    """Show the queues now, and the last hour: failures against 2 % (notify 5 %), and the total time.

    The total time is from as_of to the end of the last stage. The system that this one follows took 1.3 minutes
    (median; quartiles 0.88 and 19.8).
    """
    from wardround.stream.status import status_of, worked_in

    with opened_queue() as queue:
        if month is not None:
            since = month.replace(tzinfo=UTC)
            _show_month(since, worked_in(queue, since, _next_month(since)), as_json)
        else:
            _show_now(status_of(queue, datetime.now(UTC)), as_json)


def _show_month(since: datetime, stages: "dict[str, Worked]", as_json: bool) -> None:
    if as_json:
        facts = {stage: _facts(one, stage) for stage, one in stages.items()}
        click.echo(json.dumps({"month": since.strftime(_MONTH), "stages": facts}))
        return
    rows = ([stage, *_counts(one), *_of(one.seconds)] for stage, one in stages.items())
    _print_table(("stage", *_COUNTED, "seconds: lower quartile", "median", "upper quartile"), rows)
    _tell_failures(stages)
    _tell_total(stages["notify"].total)


def _show_now(status: "Status", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_facts_now(status)))
        return
    columns = ("stage", "waiting", "oldest, s", "planned", "dead letters", *_COUNTED, "median, s")
    _print_table(columns, (_cells_now(one, status.at) for one in status.stages))
    _tell_failures({one.stage: one.hour for one in status.stages})
    _tell_total(status.total)
    for source, time in sorted(status.sources.items()):
        tell(f"{source}: last message {_ago(time, status.at)}")
    for paused in (*status.paused_sources, *(one.paused for one in status.stages if one.paused)):
        tell(f"{paused.kind} {paused.name}: paused since {in_seconds(paused.since)} by {paused.who}: {paused.why}")


def _tell_failures(stages: "Mapping[str, Worked]") -> None:
    from wardround.stream.status import FAILURES

    for stage, one in stages.items():
        if one.fails_too_often(stage):
            share = f"{one.failed / one.taken:.1%}"
            tell(f"{stage}: {one.failed:,} of {one.taken:,} failed ({share}), expected {FAILURES[stage]:.0%} at most")


def _tell_total(total: "Quartiles | None") -> None:
    from wardround.stream.status import POSTER

    if total is None:
        tell("Total time: nothing has passed all stages.")
        return
    tell(f"Total time: {_minutes(total)}; of the system that this one follows: {_minutes(POSTER)}.")


def _minutes(times: "Quartiles") -> str:
    lower, median, upper = (f"{one / 60:.2f}" for one in times)
    return f"{median} [{lower}, {upper}] min"


def _cells_now(one: "StageStatus", now: datetime) -> list[str]:
    oldest = one.waiting.oldest
    waited = f"{max(0.0, (now - oldest).total_seconds()):,.0f}" if oldest else ""
    name = f"{one.stage} (paused)" if one.paused else one.stage
    now_there = [name, f"{one.waiting.due:,}", waited, f"{one.waiting.planned:,}", f"{one.dead:,}"]
    return [*now_there, *_counts(one.hour), _of(one.hour.seconds)[1]]


def _counts(one: "Worked") -> list[str]:
    return [f"{number:,}" for number in (one.taken, one.passed_on, one.failed, one.ended_otherwise)]


def _of(times: "Quartiles | None") -> list[str]:
    return [f"{one:.3f}" for one in times] if times else ["", "", ""]


def _facts_now(status: "Status") -> dict[str, Any]:
    stages = {
        one.stage: {
            "waiting": one.waiting.due,
            "planned": one.waiting.planned,
            "oldest": in_seconds(one.waiting.oldest) if one.waiting.oldest else None,
            "dead": one.dead,
            "paused": one.paused is not None,
            "last_hour": _facts(one.hour, one.stage),
        }
        for one in status.stages
    }
    sources = {
        name: {"last_message": in_seconds(time), "paused": any(one.name == name for one in status.paused_sources)}
        for name, time in status.sources.items()
    }
    return {"at": in_seconds(status.at), "stages": stages, "sources": sources}


def _facts(one: "Worked", stage: str) -> dict[str, Any]:
    return {
        "taken": one.taken,
        "passed_on": one.passed_on,
        "failed": one.failed,
        "fails_too_often": one.fails_too_often(stage),
        "outcomes": dict(one.outcomes),
        "seconds": one.seconds._asdict() if one.seconds else None,
        "total_seconds": one.total._asdict() if one.total else None,
    }


def _print_table(columns: Iterable[str], rows: "Iterable[list[str]]") -> None:
    from rich.table import Table

    first, *others = columns
    table = Table(first)
    for name in others:
        table.add_column(name, justify="right")
    for row in rows:
        add_row(table, *row)
    print_table(table)


def _next_month(since: datetime) -> datetime:
    return since.replace(year=since.year + since.month // 12, month=since.month % 12 + 1)


def _ago(time: datetime, now: datetime) -> str:
    return f"{in_seconds(time)}, {max(0.0, (now - time).total_seconds()):,.0f} s ago"
