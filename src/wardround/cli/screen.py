"""`wardround screen`: runs the steps of the screening DAG without Airflow."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from wardround.cli.cohorts import COHORT
from wardround.cli.durations import DURATION
from wardround.cli.process import giving_back, tune_process
from wardround.cli.progress import progress_bars
from wardround.cli.results import say
from wardround.cli.resuming import require_all_or_resume, resume_option, say_how_to_continue
from wardround.cli.source_options import SOURCE_HELP, source_option
from wardround.cli.times import ALLOW_FUTURE_HELP, TIME
from wardround.errors import ConditionSuspended, FhirError
from wardround.workflows.gate_process import GateProcess

if TYPE_CHECKING:
    from wardround.fhir.endpoint import FhirEndpoint
    from wardround.workflows.screen import ScreeningRequest

_NEEDED: Final = ("condition", "source", "as_of")
BESIDE_RESUME: Final = ("source", "profile", "write_to", "wait", "as_json")
"""How to reach the servers of a resumed run, and how to show it."""


@click.command("screen")
@click.argument("condition", required=False)
@click.option("--source", metavar="URL|NAME", help=SOURCE_HELP)
@source_option("profile", "ID")
@source_option("source_map", "FILE")
@source_option("write_to", "URL|NAME")
@source_option("map_by_identifier", None)
@click.option("--as-of", type=TIME, help="Prediction time: ISO 8601 with an offset.")
@click.option("--allow-future", is_flag=True, help=ALLOW_FUTURE_HELP)
@click.option("--look-back", type=DURATION, help="Find stays that overlap this period before as_of (24h, 90m, 2d).")
@click.option(
    "--cohort",
    type=COHORT,
    help="search, locations:NAME,…, group:ID, list:ID, patients:ID,…, file:PATH, export[:GROUP_ID].",
)
@click.option(
    "--mode", type=click.Choice(["live", "shadow"]), help="shadow writes nothing back (default: the condition's mode)."
)
@click.option("--chunk", "chunk_size", type=click.IntRange(min=1), help="Stays per chunk.")
@click.option("--wait-for-source", "wait", type=DURATION, help="How long to wait for a server that is down (30m).")
@resume_option
@click.option("--accept-census", is_flag=True, help="Accept the number of stays found, however few.")
@click.option(
    "--demo-model",
    is_flag=True,
    help="Rehearse with the model from `make demo`, whose scores are meaningless. Only with --mode shadow.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    context: click.Context,
    /,
    source: str | None,
    profile: str | None,
    source_map: Path | None,
    write_to: str | None,
    map_by_identifier: bool,
    wait: timedelta | None,
    resumed: str | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Screen every ICU stay on SOURCE for CONDITION as of a TIME, and write RiskAssessments back.

    Screening the same time again changes nothing. SOURCE is a URL, or the name of a source in the environment or a .env
    file. A URL is used with the bearer token in WARDROUND_FHIR_TOKEN, if there is one. A resumed run keeps its original
    options; with --resume, give only how to reach the source, if its URL is not enough.
    """
    require_all_or_resume(context, _NEEDED, "CONDITION, --source and --as-of", BESIDE_RESUME)
    if asked["demo_model"] and asked["mode"] != "shadow":
        raise click.UsageError("--demo-model goes with --mode shadow: nobody may see its scores as real")
    with GateProcess() as gate:
        reach: dict[str, Any] = {"profile": profile, "write_to": write_to}
        if not resumed:
            reach |= {"source_map": source_map, "map_by_identifier": map_by_identifier}
        _screen(gate, source, reach, wait, resumed, as_json, asked)


def _screen(
    gate: GateProcess,
    source: str | None,
    reach: dict[str, Any],
    wait: timedelta | None,
    resumed: str | None,
    as_json: bool,
    asked: dict[str, Any],
) -> None:
    tune_process()
    # pandas and scikit-learn take seconds to import. `--help` must not wait for them, nor the gate's process, which
    # takes longest to start: what it need not wait for is imported here, even if it takes only tenths of a second.
    from wardround.cli.screening_said import say_how_it_ended
    from wardround.fhir.patience import Patience
    from wardround.settings import settings_from
    from wardround.workflows.screen import Means, load_run, require_complete, resume, screen
    from wardround.workflows.servers import server_at, servers_of

    settings = settings_from()
    opened: list[str] = []

    def say_opened(run: str) -> None:
        opened.append(run)
        # Said before anything is read, because a run that is killed cannot say it later.
        say_how_to_continue("screen", run)

    if resumed:
        opened.append(resumed)
        reached = servers_of(load_run(resumed, settings).request, settings, source, **reach)
        work = partial(resume, resumed)
    else:
        reached = server_at(str(source), settings, **reach)
        work = partial(screen, _request(reached, **asked))
    patience = Patience(reached.retries, wait or timedelta())
    try:
        with progress_bars() as progress:
            told = giving_back(progress)
            summary = work(Means(reached, settings, told, patience=patience, gate=gate, opened=say_opened))
    except (FhirError, ConditionSuspended):
        for run in (run for run in opened if load_run(run, settings).kept):
            say(f"What was read and written so far is kept. To finish the run: wardround screen --resume {run}")
        raise
    say_how_it_ended(summary, as_json)
    require_complete(summary.run, settings)


def _request(
    source: "FhirEndpoint", condition: str, as_of: datetime, allow_future: bool, **asked: Any
) -> "ScreeningRequest":
    from wardround.core.prediction_times import require_reached
    from wardround.workflows.screen import ScreeningRequest, servers_in

    require_reached(as_of, datetime.now(UTC), allow_future)
    return ScreeningRequest.model_validate({"condition": condition, "as_of": as_of, **servers_in(source), **asked})
