"""`wardround demo-patients`: writes patients of each band as files, to try the bedside door and sandboxes with."""

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wardround.cli.results import add_row, print_table, say, show
from wardround.cli.times import TIME
from wardround.errors import WardroundError
from wardround.settings import Settings, settings_from
from wardround.workflows.servers import is_server, server_at

if TYPE_CHECKING:
    from wardround.fhir.endpoint import FhirEndpoint


@click.command(short_help="Write patients of each band as files, to try the bedside door with.")
@click.option(
    "--mimic",
    type=click.Path(path_type=Path),
    help="Folder of MIMIC-IV with hosp/ and icu/, or a DuckDB file; times are shifted so that --now is inside a stay.",
)
@click.option("--fhir", help="Base URL of a FHIR server, its name in a .env file, or a folder of FHIR files.")
@click.option("--condition", default="sepsis", show_default=True, help="Condition whose live model says the bands.")
@click.option("--per-band", type=click.IntRange(1), default=2, show_default=True, help="Patients of each band.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another seed, other patients.")
@click.option("--minimal", is_flag=True, help="Keep the latest Observation of each code alone, for small files.")
@click.option("--now", type=TIME, help="Prediction time, ISO 8601 with an offset.  [default: the present]")
@click.option("--upload", metavar="URL|NAME", help="FHIR server to upload the patients to, which gives them ids.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(
    mimic: Path | None,
    fhir: str | None,
    condition: str,
    per_band: int,
    seed: int,
    minimal: bool,
    now: datetime | None,
    upload: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """Write patients of each band: OUT/BAND_N_patient.json is a prefetch, OUT/BAND_N_bundle.json a transaction.

    The live model says who is high, moderate, low or indeterminate. Each patient gets a made-up name; address and
    telephone are left out, and everything else is as the source has it.
    """
    if (mimic is None) == (fhir is None):
        raise click.UsageError("give either --mimic DIR or --fhir URL-or-DIR")
    from wardround.demo.patients.choosing import Choice, Choosing
    from wardround.demo.patients.transactions import upload as uploaded
    from wardround.demo.patients.writing import remove_earlier, write
    from wardround.fhir.client import FhirClient
    from wardround.results.bands import BANDS

    settings, time = settings_from(), now or datetime.now(UTC).replace(microsecond=0)
    choice = Choice(condition, per_band, seed, time, minimal)
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        taker = stack.enter_context(FhirClient(server_at(upload, settings))) if upload else None
        client = stack.enter_context(FhirClient(_source(mimic, fhir, time, settings, stack)))
        choosing = Choosing(client, choice, settings)
        for one in choosing.chosen():
            if not rows:
                remove_earlier(out)
            bundle = write(one, out, client, time)
            row = {"patient": one.name, "band": one.band, "probability": one.probability}
            rows.append({**row, **({"id": uploaded(bundle, taker)} if taker else {})})
    if not rows:
        raise WardroundError(
            f"{mimic or fhir}: has no patient in intensive care at {time.isoformat()} who can be given a band, expected"
            " at least one; choose another --now, and compare WARDROUND_ICU_CLASSES with its Encounters"
        )
    rows.sort(key=lambda row: BANDS.index(row["band"]))
    for band in BANDS:
        if (there := sum(row["band"] == band for row in rows)) < per_band:
            say(f"Of the band {band} there are only {there}, among {choosing.looked_at.total():,} patients")
    if as_json:
        show({"now": time.isoformat(), "out": str(out), "patients": rows}, as_json=True)
        return
    _show(rows)
    walk = f"--condition {condition} --as-of {time:%Y-%m-%dT%H:%M:%SZ} {out}/*_patient.json"
    say(f"To see their cards: wardround sandbox --serve {walk}")


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("patient", "band", "probability", *(["id"] if "id" in rows[0] else []))
    for row in rows:
        probability = "" if row["probability"] is None else f"{row['probability']:.4f}"
        add_row(table, row["patient"], row["band"], probability, *([row["id"]] if "id" in row else []))
    print_table(table)


def _source(
    mimic: Path | None, fhir: str | None, now: datetime, settings: Settings, stack: ExitStack
) -> "FhirEndpoint":
    from wardround.demo.patients.writing import census_of
    from wardround.demo.sandbox.embedded import served

    if mimic is not None:
        return stack.enter_context(census_of(mimic, now, settings, say))
    place = str(fhir)
    return (
        server_at(place, settings) if is_server(place, settings) else stack.enter_context(served(Path(place), settings))
    )
