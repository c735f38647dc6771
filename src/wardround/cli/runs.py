"""`wardround runs`: lists runs, also those that contain a given patient, and removes them."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from wardround.cli.durations import DURATION
from wardround.cli.results import add_row, print_table, say, show, tell
from wardround.cli.times import DAY
from wardround.core.run_overview import STATES, RunName, RunOverview
from wardround.core.run_retention import WHY, Rule
from wardround.settings import Settings, settings_from

if TYPE_CHECKING:
    from rich.table import Table

SHOWN: Final = ("found", "scored", "indeterminate", "excluded", "failed", "written")
_OF_PATIENT: Final = "a patient's data were erased"

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
    from wardround.workflows.run_list import overviews, sizes

    settings = settings_from()
    found = overviews(_chosen(settings, condition, patient), settings)
    size = sizes([run.run for run in found], settings)
    if as_json:
        click.echo(json.dumps({"runs": [_facts(run) | {"bytes": size[run.run]} for run in found]}))
    elif found:
        print_table(_table(found, size))
    else:
        tell(f"No such run in {settings.runs}.")


@command.command("prune", short_help="Delete old runs, or those of a patient, permanently, after asking.")
@click.argument("condition", required=False)
@click.option("--before", type=DAY, help="Only runs with a prediction time or start of training before this day (UTC).")
@click.option("--older-than", type=DURATION, help="The same, by its age: 90d.")
@click.option("--keep", type=click.IntRange(min=1), help="Only runs that are not among the latest N of their source.")
@_patient
@click.option(
    "--unfinished", is_flag=True, help="Also runs that did not end, or of which something else is left to be done."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_as_json
def prune_runs(
    condition: str | None,
    before: datetime | None,
    older_than: timedelta | None,
    keep: int | None,
    patient: str | None,
    unfinished: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete runs with everything that they read, scored and reported. It lists them and asks first.

    The latest run of each condition and source stays, and so does a run that something was written to in the last 24
    hours, that did not end, whose results are not all written, or whose model waits for a decision. It says which and
    why. With --patient only those stay that are being worked on.

    What a run wrote to a FHIR server stays there, and cannot be retracted once the run is gone, so call `wardround
    retract RUN` first if needed. `wardround history removed` lists what was deleted.
    """
    by_age = (before, older_than, keep)
    if patient is None and by_age == (None, None, None):
        raise click.UsageError("say which runs: --before DAY, --older-than 90d, --keep N, or --patient ID")
    if patient is not None and (by_age != (before, None, None) or unfinished):
        raise click.UsageError("--patient may have --before beside it, and no other rule; leave that out")
    if before and older_than:
        raise click.UsageError("--before and --older-than say the same; leave one out")
    now, settings = datetime.now(UTC), settings_from()
    if patient is not None:
        names, why, stays, kept = _of_patient(settings, condition, patient, before, now)
    else:
        rule = Rule(now - older_than if older_than else before, keep or 1, unfinished)
        names, why, stays, kept = _old(settings, condition, rule, now)
    for name, reason in kept.items():
        say(f"{name} stays: {reason}")
    for name in names:
        say(str(name))
    which = "this run" if len(names) == 1 else f"these {len(names):,} runs"
    if names and not yes and not click.confirm(f"Delete {which} permanently?", err=True):
        names = ()
    from wardround.workflows.run_removal import remove_runs

    removed = remove_runs(names, why, settings, now, stays)
    show({"removed": removed, "kept": dict(Counter(kept.values()))}, as_json)


_Found = tuple[Sequence[RunName], str, Callable[[RunName], bool], Mapping[RunName, str]]
"""The runs to remove, why, what is asked about each just before, and those that stay, with the reason."""


def _old(settings: Settings, condition: str | None, rule: Rule, now: datetime) -> _Found:
    from wardround.workflows.run_retention import choose, is_in_use

    chosen = choose(rule, condition, settings, now)
    kept = {name: WHY[stays] for name, stays in chosen.stay.items()}
    return chosen.remove, str(rule), partial(is_in_use, settings=settings, now=now), kept


def _of_patient(
    settings: Settings, condition: str | None, patient: str, before: datetime | None, now: datetime
) -> _Found:
    from wardround.workflows.run_removal import is_worked_on

    known = _chosen(settings, condition, patient)
    names = [name for name in known if before is None or name.time < before]
    busy = [name for name in names if is_worked_on(name, settings, now)]
    kept = dict.fromkeys(busy, f"it did not end, and {WHY['in_use']}")
    free = [name for name in names if name not in kept]
    return free, _OF_PATIENT, partial(is_worked_on, settings=settings, now=now), kept


def _chosen(settings: Settings, condition: str | None, patient: str | None) -> list[RunName]:
    from wardround.workflows.run_list import run_names
    from wardround.workflows.run_removal import runs_of_patient

    names = [name for name in run_names(settings) if condition in (None, name.of_condition)]
    return names if patient is None else list(runs_of_patient(names, patient, settings))


def _facts(run: RunOverview) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(run).items()}


def _table(found: list[RunOverview], size: Mapping[str, int]) -> "Table":
    from rich.filesize import decimal
    from rich.table import Column, Table

    table = Table(Column("run", no_wrap=True), "state", "mode", "source")
    for name in (*SHOWN, "size"):
        table.add_column(name, justify="right")
    for run in found:
        counts = (f"{run.counts[name]:,}" if name in run.counts else "" for name in SHOWN)
        add_row(table, run.run, STATES[run.state], run.mode or run.kind, run.source, *counts, decimal(size[run.run]))
    return table
