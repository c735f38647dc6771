"""Imports once, in a process that Airflow forks, what each of its forks would import anew, which takes seconds.

Every task and every reading of a DAG file runs in a process of its own: forked from the scheduler (LocalExecutor), from
a Celery worker or from the dag-processor. It begins with all that was imported there before. These functions only
import: threads, connections and models would not survive the fork.
"""

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Final

from wardround.errors import WardroundError

_OF_DAG_FILES: Final = (
    "airflow.sdk.definitions.decorators",
    "wardround.airflow.approval",
    "wardround.airflow.assets",
    "wardround.airflow.conditions",
    "wardround.airflow.defaults",
    "wardround.airflow.forms",
    "wardround.airflow.guard",
    "wardround.airflow.pools",
    "wardround.airflow.schedules",
    "wardround.airflow.sharing",
    "wardround.airflow.sources",
    "wardround.airflow.tags",
)
"""What DAG files import at their top."""

_OF_TASKS: Final = (
    "fhir.resources.R4B.annotation",
    "fhir.resources.R4B.codeableconcept",
    "fhir.resources.R4B.identifier",
    "fhir.resources.R4B.period",
    "fhir.resources.R4B.reference",
    "joblib",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "tzdata",
    "wardround.adapters.database.bedside",
    "wardround.airflow.retention_tasks",
    "wardround.airflow.screening_tasks",
    "wardround.airflow.stream_tasks",
    "wardround.airflow.suspension",
    "wardround.airflow.training_tasks",
    "xgboost",
)
"""What DAG files import inside their tasks, and what that imports only when it is needed."""


def preload(command: Sequence[str], executor: str) -> None:
    """Imports what the forks of a process need; nothing where it forks neither tasks nor readings of DAG files.

    Args:
        command: the process' command line, with its program: `airflow scheduler`, `airflow celery worker`, …
        executor: Airflow's setting `core.executor`.
    """
    match list(command[1:3]):
        case ["celery", "worker"]:
            forks_tasks = True
        case ["scheduler", *_]:
            forks_tasks = "LocalExecutor" in executor
        case ["dag-processor", *_]:
            forks_tasks = False
        case _:
            return
    _import(_OF_DAG_FILES)
    if forks_tasks:
        _import_what_tasks_need()


def _import_what_tasks_need() -> None:
    from wardround.adapters import expectations
    from wardround.adapters.files import storage
    from wardround.candidates.registry import CANDIDATES
    from wardround.settings import settings_from
    from wardround.workflows.screen.ahead import load_ahead

    _import(_OF_TASKS)
    for name in CANDIDATES:
        CANDIDATES[name]
    expectations.prepare()
    load_ahead()
    with suppress(WardroundError):  # a setting that cannot be used: each task says so, and a worker must start
        settings = settings_from()
        storage.prepare(settings.runs)
        storage.prepare(str(settings.models))


def _import(modules: Sequence[str]) -> None:
    for name in modules:
        import_module(name)
