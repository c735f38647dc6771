"""`wardround retract`: the RiskAssessments of a run, taken back."""

from datetime import UTC, datetime

import click

from wardround.cli.results import show
from wardround.errors import RunIncomplete


@click.command("retract")
@click.argument("run", metavar="RUN")
@click.option(
    "--why", default="The run was withdrawn.", show_default=True, help="Reason; it is written to each of them."
)
@click.option("--source", help="How to reach the run's source, where that needs more than its URL: a source's name.")
@click.option("--write-to", help="The same of the server that took its results, where that is another one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(run: str, why: str, source: str | None, write_to: str | None, as_json: bool) -> None:
    """Mark the RiskAssessments of RUN as entered in error, with a note that says when and why.

    What a later run of the same time wrote in their place is left alone. Repeating it changes nothing.
    """
    from wardround.cli.servers import servers_of
    from wardround.fhir.client import FhirClient
    from wardround.settings import settings_from
    from wardround.workflows.history import require_history
    from wardround.workflows.retract import retract
    from wardround.workflows.screen import load_run

    settings = settings_from()
    reached = servers_of(load_run(run, settings).request, settings, source, write_to)
    with FhirClient(reached) as client:
        result = retract(run, client.results, settings, why, datetime.now(UTC).replace(microsecond=0))
    show({"run": run, **result.as_json()}, as_json)
    if not result.complete:
        raise RunIncomplete(
            f"run {run}: {result.failed} RiskAssessments still stand, expected none; see why the server refuses "
            "the update, and retract the run again"
        )
    require_history(run, settings)
