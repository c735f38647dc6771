"""`wardround seed`: upload NDJSON or Bundles to a FHIR server."""

from pathlib import Path

import click

from wardround.adapters.fhir_source import FhirSource
from wardround.cli.progress import progress_bars
from wardround.cli.results import show
from wardround.settings import settings_from


@click.command()
@click.option("--source", "source_url", required=True, metavar="URL", help="Base URL of the FHIR R4 server.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of *.ndjson, *.ndjson.gz and Bundles (*.json).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(source_url: str, data: Path, as_json: bool) -> None:
    """Upload every resource of a folder to a FHIR server, by its own id: running it again changes nothing.

    Types that the server does not keep are skipped and counted. A server that asks for a bearer token gets the one in
    WARDROUND_FHIR_TOKEN.
    """
    from wardround.adapters.fhir_client import FhirClient
    from wardround.workflows.seed import seed

    with FhirClient(FhirSource(source_url, settings_from().fhir_token)) as client, progress_bars() as progress:
        seeded = seed(client, data, progress)
    show({"written": seeded.written, "skipped": seeded.skipped}, as_json)
