"""`wardround retract-bedside`: retracts the RiskAssessments that were written as charts were opened."""

from datetime import UTC, datetime

import click

from wardround.cli.results import show
from wardround.cli.times import TIME
from wardround.errors import RunIncomplete


@click.command()
@click.argument("condition", metavar="CONDITION")
@click.option("--source", required=True, help="FHIR server that charts are opened of: its base URL, or its name.")
@click.option("--since", required=True, type=TIME, help="Results for this prediction time and later.")
@click.option("--until", type=TIME, help="Results for this prediction time and earlier. [default: now]")
@click.option("--stay", "stays", metavar="ID", multiple=True, help="Only results of this Encounter; several times.")
@click.option("--why", required=True, help="Reason; it is written to each RiskAssessment.")
@click.option("--write-to", help="The server that keeps the source's results, if its variables do not name one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    condition: str,
    source: str,
    since: datetime,
    until: datetime | None,
    stays: tuple[str, ...],
    why: str,
    write_to: str | None,
    as_json: bool,
) -> None:
    """Mark what `wardround cds --write-results` wrote of CONDITION as entered in error, with a note of when and why.

    These results belong to no run; those of scheduled screenings are left alone. Repeating it changes nothing. To stop
    new ones as well, suspend the condition first.
    """
    from wardround.fhir.client import FhirClient
    from wardround.settings import settings_from
    from wardround.spec.loading import load_condition
    from wardround.workflows.retract_bedside import Wanted, retract_bedside
    from wardround.workflows.servers import server_at

    settings, now = settings_from(), datetime.now(UTC).replace(microsecond=0)
    wanted = Wanted(load_condition(condition, settings.schemas).id, since, until or now, frozenset(stays))
    with FhirClient(server_at(source, settings, write_to=write_to)) as client:
        taken = retract_bedside(wanted, client.results, why, now)
    show({"condition": condition, **taken._asdict()}, as_json)
    if taken.failed:
        raise RunIncomplete(
            f"bedside, {condition}: {taken.failed} RiskAssessments are not retracted, expected none; find out why the "
            "server refuses the update, and retract them again"
        )
