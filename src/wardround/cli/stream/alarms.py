"""`wardround stream alarms`: what is raised, and what people say to it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from wardround.cli.deciding import by_option
from wardround.cli.durations import DURATION
from wardround.cli.results import add_row, print_table, tell
from wardround.cli.stream.queues import opened_queue
from wardround.cli.times import in_seconds

_name = click.argument("name")
_SHOWN = ("name", "since", "pushed", "acknowledged", "suspended_until", "who")


@click.group("alarms", short_help="List, acknowledge and suspend alarms of the stream.")
def command() -> None:
    """Deal with alarms that `wardround stream watch` has raised."""


@command.command("list", short_help="List what is raised or suspended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def list_alarms(as_json: bool) -> None:
    """List the alarms that are raised or suspended."""
    from wardround.adapters.queue.alarm_rows import alarms

    with opened_queue() as queue:
        rows = [{name: _written(getattr(one, name)) for name in _SHOWN} for one in alarms(queue.database)]
    if as_json:
        click.echo(json.dumps({"alarms": rows}))
    elif rows:
        _print(rows)
    else:
        tell("There are no alarms.")


@command.command("acknowledge", short_help="Say that you know: the alarm is not sent again.")
@_name
@by_option
def acknowledge_alarm(name: str, by: str) -> None:
    """Say that somebody knows of the alarm NAME. It is not sent again while it lasts; its end is."""
    from wardround.adapters.queue.alarm_rows import acknowledge

    with opened_queue() as queue:
        if not acknowledge(queue.database, name, by, datetime.now(UTC)):
            raise click.UsageError(f"{name} is not raised, expected one that `wardround stream alarms list` shows")
    tell(f"{name}: acknowledged")


@command.command("suspend", short_help="Let an alarm not be sent for a time.")
@_name
@click.option("--for", "time", type=DURATION, required=True, help="How long: 90m, 2h, 1d.")
@by_option
def suspend_alarm(name: str, time: timedelta, by: str) -> None:
    """Let the alarm NAME not be sent for a time, whether it is raised or not: during maintenance."""
    from wardround.adapters.queue.alarm_rows import suspend

    until = datetime.now(UTC) + time
    with opened_queue() as queue:
        suspend(queue.database, name, until, by)
    tell(f"{name}: suspended until {_written(until)}")


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(*(name.replace("_", " ") for name in _SHOWN))
    for row in rows:
        add_row(table, *(row[name] or "" for name in _SHOWN))
    print_table(table)


def _written(value: datetime | str | None) -> str | None:
    return in_seconds(value) if isinstance(value, datetime) else value
