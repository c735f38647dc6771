"""`wardround history`: shows the figures of past runs from the database, and rebuilds them from the run folders."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from wardround.cli.results import add_row, print_table, say, show, tell
from wardround.cli.times import DAY, in_seconds
from wardround.errors import RunNotFound
from wardround.settings import settings_from

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from wardround.report.history import Change, Figure, RunHistory

SHOWN: Final = ("found", "scored", "high", "indeterminate", "excluded", "failed", "written")
OF_STREAM: Final = ("messages", "scored", "failed", "waiting", "oldest", "total_lower", "total_median", "total_upper")

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")


@click.group()
def command() -> None:
    """Show and compare figures of past runs, by unit and measure, and of hours of the stream, by stage.

    They name no patient, and are kept when run folders are removed.
    """


@command.command("list", short_help="List the runs, latest prediction time first.")
@click.argument("condition", required=False)
@click.option("--since", type=DAY, help="Only runs with a prediction time on or after this day (UTC).")
@_as_json
def list_history(condition: str | None, since: datetime | None, as_json: bool) -> None:
    """List the runs of CONDITION, or of all conditions, with the figures of each whole run.

    `stream-door` in place of CONDITION lists the hours of the stream.
    """
    from wardround.adapters.database.database import opened
    from wardround.adapters.database.history import runs_in
    from wardround.report.history import STREAM

    with opened(settings_from().database) as database, database.reading() as connection:
        runs = list(runs_in(connection, condition, since))
    if as_json:
        click.echo(json.dumps({"runs": [_facts(run) | {"figures": _by_measure(run)} for run in runs]}))
    elif runs and condition == STREAM:
        _print_hours(runs)
    elif runs:
        _print_runs(runs)
    else:
        tell("No such run in the history.")


@command.command("show", short_help="Show every figure of a run.")
@click.argument("run", metavar="RUN")
@_as_json
def show_history(run: str, as_json: bool) -> None:
    """Show every figure of RUN: for the whole run, and for its units.

    Units with fewer than five stays are counted together.
    """
    from wardround.adapters.database.database import opened

    with opened(settings_from().database) as database, database.reading() as connection:
        found = _required(connection, run)
    if as_json:
        click.echo(json.dumps(_facts(found) | {"figures": [_named(figure) for figure in found.figures]}))
    else:
        show(_facts(found), as_json=False)
        _print_figures(("unit", "measure", "value"), found.figures)


@command.command("diff", short_help="Show how the figures of two runs differ.")
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
@_as_json
def diff_history(before: str, after: str, as_json: bool) -> None:
    """Show the figures in which two runs of one condition differ, and the change from the first to the second."""
    from wardround.adapters.database.database import opened
    from wardround.report.history import changes

    with opened(settings_from().database) as database, database.reading() as connection:
        one, other = _required(connection, before), _required(connection, after)
    if one.condition != other.condition:
        raise click.UsageError(f"the runs are of different conditions, {one.condition} and {other.condition}")
    found = changes(one, other)
    if as_json:
        rows = [_named(change) for change in found]
        click.echo(json.dumps({"before": _facts(one), "after": _facts(other), "changes": rows}))
    elif found:
        _print_figures(
            ("unit", "measure", "before", "after", "change"), ((*change, _difference(change)) for change in found)
        )
    else:
        tell("The figures are the same.")


@command.command("removed", short_help="List the runs whose folder was removed.")
@_as_json
def list_removed(as_json: bool) -> None:
    """List the run folders that `wardround runs prune` removed, the last one first: when, and by which rule."""
    from wardround.adapters.database.database import opened
    from wardround.adapters.database.removed_runs import removed_runs

    with opened(settings_from().database) as database, database.reading() as connection:
        found = removed_runs(connection)
    if as_json:
        click.echo(json.dumps({"removed": [{**one._asdict(), "at": in_seconds(one.at)} for one in found]}))
    elif found:
        from rich.table import Column, Table

        table = Table(Column("run", no_wrap=True), Column("removed", no_wrap=True), "rule")
        for one in found:
            add_row(table, one.run, in_seconds(one.at), one.why)
        print_table(table)
    else:
        tell("No run was removed.")


@command.command("rebuild", short_help="Read the figures again from the run folders.")
@_as_json
def rebuild_history(as_json: bool) -> None:
    """Read the figures of every run again from its folder, and replace those in the history.

    Runs whose folder was removed are not changed. The command can be interrupted and repeated.
    """
    from wardround.cli.progress import progress_bars
    from wardround.workflows.history import rebuild

    with progress_bars() as progress:
        done = rebuild(settings_from(), progress)
    for run in done.unreadable:
        say(f"{run}: its files cannot be read; its figures in the history are kept.")
    counts = {"written": done.written, "unfinished": done.unfinished, "patients asked for by id": done.patients}
    show({**counts, "unreadable": list(done.unreadable) if as_json else len(done.unreadable)}, as_json)


def _difference(change: "Change") -> float | None:
    return None if change.before is None or change.after is None else change.after - change.before


def _required(connection: "Connection", run: str) -> "RunHistory":
    from wardround.adapters.database.history import run_in

    found = run_in(connection, run)
    if found is None:
        raise RunNotFound(
            f"{run}: is not in the history, expected a run that `wardround history list` shows;"
            " `wardround history rebuild` reads the run folders again"
        )
    return found


def _facts(run: "RunHistory") -> dict[str, Any]:
    names = ("run", "condition", "source", "mode", "state", "model_version")
    return {**{name: getattr(run, name) for name in names}, "as_of": run.as_of.isoformat().replace("+00:00", "Z")}


def _by_measure(run: "RunHistory") -> dict[str, float]:
    return {figure.measure: figure.value for figure in run.figures}


def _named(figure: Any) -> dict[str, Any]:
    """Returns a figure, or a change of one, for JSON; a figure of the whole run has no unit."""
    return {**figure._asdict(), "unit": figure.unit or None}


def _print_runs(runs: "list[RunHistory]") -> None:
    from rich.table import Column, Table

    from wardround.core.run_overview import STATES

    states = {str(state): words for state, words in STATES.items()}
    table = Table(Column("run", no_wrap=True), "state", "mode", "source")
    for name in SHOWN:
        table.add_column(name, justify="right")
    for run in runs:
        figures = _by_measure(run)
        cells = (_number(figures.get(name)) for name in SHOWN)
        add_row(table, run.run, states.get(run.state, run.state), run.mode, run.source, *cells)
    print_table(table)


def _print_hours(runs: "list[RunHistory]") -> None:
    from rich.table import Column, Table

    table = Table(Column("hour", no_wrap=True))
    for name in OF_STREAM:
        table.add_column(name.replace("total_", "total, s: "), justify="right")
    for run in runs:
        figures = _by_measure(run)
        add_row(table, run.run, *(_number(figures.get(name)) for name in OF_STREAM))
    print_table(table)


def _print_figures(columns: tuple[str, ...], rows: "Iterable[Figure | tuple[Any, ...]]") -> None:
    from rich.table import Table

    table = Table(*columns[:2])
    for name in columns[2:]:
        table.add_column(name, justify="right")
    for unit, measure, *values in rows:
        add_row(table, unit or "all", measure, *map(_number, values))
    print_table(table)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{int(value):,}" if value.is_integer() else f"{value:.4f}"
