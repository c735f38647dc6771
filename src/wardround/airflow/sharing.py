"""Stops a task at once if its worker does not share the runs and the models with the worker that opened the run.

The task that opens a run leaves a mark in the run's folder, and Airflow takes it to the tasks after it, which compare.
"""

import functools
import secrets
import socket
from collections.abc import Callable
from typing import Any, Final

from airflow.sdk import get_current_context

from wardround.airflow.guard import task
from wardround.errors import SettingsError
from wardround.settings import Settings, settings_from

MARK: Final = "opened"
"""The key of the mark in XCom."""


def mark_of(run: str, condition_id: str) -> dict[str, str]:
    """Marks the run's folder, and returns the mark: who opened the run where, and what it found in the model store."""
    from wardround.adapters.files.run_folder import RunFolder
    from wardround.core import run_files
    from wardround.workflows.stores import model_store

    settings = settings_from()
    mark = {"host": socket.gethostname(), "run": run, "token": secrets.token_hex(8)}
    RunFolder.existing(settings.runs, run).write_json(run_files.OPENED, mark)
    places = {"runs": _shown(settings.runs), "models": _shown(str(settings.models))}
    return {**mark, **places, "condition": condition_id, "decisions": model_store(settings).head(condition_id)}


def require_shared(mark: dict[str, str], opener: str, settings: Settings) -> None:
    """Raises SettingsError if this process sees another folder of runs, or another model store, than the mark's."""
    from wardround.adapters.files.run_folder import RunFolder
    from wardround.core import run_files
    from wardround.workflows.stores import model_store

    found = RunFolder.of(settings.runs, mark["run"]).read_json_or(run_files.OPENED, {})
    if found.get("token") != mark["token"]:
        used = f"in which {opener} opened {mark['run']}"
        raise _unshared(
            "WARDROUND_RUNS", "the folder of runs", used, (mark["runs"], settings.runs), mark["host"], opener
        )
    if not model_store(settings).once_was(mark["condition"], mark["decisions"]):
        places, used = (mark["models"], str(settings.models)), f"that {opener} used"
        raise _unshared("WARDROUND_MODELS", "the model store", used, places, mark["host"], opener)


def task_after(opener: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Airflow's `@task` with these options around guarded work, for a task after the one that opened the run."""

    def decorated(work: Callable[..., Any]) -> Any:
        @functools.wraps(work)
        def in_shared_storage(*args: Any, **kwargs: Any) -> Any:
            mark = get_current_context()["ti"].xcom_pull(task_ids=opener, key=MARK)
            if mark:  # a run that an earlier release opened has none
                require_shared(mark, opener, settings_from())
            return work(*args, **kwargs)

        in_shared_storage.after = opener  # type: ignore[attr-defined]
        return task(**options)(in_shared_storage)

    return decorated


def _unshared(variable: str, what: str, used: str, places: tuple[str, str], host: str, opener: str) -> SettingsError:
    there, here = places
    return SettingsError(
        f"{variable}: {what} on {socket.gethostname()} ({_shown(here)}) is not the one {used} on {host} ({there}),"
        f" expected all workers to share it; give both hosts the same shared folder or object storage"
        f" (docs/operations/several-machines.md), then clear {opener}"
    )


def _shown(place: str) -> str:
    from wardround.fhir.endpoint import shown

    return shown(place)
