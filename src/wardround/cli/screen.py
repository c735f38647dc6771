"""`wardround screen`: the screening DAG's steps without Airflow."""

import gc
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import click

from wardround.cli.cohorts import COHORT
from wardround.cli.durations import DURATION
from wardround.cli.progress import progress_bars
from wardround.cli.results import say, show
from wardround.cli.servers import server_at
from wardround.cli.times import TIME
from wardround.settings import settings_from

SHOWN: Final = (
    *(
        "condition",
        "as_of",
        "mode",
        "cohort",
        "found",
        "scored",
        "indeterminate",
        "excluded",
        "failed",
        "written",
        "unchanged",
    ),
    *("http_requests", "model_version", "run", "report"),
)


@click.command("screen")
@click.argument("condition")
@click.option("--source", "source_url", required=True, metavar="URL", help="Base URL of the FHIR R4 server.")
@click.option("--as-of", type=TIME, required=True, help="Prediction time: ISO 8601 with an offset.")
@click.option("--look-back", type=DURATION, help="Find stays that overlap this long before as_of (24h, 90m, 2d).")
@click.option(
    "--cohort", type=COHORT, help="search, locations:NAME,…, group:ID, list:ID, file:PATH, export[:GROUP_ID]."
)
@click.option("--mode", type=click.Choice(["live", "shadow"]), default="live", help="shadow writes nothing back.")
@click.option("--chunk", type=click.IntRange(min=1), help="Stays per chunk.")
@click.option("--dry-run", is_flag=True, help="Do all but write; say what would be written.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    condition: str,
    source_url: str,
    as_of: datetime,
    look_back: timedelta | None,
    cohort: Any,
    mode: Literal["live", "shadow"],
    chunk: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Screen every ICU stay that SOURCE knows for CONDITION as of a TIME, and write RiskAssessments back.

    Running the same as_of again changes nothing. A server that asks for a bearer token gets the one in
    WARDROUND_FHIR_TOKEN.
    """
    # pandas and scikit-learn take seconds; `--help` must not wait for them.
    from wardround.workflows.screening import ScreeningRequest, require_complete, screen

    _suit_the_process()
    settings = settings_from()
    request = ScreeningRequest(
        condition=condition,
        source_url=source_url,
        as_of=as_of,
        look_back=look_back,
        cohort=cohort,
        chunk_size=chunk,
        mode=mode,
        dry_run=dry_run,
    )
    with progress_bars() as progress:
        summary = screen(request, server_at(request.source_url, settings), settings, progress)
    _say(summary, as_json)
    require_complete(summary["run"], settings)


def _suit_the_process() -> None:
    """Settings of Python and Arrow for this one job, found by measuring 1,000 stays."""
    import pyarrow

    # A page of results is a million small objects, all in use: looking for garbage every 700 takes half the time.
    gc.set_threshold(1_000_000, 10, 10)
    # Arrow's own allocator keeps 40 MiB that are no longer used.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())


def _say(summary: dict[str, Any], as_json: bool) -> None:
    show({key: summary[key] for key in SHOWN}, as_json)
    if summary["found"] == 0:
        say("The ward is empty: no ICU stay overlaps the look-back window.")
    _say_left_out(summary)
    if summary["dry_run"]:
        say(f"Dry run: {summary['to_write']} RiskAssessments would be written; none was.")


def _say_left_out(summary: dict[str, Any]) -> None:
    """Whom the cohort names and nobody screens."""
    left_out = {"cohort_without_stay": summary["cohort_without_stay"], **summary["cohort_set_aside"]}
    for reason, number in left_out.items():
        if number:
            say(f"Of the cohort {number:,} are not screened: {reason.replace('_', ' ')}.")
