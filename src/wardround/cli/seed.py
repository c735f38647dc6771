"""`wardround seed`: uploads a folder of FHIR files to a FHIR server."""

from pathlib import Path

import click

from wardround.cli.folders import say_passed_over
from wardround.cli.progress import progress_bars
from wardround.cli.results import show
from wardround.cli.source_options import SOURCE_HELP
from wardround.settings import settings_from
from wardround.workflows.servers import server_at


@click.command()
@click.option("--source", required=True, metavar="URL|NAME", help=SOURCE_HELP)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of *.ndjson, *.ndjson.gz and *.json (Bundles, resources, prefetches).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(source: str, data: Path, as_json: bool) -> None:
    """Upload every resource in a folder to a FHIR server under its own id; repeating it changes nothing.

    Resource types that the server does not support are skipped and counted, and so are resources that the folder lists
    as deleted.
    """
    from wardround.fhir.client import FhirClient
    from wardround.workflows.seed import seed

    with FhirClient(server_at(source, settings_from())) as client, progress_bars() as progress:
        seeded = seed(client, data, progress)
    say_passed_over(seeded.beside.passed_over)
    show({"written": seeded.written, "skipped": seeded.skipped, **seeded.beside.counts}, as_json)
