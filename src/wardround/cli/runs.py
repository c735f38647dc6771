"""`wardround runs`: lists runs, also those that contain a given patient, and removes them."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from wardround.cli.results import add_row, print_table, say, show, tell
from wardround.cli.times import DAY
from wardround.core.run_overview import STATES, RunName, RunOverview
from wardround.settings import Settings, settings_from

if TYPE_CHECKING:
    from rich.table import Table

SHOWN: Final = ("found", "scored", "indeterminate", "excluded", "failed", "written")

_patient = click.option("--patient", metavar="ID", help="Only runs that contain this patient, by Patient id.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")


@click.group()
def command() -> None:
    """List the runs (screenings and trainings), and remove those that are no longer needed."""


@command.command("list", short_help="List runs, latest prediction time first.")
@click.argument("condition", required=False)
@_patient
@_as_json
def list_runs(condition: str | None, patient: str | None, as_json: bool) -> None:
    """List the runs of CONDITION, or of all conditions, latest prediction time first."""
    from wardround.workflows.run_list import overviews

    settings = settings_from()
    found = overviews(_chosen(settings, condition, patient), settings)
    if as_json:
        click.echo(json.dumps({"runs": [_facts(run) for run in found]}))
    elif found:
        print_table(_table(found))
    else:
        tell(f"No such run in {settings.runs}.")


@command.command("prune", short_help="Delete runs permanently, after asking.")
@click.argument("condition", required=False)
@click.option("--before", type=DAY, help="Only runs with a prediction time or start of training before this day (UTC).")
@_patient
@click.option("--yes", is_flag=True, help="Do not ask.")
@_as_json
def prune_runs(condition: str | None, before: datetime | None, patient: str | None, yes: bool, as_json: bool) -> None:
    """Delete runs with everything that they read, scored and reported. It asks first.

    What a run wrote to a FHIR server stays there, and cannot be retracted once the run is gone, so call `wardround
    retract RUN` first if needed. The next run is compared with the remaining runs.
    """
    if before is None and patient is None:
        raise click.UsageError("say which runs: --before DAY, --patient ID, or both")
    from wardround.workflows.run_removal import remove_runs

    settings = settings_from()
    names = [name for name in _chosen(settings, condition, patient) if before is None or _time(name) < before]
    for name in names:
        say(str(name))
    which = "this run" if len(names) == 1 else f"these {len(names):,} runs"
    if names and not yes and not click.confirm(f"Delete {which} permanently?", err=True):
        names = []
    show({"removed": remove_runs(names, settings)}, as_json)


def _chosen(settings: Settings, condition: str | None, patient: str | None) -> list[RunName]:
    from wardround.workflows.run_list import run_names
    from wardround.workflows.run_removal import runs_of_patient

    names = [name for name in run_names(settings) if condition in (None, name.of_condition)]
    return names if patient is None else list(runs_of_patient(names, patient, settings))


def _time(name: RunName) -> datetime:
    return datetime.strptime(name.as_of, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _facts(run: RunOverview) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(run).items()}


def _table(found: list[RunOverview]) -> "Table":
    from rich.table import Column, Table

    table = Table(Column("run", no_wrap=True), "state", "mode", "source")
    for name in SHOWN:
        table.add_column(name, justify="right")
    for run in found:
        counts = (f"{run.counts[name]:,}" if name in run.counts else "" for name in SHOWN)
        add_row(table, run.run, STATES[run.state], run.mode or run.kind, run.source, *counts)
    return table
