"""`wardround labels`: writes a label for all ICU stays of MIMIC-IV as parquet."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wardround.cli.label_choices import onset_option, suspicion_option
from wardround.cli.results import say, show
from wardround.errors import TrainingError
from wardround.settings import settings_from

if TYPE_CHECKING:
    from wardround.spec.conditions import OnsetDefinition, Suspicion


@click.command()
@click.argument("condition")
@click.option("--label", metavar="RULE", help="A label rule of the condition, such as sepsis3.  [default: its first]")
@onset_option
@suspicion_option
@click.option(
    "--mimic",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of MIMIC-IV with hosp/ and icu/, or a DuckDB file.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Parquet file to write, with one row per stay.",
)
@click.option(
    "--detail",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Parquet file for the hourly SOFA scores (only with label sepsis3).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(
    condition: str,
    label: str | None,
    onset: "OnsetDefinition | None",
    suspicion: "Suspicion | None",
    mimic: Path,
    out: Path,
    detail: Path | None,
    as_json: bool,
) -> None:
    """Write a label of CONDITION to a parquet file: one row per stay, sorted by stay_id.

    The columns are stay_id, mimic_stay_id, the label under the name of its rule, and onset; Sepsis-3 also has
    suspected_infection_time, sofa_time and sofa_rise_time. stay_id is the FHIR Encounter id, mimic_stay_id MIMIC's own
    number. Times are empty if the label is not true, and sofa_rise_time also if SOFA did not rise. The file of hourly
    SOFA scores has stay_id, mimic_stay_id, hour, endtime, sofa_24hours and its six components.
    """
    for option, path in (("--out", out), ("--detail", detail)):
        if path is not None and not path.absolute().parent.is_dir():
            raise click.BadParameter(f"the folder {path.absolute().parent} does not exist", param_hint=option)
    from wardround.sources.mimic import MimicFolder
    from wardround.spec.loading import load_condition
    from wardround.training.labels import label_of
    from wardround.workflows.labels import write_labels

    try:
        asked = label_of(load_condition(condition, settings_from().schemas), label, onset, suspicion)
    except TrainingError as error:
        raise click.UsageError(str(error)) from None
    if detail is not None and asked.rule != "sepsis3":
        raise click.UsageError(f"--detail goes with --label sepsis3, not with {asked.rule}")
    written = write_labels(MimicFolder(mimic, memory=settings_from().memory), asked, out, detail, say)
    counts = {"stays": written.stays, asked.rule: written.positive, "unknown": written.unknown, "hours": written.hours}
    show({**counts, "out": str(out)}, as_json)
