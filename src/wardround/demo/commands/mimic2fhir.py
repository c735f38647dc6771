"""`wardround mimic2fhir`: converts MIMIC-IV CSVs to MIMIC-IV-on-FHIR NDJSON."""

from datetime import datetime
from pathlib import Path

import click

from wardround.cli.results import say, show
from wardround.cli.times import TIME


@click.command()
@click.option(
    "--mimic",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of MIMIC-IV with hosp/ and icu/, or a DuckDB file.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for Mimic*.ndjson.gz.")
@click.option(
    "--rebase-to",
    type=TIME,
    help="Make a census around this time (ISO 8601 with an offset): each patient's timeline is shifted as a whole,"
    " what was not yet known then is left out, and a stay that the time falls into is in progress.",
)
@click.option(
    "--all-items",
    is_flag=True,
    help="Write every row of chartevents and labevents that has a value."
    " Default: only items that a variable in variables.yaml uses.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(mimic: Path, out: Path, rebase_to: datetime | None, all_items: bool, as_json: bool) -> None:
    """Convert MIMIC-IV CSVs to MIMIC-IV-on-FHIR NDJSON, with the ids and structure of PhysioNet's own files."""
    import pandas as pd

    from wardround.demo.mimic2fhir import Selection, mimic2fhir
    from wardround.settings import settings_from
    from wardround.spec.loading import load_variables

    selection = Selection(
        variables=None if all_items else load_variables(settings_from().schemas),
        rebase_to=None if rebase_to is None else pd.Timestamp(rebase_to),
    )
    written = mimic2fhir(mimic, out, selection, say)
    show({"resources": written.counts, "patients_left_out": written.left_out}, as_json)
