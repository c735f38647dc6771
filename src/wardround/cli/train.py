"""`wardround train`: a model from MIMIC-IV."""

import json
from datetime import UTC, datetime
from typing import Any

import click

from wardround.cli.durations import DURATION
from wardround.cli.progress import progress_bars
from wardround.settings import settings_from

NAMES = {"split": ("patient", "calendar"), "approval": ("ask", "first_without_asking", "never")}


def _listed(_ctx: click.Context, _option: click.Parameter, text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",")] if text else None


@click.command()
@click.argument("condition")
@click.option(
    "--mimic",
    required=True,
    envvar="MIMIC_CSV_PATH",
    help="MIMIC-IV: a folder with hosp/ and icu/, or a DuckDB file (default: MIMIC_CSV_PATH).",
)
@click.option("--label", help="Label rule, one of the condition's (default: its first).")
@click.option("--horizon", type=DURATION, help="Predict by the hour whether onset is so near (default: once a stay).")
@click.option("--at", type=DURATION, default="24h", show_default=True, help="First prediction after admission.")
@click.option("--candidates", callback=_listed, help="Names of the candidates to compare, by commas (default: all).")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same data and seed, same model."
)
@click.option(
    "--budget", type=click.IntRange(min=1), default=4, show_default=True, help="Settings tried per candidate."
)
@click.option(
    "--split",
    type=click.Choice(NAMES["split"]),
    default="patient",
    show_default=True,
    help="Who tests: a quarter of the patients, or those of the latest years.",
)
@click.option(
    "--approval",
    type=click.Choice(NAMES["approval"]),
    default="first_without_asking",
    show_default=True,
    help="Whether somebody must approve (`wardround model promote`) before the model goes live.",
)
@click.option("--explained", help="Why an AUROC above 0.95 is believed.")
@click.option("--by", envvar="USER", default="unknown", help="Who trains, for the store's record (default: USER).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def command(by: str, as_json: bool, **given: Any) -> None:
    """Train a model of CONDITION and store it.

    It goes live if its gates let it and nobody must be asked: by default, if the condition has no live model. A
    promotion gate that fails ends the command with exit code 10, after everything was stored and shown.
    """
    from wardround.workflows.training import require_gates, train, training_request

    with progress_bars() as progress:
        trained = train(training_request({**given, "created": datetime.now(UTC)}), settings_from(), by, progress)
    if as_json:
        parts = {"card": trained.card, "comparison": trained.comparison}
        click.echo(
            json.dumps({**trained._asdict(), **{name: part.model_dump(mode="json") for name, part in parts.items()}})
        )
    else:
        from wardround.cli.cards import show_card
        from wardround.cli.comparisons import show_comparison

        show_card(trained.card)
        show_comparison(trained.comparison)
        if not trained.comparison.failed:
            click.echo(_verdict(trained.card.condition, trained.version, trained.live))
    require_gates(trained.comparison)


def _verdict(condition: str, version: str, live: bool) -> str:
    promote_it = f"`wardround model promote {condition} {version} --why TEXT` makes it so"
    return f"{version} is {'live' if live else f'not live; {promote_it}'}."
