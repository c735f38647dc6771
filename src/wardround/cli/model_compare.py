"""`wardround model compare`: compares two stored versions on the same patients."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wardround.cli.results import add_row, print_table, say, tell
from wardround.escaping import visible
from wardround.settings import settings_from

if TYPE_CHECKING:
    from wardround.evaluation.two_versions import TwoVersions

_NAMES: Final = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier score (lower is better)",
    "calibration_slope": "calibration slope (1 is ideal)",
    "calibration_intercept": "calibration intercept (0 is ideal)",
    "sensitivity": "sensitivity at the high threshold",
    "ppv": "PPV at the high threshold",
    "f1": "F1 at the high threshold",
    "alerts_high": "predictions per 100 patient-days, high",
    "alerts_moderate": "predictions per 100 patient-days, moderate or high",
}


@click.command("compare", short_help="Compare two stored versions.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--condition", help="The condition of the versions, if several conditions have them.")
@click.option(
    "--mimic",
    type=click.Path(path_type=Path),
    help="MIMIC-IV, to rebuild the test patients from (default: use those of a training run that was kept).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def compare_versions(first: str, second: str, condition: str | None, mimic: Path | None, as_json: bool) -> None:
    """Compare the stored versions A and B on the same test patients.

    Differences are A minus B, with 95 % intervals over patients; with too few of them there is no interval, and the
    output says so. It also says which patients these are, and whether either version was trained on them, which makes
    the comparison unfair.
    """
    from wardround.workflows.train import compare_versions

    if mimic:
        say("Rebuilding the test patients from MIMIC-IV")
    found = compare_versions(first, second, condition, mimic, settings_from())
    if as_json:
        told = dict(zip(("first", "second"), found.fairness, strict=True))
        click.echo(json.dumps({**found.model_dump(mode="json"), "fairness": told}))
    else:
        _show(found)


def _show(found: "TwoVersions") -> None:
    from rich.table import Table
    from rich.text import Text

    from wardround.evaluation.metric_text import in_text

    for sentence in (*found.fairness, *found.notes):
        tell(sentence)
    test = found.test
    tell(
        f"On {found.patients}: {test.patients:,} patients, {test.patients_with_outcome:,} with the outcome;"
        f" {test.rows:,} rows."
    )
    if test.left_out:
        tell(test.left_out)
    table = Table("figure (95 % interval)")
    for header in (f"A: {found.first.version}", f"B: {found.second.version}", "A minus B"):
        table.add_column(Text(visible(header)))
    for name, pair in found.metrics.items():
        add_row(table, _NAMES[name], in_text(pair.first), in_text(pair.second), in_text(pair.difference, "+"))
    print_table(table)
