"""`wardround retract`: retracts the RiskAssessments of a run."""

from datetime import UTC, datetime

import click

from wardround.cli.results import show
from wardround.errors import RunIncomplete


@click.command("retract")
@click.argument("run", metavar="RUN")
@click.option(
    "--why",
    default="The run was withdrawn.",
    show_default=True,
    help="Reason; it is written to each RiskAssessment.",
)
@click.option("--source", help="Name of the run's source, if its URL is not enough to reach it.")
@click.option("--write-to", help="The same for the server that took the results, if that is a different one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(run: str, why: str, source: str | None, write_to: str | None, as_json: bool) -> None:
    """Mark the RiskAssessments of RUN as entered in error, with a note that says when and why.

    Those that a later run for the same time has replaced are left alone. Repeating it changes nothing.
    """
    from wardround.fhir.client import FhirClient
    from wardround.settings import settings_from
    from wardround.workflows.history import require_history
    from wardround.workflows.retract import retract
    from wardround.workflows.screen import load_run
    from wardround.workflows.servers import servers_of

    settings = settings_from()
    reached = servers_of(load_run(run, settings).request, settings, source, write_to)
    with FhirClient(reached) as client:
        result = retract(run, client.results, settings, why, datetime.now(UTC).replace(microsecond=0))
    show({"run": run, **result.as_json()}, as_json)
    if not result.complete:
        raise RunIncomplete(
            f"run {run}: {result.failed} RiskAssessments are not retracted, expected none; find out why the server "
            "refuses the update, and retract the run again"
        )
    require_history(run, settings)
