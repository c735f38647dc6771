"""`wardround simulate`: writes a synthetic ward as MIMIC-IV CSVs and FHIR NDJSON."""

from datetime import UTC, datetime
from pathlib import Path

import click

from wardround.cli.results import say, show
from wardround.cli.times import TIME


@click.command()
@click.option("--stays", type=click.IntRange(min=1), required=True, help="Number of ICU stays in progress at --now.")
@click.option("--seed", type=click.IntRange(min=0), required=True, help="The same seed and time give the same bytes.")
@click.option("--now", type=TIME, help="Current time of the ward, ISO 8601 with an offset. Default: the current hour.")
@click.option(
    "--discharged",
    type=click.IntRange(min=0),
    default=600,
    show_default=True,
    help="Number of discharged stays with outcomes, to train on. All are in mimic/; fhir/ has those of the last 24 h.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for mimic/ and fhir/.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(stays: int, seed: int, now: datetime | None, discharged: int, out: Path, as_json: bool) -> None:
    """Write a synthetic ward: MIMIC-IV CSVs and FHIR NDJSON of the same patients. Not real data, and no evidence."""
    import pandas as pd

    from wardround.demo.simulate import Plan, simulate
    from wardround.settings import settings_from
    from wardround.spec.loading import load_variables

    time = now or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    plan = Plan(stays, discharged, seed, pd.Timestamp(time))
    made = simulate(plan, out, load_variables(settings_from().schemas), say)
    show({"now": plan.now.isoformat(), "mimic": made.mimic, "fhir": made.fhir}, as_json)
