"""`wardround train`: a model from MIMIC-IV CSVs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from wardround.cli.durations import DURATION
from wardround.cli.progress import progress_bars
from wardround.settings import settings_from


@click.command()
@click.argument("condition")
@click.option(
    "--mimic",
    required=True,
    envvar="MIMIC_CSV_PATH",
    type=click.Path(path_type=Path),
    help="MIMIC-IV folder with hosp/ and icu/, or a DuckDB file (default: MIMIC_CSV_PATH).",
)
@click.option("--label", help="Label rule; it must be the condition's own.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same data and seed, same model."
)
@click.option("--at", type=DURATION, default="24h", show_default=True, help="Prediction time after admission.")
@click.option("--by", envvar="USER", default="unknown", help="Who trains, for the store's record (default: USER).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def command(condition: str, mimic: Path, label: str | None, seed: int, at: timedelta, by: str, as_json: bool) -> None:
    """Train a model of CONDITION and store it; it becomes live if the condition has none."""
    from wardround.workflows.training import TrainingRequest, train

    request = TrainingRequest.model_validate(
        {
            "condition": condition,
            "mimic": mimic,
            "label": label,
            "seed": seed,
            "at": at,
            "created": datetime.now(UTC),
        }
    )
    with progress_bars() as progress:
        trained = train(request, settings_from(), by, progress)
    if as_json:
        click.echo(json.dumps({**trained._asdict(), "card": trained.card.model_dump(mode="json")}))
        return
    from wardround.cli.cards import show_card

    show_card(trained.card)
    promote_it = f"`wardround model promote {condition} {trained.version}` makes it so"
    click.echo(f"{trained.version} is {'live' if trained.live else f'not live; {promote_it}'}.")
