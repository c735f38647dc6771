"""Reads MIMIC's stays into a new run, each with its outcome or the reason why it is left out."""

import pandas as pd

from wardround.core import run_files
from wardround.settings import Settings
from wardround.sources.mimic.folder import MimicFolder
from wardround.training.cohort import training_cohort
from wardround.training.labels import LabelSources, outcomes
from wardround.workflows.train.request import TrainingRequest
from wardround.workflows.train.run import Run, open_run, step_of


def load(request: TrainingRequest, settings: Settings) -> str:
    """Opens a run and writes task.json, stays.parquet (outcome, onset, last_hour), left_out.parquet and, for the label
    sepsis3, onsets.parquet (stay_id, sofa_time, suspected_infection_time); returns the run id.

    Raises SpecError, TrainingError (the condition does not have the label or the task) or SourceDataError.
    """
    run = open_run(request, settings)
    with step_of(run.id, "load", settings) as step:
        run.folder.write_json(run_files.TASK, run.task.model_dump(mode="json"))
        folder = MimicFolder(request.mimic, memory=settings.memory)
        stays = folder.stays()
        known = outcomes(_sources(run, folder, stays), run.label)
        cohort = training_cohort(stays, known, run.task, run.condition, request.seed)
        run.folder.write_frame(run_files.STAYS, cohort.stays)
        run.folder.write_frame(run_files.LEFT_OUT, cohort.excluded)
        step.count(stays=len(cohort.stays), with_the_outcome=int(cohort.stays["outcome"].sum()))
        step.count_reasons("left out", cohort.excluded["reason"])
    return run.id


def _sources(run: Run, folder: MimicFolder, stays: pd.DataFrame) -> LabelSources:
    if run.label.rule != "sepsis3":
        return LabelSources(stays, folder.diagnoses())
    found = folder.sepsis3()
    run.folder.write_frame(run_files.ONSETS, found[["stay_id", "sofa_time", "suspected_infection_time"]])
    return LabelSources(stays, folder.diagnoses(), found)
