"""Stores a run's model as a version in the model store, with its card."""

import hashlib
from importlib.metadata import version as library_version
from typing import Any

from wardround.adapters.html.model_card import files_beside
from wardround.candidates.registry import CANDIDATES
from wardround.core import run_files
from wardround.evaluation.by_time import ByTime
from wardround.evaluation.gates import GateResult
from wardround.evaluation.results import Evaluated
from wardround.settings import Settings
from wardround.spec.base import format_duration
from wardround.spec.digest import spec_digest
from wardround.training.about import About
from wardround.training.model import HOSPITAL_STAY, Flow, ModelCard, Side, Split
from wardround.training.splits import FOLDS
from wardround.workflows.stores import model_store
from wardround.workflows.train.run import Run, load_run, step_of
from wardround.workflows.train.table import Rows

_LIBRARIES = ("wardround", "scikit-learn", "xgboost-cpu", "numpy", "pandas")


def write_card(run: str, settings: Settings) -> str:
    """Stores the model with its card and writes version.json; returns the version."""
    with step_of(run, "write_card", settings) as step:
        opened = load_run(run, settings)
        evaluated = Evaluated.model_validate(opened.folder.read_json(run_files.EVALUATION))
        candidate = CANDIDATES[evaluated.chosen]
        content = opened.folder.read_bytes(candidate.file_name)
        card = ModelCard(
            **_from_run(opened),
            **_from_table(opened),
            **{name: getattr(evaluated, name) for name in Evaluated.model_fields},
            version="",
            candidates=opened.results(),
            contributions_unit=candidate.unit,
            libraries={name: library_version(name) for name in _LIBRARIES},
            files={candidate.file_name: hashlib.sha256(content).hexdigest()},
        )
        card = card.model_copy(update={"version": card.content_version(opened.condition.version)})
        files = {candidate.file_name: content, **files_beside(card)}
        version = model_store(settings).save(opened.condition.id, card, files)
        opened.folder.write_json(run_files.VERSION, {"version": version})
        step.name(version=version)
    return version


def _from_run(run: Run) -> dict[str, Any]:
    condition, request = run.condition, run.request
    horizon = request.horizon or condition.horizon
    by_time = run.folder.read_json_or(run_files.BY_TIME, None)
    return {
        "condition": condition.id,
        "title": condition.title,
        "about": About.of(condition),
        "created": request.created,
        "columns": condition.columns,
        "spec_digest": spec_digest(condition),
        "label": run.label,
        "horizon": format_duration(horizon) if horizon else HOSPITAL_STAY,
        "prediction_time": run.task.at,
        "training_hours": run.training_hours,
        "seed": request.seed,
        "task": run.task,
        "readings_set_aside": run.set_aside(),
        "by_time": ByTime.model_validate(by_time) if by_time else None,
        "gates": tuple(GateResult.model_validate(gate) for gate in run.folder.read_json(run_files.GATES)),
    }


def _from_table(run: Run) -> dict[str, Any]:
    train, test = run.table.side(on_test=False), run.table.side(on_test=True)
    excluded = run.folder.read_frame(run_files.NOT_IN_TABLE)["reason"].value_counts()
    left_out = {str(reason): int(count) for reason, count in sorted(excluded.items())}
    used = train.stays + test.stays
    return {
        "data_digest": run.table.digest(),
        "cohort": Flow(found=used + sum(left_out.values()), excluded=left_out, used=used),
        "split": _split(run, _side(train), _side(test)),
    }


def _split(run: Run, train: Side, test: Side) -> Split:
    share = test.patients / (train.patients + test.patients)
    return Split(rule=run.request.split, train=train, test=test, test_share=round(share, 4), folds=FOLDS)


def _side(rows: Rows) -> Side:
    return Side(
        patients=rows.patients.nunique(),
        stays=rows.stays,
        positives=rows.positive_stays,
        patients_with_outcome=rows.positive_patients,
    )
