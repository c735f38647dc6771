"""The steps of a training that need a DAG run's Params or Airflow's states; the others need none."""

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd
from airflow.sdk.exceptions import AirflowSkipException

from wardround.adapters.run_folder import run_id
from wardround.airflow.forms import run_time
from wardround.errors import SourceDataError
from wardround.settings import settings_from
from wardround.workflows import training
from wardround.workflows.training import TrainingRequest


def load(condition_id: str, params: Mapping[str, Any], dag_run: Any) -> str:
    """Opens the run and gives its id. A DAG run that is cleared opens the same run again."""
    mimic = params["mimic"] or os.environ.get("MIMIC_CSV_PATH")
    if not mimic:
        raise SourceDataError(
            "MIMIC folder: not given, expected one with hosp/ and icu/; fill it in or set MIMIC_CSV_PATH"
        )
    created = run_time(dag_run)
    request = TrainingRequest(
        condition=condition_id,
        mimic=mimic,
        created=created,
        label=params["label"],
        seed=params["seed"],
        run=run_id(f"train_{condition_id}", pd.Timestamp(created), dag_run.run_id),
    )
    return training.load(request, settings_from())


def promote(run: str, version: str) -> None:
    """Makes the version live if the run may; otherwise the task ends as skipped, and no event of the Asset is made."""
    if not training.promote(run, "Airflow", settings_from()):
        raise AirflowSkipException(f"{version} is stored; another version stays live until someone promotes this one")
