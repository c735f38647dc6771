"""Prepares the ward that the demo and `wardround up` screen: MIMIC's patients from CSVs, or simulated ones."""

from datetime import datetime
from pathlib import Path
from typing import Final

from wardround.core.progress import Say
from wardround.errors import SettingsError
from wardround.settings import Settings
from wardround.spec.loading import load_variables

SEED: Final = 1
DISCHARGED: Final = 600
"""Number of completed stays in the simulated CSVs, to train on."""


def prepare_ward(folder: Path, mimic: Path | None, stays: int, now: datetime, settings: Settings, say: Say) -> Path:
    """Fills folder/fhir with a census as of `now`, and returns the folder of MIMIC-IV CSVs to train on.

    Without `mimic`, a ward of `stays` stays is simulated, with its CSVs in folder/mimic. Raises SettingsError if the
    home has no DAGs, because Airflow would wait for them forever.
    """
    if not (settings.home / "dags").is_dir():
        where = f"WARDROUND_HOME: {settings.home / 'dags'}"
        raise SettingsError(f"{where} is not there, expected the DAG files; copy them there, or unset it")
    # pandas and duckdb take seconds to import.
    import pandas as pd

    from wardround.demo.mimic2fhir import Selection, mimic2fhir
    from wardround.demo.simulate import Plan, simulate

    variables, time = load_variables(settings.schemas), pd.Timestamp(now)
    if mimic is None:
        plan = Plan(stays, DISCHARGED, SEED, time)
        simulate(plan, folder, variables, lambda step: say(f"Simulating a ward of {stays} stays: {step}"))
        return folder / "mimic"
    selection = Selection(variables, rebase_to=time)
    mimic2fhir(mimic, folder / "fhir", selection, lambda step: say(f"Making a census of MIMIC: {step}"))
    return mimic
