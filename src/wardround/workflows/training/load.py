"""A MIMIC folder in; its stays, each with its outcome or why it is left out, as files of a new run out."""

import pandas as pd

from wardround.adapters.mimic.folder import MimicFolder
from wardround.core.cohorts import training_cohort
from wardround.core.labels import Admissions, outcomes
from wardround.settings import Settings
from wardround.workflows.training.request import TrainingRequest
from wardround.workflows.training.run import Run, open_run


def load(request: TrainingRequest, settings: Settings) -> str:
    """Opens a run and writes index.parquet (as_of, outcome) and left_out.parquet; gives the run id.

    Raises SpecError, TrainingError (a label that the condition does not have) or SourceDataError.
    """
    run = open_run(request, settings)
    folder = MimicFolder(request.mimic)
    stays = folder.stays()
    cohort = training_cohort(stays, _outcomes(run, folder, stays), request.at, run.condition)
    run.folder.write_frame("index.parquet", cohort.index)
    run.folder.write_frame("left_out.parquet", cohort.excluded)
    return run.id


def _outcomes(run: Run, folder: MimicFolder, stays: pd.DataFrame) -> pd.Series:
    return outcomes(Admissions(stays, folder.diagnoses()), run.label)
