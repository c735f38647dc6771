"""`wardround demo`: shows everything on an embedded FHIR server, in Airflow but without its scheduler."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

from wardround.cli.results import add_row, show
from wardround.settings import settings_from

if TYPE_CHECKING:
    from wardround.core.progress import Say
    from wardround.demo.demo import Demo

COUNTS: Final = ("found", "scored", "indeterminate", "excluded", "failed", "written")


@click.command()
@click.option(
    "--stays", type=click.IntRange(min=20), default=60, show_default=True, help="Stays in the simulated ward."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def command(stays: int, as_json: bool) -> None:
    """Set up a ward, train and screen every condition in Airflow, and show the highest risks.

    Uses the MIMIC-IV CSVs at MIMIC_CSV_PATH if that is set, and a simulated ward otherwise. All files are in var/demo,
    which each demo starts from scratch.
    """
    from wardround.demo.demo import Demo

    demo = Demo(settings_from())
    mimic = os.environ.get("MIMIC_CSV_PATH")
    with _steps() as say:
        summary = demo.run(stays, Path(mimic) if mimic else None, say)
    if as_json:
        show(summary, as_json)
    else:
        _show(demo, summary)


def _show(demo: "Demo", summary: dict[str, dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    for condition, result in summary.items():
        risks = Table("Encounter", "unit", "score", "band", title=f"{condition}: highest risks", box=box.SIMPLE_HEAD)
        for stay in demo.highest(result["run"], 5):
            add_row(risks, stay["stay_id"], _short(stay["unit"]), f"{stay['score']:.2f}", stay["band"])
        console.print(risks)
    counts = Table("stays", *summary, box=box.SIMPLE_HEAD)
    for name in COUNTS:
        counts.add_row(name, *(f"{result[name]:,}" for result in summary.values()))
    counts.add_row("model", *(result["model_version"] for result in summary.values()))
    console.print(counts)
    for condition, result in summary.items():
        console.print(f"Report on {condition}: {result['report']}", highlight=False, markup=False)
    console.print(f"Summary: {demo.summary}", highlight=False, markup=False)
    for line in _next_steps():
        console.print(line, highlight=False, markup=False)


def _next_steps() -> Iterator[str]:
    """Yields commands to copy for a first try with the user's own server."""
    yield "\nTo try your own FHIR server, in shadow mode and with the demo's model, whose scores are meaningless:"
    if shutil.which("wardround") is None:
        yield f'  export PATH="{Path(sys.executable).parent}:$PATH"'
    yield "  wardround check-source URL"
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}"
    yield f"  wardround screen sepsis --source URL --as-of {now} --mode shadow --demo-model"


def _short(unit: str) -> str:
    """Returns the abbreviation that MIMIC adds to a unit in brackets, if there is one."""
    return unit.rpartition("(")[2].removesuffix(")")


@contextmanager
def _steps() -> Iterator["Say"]:
    """Yields a function that shows each step it is called with, and the seconds since the start.

    It writes to what is standard error now, even if the work redirects it later.
    """
    from rich.console import Console

    start = monotonic()
    with os.fdopen(os.dup(2), "w", encoding="utf-8") as stderr:
        console = Console(file=stderr)
        if not console.is_terminal:
            yield lambda step: console.print(
                f"{monotonic() - start:5.1f} s  {step}", soft_wrap=True, highlight=False, markup=False
            )
            return
        with console.status("") as status:
            yield lambda step: status.update(f"{monotonic() - start:5.1f} s  {step}")
