"""Reads MIMIC's stays into a new run, each with its outcome or the reason why it is left out."""

import pandas as pd

from wardround.core import run_files
from wardround.evaluation.results import Definition
from wardround.settings import Settings
from wardround.sources.mimic.folder import MimicFolder
from wardround.training.cohort import counted, training_cohort, why_left_out
from wardround.training.labels import LabelSources, definitions_of, outcomes
from wardround.training.tasks import first_hours, task_of
from wardround.workflows.train.request import TrainingRequest
from wardround.workflows.train.run import Run, open_run, step_of


def load(request: TrainingRequest, settings: Settings) -> str:
    """Opens a run and writes task.json, training_hours.json, stays.parquet (with outcome, onset and the hours that the
    stay is followed), left_out.parquet and, for a label with several definitions of onset, definitions.parquet and
    definitions.json; returns the run id.

    Raises SpecError, TrainingError (the condition does not have the label or the task) or SourceDataError.
    """
    run = open_run(request, settings)
    with step_of(run.id, "load", settings) as step:
        run.folder.write_json(run_files.TASK, run.task.model_dump(mode="json"))
        folder = MimicFolder(request.mimic, memory=settings.memory)
        stays = folder.stays()
        sources = _sources(run, folder, stays)
        known = outcomes(sources, run.label)
        cohort = training_cohort(stays, known, run.task, run.condition, request.seed)
        _write_definitions(run, sources)
        run.folder.write_json(run_files.TRAINING_HOURS, cohort.covered.model_dump(mode="json"))
        run.folder.write_frame(run_files.STAYS, cohort.stays)
        run.folder.write_frame(run_files.LEFT_OUT, cohort.excluded)
        step.count(stays=len(cohort.stays), with_the_outcome=int(cohort.stays["outcome"].sum()))
        step.count_reasons("left out", cohort.excluded["reason"])
    return run.id


def _sources(run: Run, folder: MimicFolder, stays: pd.DataFrame) -> LabelSources:
    if run.label.rule != "sepsis3":
        return LabelSources(stays, folder.diagnoses())
    return LabelSources(stays, folder.diagnoses(), folder.sepsis3())


def _write_definitions(run: Run, sources: LabelSources) -> None:
    """Writes the outcome of every stay by each definition of the label, and how many are left to predict by it."""
    labels = definitions_of(run.label)
    if len(labels) == 1:
        return
    # Drawn by the ids of the stays alone, so that it is the same for all definitions.
    first = first_hours(sources.stays, run.task, run.request.seed)
    counts, frames = [], []
    for label in labels:
        known = outcomes(sources, label)
        task = task_of(label, run.request.at, run.request.horizon)
        reasons = why_left_out(sources.stays, known, first, task, run.condition)
        named = {"onset": str(label.onset), "suspicion": label.suspicion}
        counts.append(Definition(**named, stays=counted(known, reasons)).model_dump(mode="json"))
        stays = sources.stays[["stay_id"]].assign(definition=named["onset"], suspicion=named["suspicion"])
        frames.append(pd.concat([stays, known], axis=1))
    run.folder.write_json(run_files.DEFINITIONS, counts)
    run.folder.write_frame(run_files.DEFINED, pd.concat(frames, ignore_index=True))
