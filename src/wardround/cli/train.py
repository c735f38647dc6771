"""`wardround train`: trains a model from MIMIC-IV."""

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from wardround.cli.durations import DURATION
from wardround.cli.label_choices import onset_option, suspicion_option
from wardround.cli.progress import progress_bars
from wardround.cli.resuming import require_all_or_resume, resume_option, say_how_to_continue
from wardround.errors import TrainingError
from wardround.settings import Settings, settings_from

if TYPE_CHECKING:
    from wardround.workflows.train.request import TrainingRequest
    from wardround.workflows.train.train import Trained

NAMES = {
    "fitted_on": ("all_hours", "matched"),
    "split": ("patient", "calendar"),
    "approval": ("ask", "first_without_asking", "never"),
}


def _listed(_ctx: click.Context, _option: click.Parameter, text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",")] if text else None


@click.command()
@click.argument("condition", required=False)
@click.option(
    "--mimic",
    envvar="MIMIC_CSV_PATH",
    help="MIMIC-IV: a folder with hosp/ and icu/, or a DuckDB file (default: MIMIC_CSV_PATH).",
)
@click.option("--label", help="One of the condition's label rules (default: its first).")
@onset_option
@suspicion_option
@click.option(
    "--horizon",
    type=DURATION,
    help="Predict hourly whether onset occurs within this horizon (default: predict daily, for the whole stay).",
)
@click.option(
    "--at",
    type=DURATION,
    default="6h",
    show_default=True,
    help="Earliest daily prediction after admission; each stay's first is drawn within a day of it.",
)
@click.option(
    "--fitted-on",
    type=click.Choice(NAMES["fitted_on"]),
    default="all_hours",
    show_default=True,
    help="Fit to all hours at risk, or to hours matched between stays with and without the outcome (with --horizon).",
)
@click.option("--candidates", callback=_listed, help="The candidates to compare, separated by commas (default: all).")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Same data and seed, same model.",
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Settings to try per candidate.",
)
@click.option(
    "--split",
    type=click.Choice(NAMES["split"]),
    default="patient",
    show_default=True,
    help="Who tests the model: a random quarter of the patients, or those of the latest years.",
)
@click.option(
    "--approval",
    type=click.Choice(NAMES["approval"]),
    default="first_without_asking",
    show_default=True,
    help="Whether somebody must approve (`wardround model promote`) before the model goes live.",
)
@click.option("--explained", help="Why an AUROC above 0.95 is credible.")
@resume_option
@click.option("--by", envvar="USER", default="unknown", help="Who trains, for the record (default: USER).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.pass_context
def command(context: click.Context, /, resumed: str | None, by: str, as_json: bool, **given: Any) -> None:
    """Train a model for CONDITION and store it.

    It goes live if it passes its gates and needs no approval; by default, that is if the condition has no live model.
    If a promotion gate fails, everything is stored and shown, and the command ends with exit code 10. A resumed run
    keeps its original options, and features that were built already are not built again.
    """
    require_all_or_resume(context, ("condition", "mimic"), "CONDITION and --mimic", ("by", "as_json"))
    from wardround.workflows.train import require_gates

    trained = _trained(resumed, by, given)
    if as_json:
        parts = {"card": trained.card, "comparison": trained.comparison}
        click.echo(
            json.dumps(
                {
                    **trained._asdict(),
                    "gates": trained.comparison.verdict,
                    **{name: part.model_dump(mode="json") for name, part in parts.items()},
                }
            )
        )
    else:
        from wardround.cli.cards import show_card
        from wardround.cli.comparisons import show_comparison

        show_card(trained.card)
        show_comparison(trained.comparison)
        if not trained.comparison.failed:
            click.echo(_verdict(trained))
    require_gates(trained.comparison)


def _trained(resumed: str | None, by: str, given: dict[str, Any]) -> "Trained":
    from wardround.workflows.train import resume, train

    settings = settings_from()
    with progress_bars() as progress:
        if resumed:
            return resume(resumed, settings, by, progress)
        return train(_request(given, settings), settings, by, progress, opened=partial(say_how_to_continue, "train"))


def _request(given: dict[str, Any], settings: Settings) -> "TrainingRequest":
    """Returns the request. A mistyped name raises UsageError here, and is not reported as a failed training."""
    from wardround.workflows.train import check_request, training_request

    try:
        request = training_request({**given, "created": datetime.now(UTC)})
        check_request(request, settings)
    except TrainingError as error:
        raise click.UsageError(str(error)) from None
    return request


def _verdict(trained: "Trained") -> str:
    unjudged = " No promotion gate could judge it." if trained.comparison.verdict == "not_judged" else ""
    if trained.live:
        return f"{trained.version} is live.{unjudged}"
    promote_it = f"`wardround model promote {trained.card.condition} {trained.version} --why TEXT` makes it live"
    return f"{trained.version} is not live; {promote_it}.{unjudged}"
