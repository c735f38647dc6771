"""`wardround check-stores`: finds what does not fit together in the stores, for example after a restoration."""

import json
from datetime import UTC, datetime, timedelta

import click

from wardround.cli.results import tell
from wardround.cli.source_options import SOURCE_HELP
from wardround.cli.times import DAY
from wardround.errors import StoresDisagree
from wardround.settings import settings_from

_LATELY = timedelta(days=7)


@click.command("check-stores")
@click.option("--source", metavar="NAME|URL", help=f"Also compare the results there with the runs. {SOURCE_HELP}")
@click.option("--write-to", help="The server that keeps the source's results, if its variables do not name one.")
@click.option(
    "--since", type=DAY, help="Compare results of this prediction time and later.  [default: the last 7 days]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(source: str | None, write_to: str | None, since: datetime | None, as_json: bool) -> None:
    """Find what does not fit together in the model store, the run folders, the database and the record.

    Run it after a restoration, before anything is started. Nothing is changed. It names runs that did not end, missing
    models and keys, figures that the history lacks, results that no run knows, and results that the server has lost,
    each with what to do.
    """
    from wardround.workflows.check_stores import check_stores

    settings = settings_from()
    found = check_stores(settings)
    if source is not None:
        from wardround.fhir.client import FhirClient
        from wardround.spec.loading import condition_ids
        from wardround.workflows.check_record import check_record
        from wardround.workflows.servers import server_at

        with FhirClient(server_at(source, settings, write_to=write_to)) as client:
            found += check_record(
                client, since or datetime.now(UTC) - _LATELY, condition_ids(settings.schemas), settings
            )
    if as_json:
        click.echo(json.dumps({"findings": [one._asdict() for one in found]}))
    else:
        for one in found:
            tell(f"{one.store}: {one.what}: {one.remedy}")
        if not found:
            tell("Everything fits together.")
    if found:
        raise StoresDisagree(
            f"{len(found)} things do not fit together in {', '.join(sorted({one.store for one in found}))}, expected"
            " none; do what is said of each"
        )
