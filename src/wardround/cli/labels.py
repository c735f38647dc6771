"""`wardround labels`: the labels of all ICU stays of MIMIC-IV, as parquet."""

from dataclasses import asdict
from pathlib import Path

import click

from wardround.cli.results import say, show
from wardround.settings import settings_from


@click.command()
@click.argument("condition")
@click.option("--label", required=True, metavar="RULE", help="Rule of the label: sepsis3.")
@click.option("--mimic", type=click.Path(path_type=Path), required=True, help="MIMIC-IV folder, with hosp/ and icu/.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Parquet file to write, a row per stay.")
@click.option("--detail", type=click.Path(path_type=Path), help="Parquet file to write, a row per stay and hour: SOFA.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(condition: str, label: str, mimic: Path, out: Path, detail: Path | None, as_json: bool) -> None:
    """Write CONDITION's labels with their times: stay_id, mimic_stay_id, sepsis3, suspected_infection_time, sofa_time,
    onset; a row per stay sorted by stay_id.

    stay_id is the FHIR Encounter id, mimic_stay_id MIMIC's own number. Both times are empty unless sepsis3 is true.
    """
    for option, path in (("--out", out), ("--detail", detail)):
        if path is not None and not path.absolute().parent.is_dir():
            raise click.BadParameter(f"the folder {path.absolute().parent} does not exist", param_hint=option)
    from wardround.adapters.mimic import MimicFolder
    from wardround.errors import TrainingError
    from wardround.spec.loading import load_condition
    from wardround.workflows.labels import write_sepsis3

    spec = load_condition(condition, settings_from().schemas)
    if label != "sepsis3":
        raise TrainingError(f"--label: got {label!r}, expected 'sepsis3', the label of {spec.id} that has times")
    say(f"Reading {mimic}")
    written = write_sepsis3(MimicFolder(mimic).sepsis3_parts(), out, detail)
    show({**asdict(written), "out": str(out)}, as_json)
