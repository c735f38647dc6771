"""Finds where people open the result of a run, for the last line of each task's log."""

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.files.stored_request_file import read_request
from wardround.adapters.html.model_card import PAGE
from wardround.adapters.models.files import ConditionFiles
from wardround.core import run_files
from wardround.core.stored_request import StoredTraining
from wardround.settings import Settings


def report_place(run: str, settings: Settings) -> str:
    """Returns the run's page in Airflow's UI if its address is known, else its report if there is one, else ""."""
    if settings.pages:
        return _page(run, settings.pages)
    folder = RunFolder.of(settings.runs, run)
    return folder.location(run_files.REPORT) if folder.exists(run_files.REPORT) else ""


def card_place(run: str, settings: Settings) -> str:
    """Returns a training's page in Airflow's UI if its address is known, else its model's card if stored, else ""."""
    if settings.pages:
        return _page(run, settings.pages)
    folder = RunFolder.of(settings.runs, run)
    if not folder.exists(run_files.VERSION):
        return ""
    condition = read_request(folder, StoredTraining).condition
    version = folder.read_json(run_files.VERSION)["version"]
    return stored_card_place(condition, version, settings)


def stored_card_place(condition_id: str, version: str, settings: Settings) -> str:
    """Returns where the card of a stored version is, in Airflow's UI or in the model store."""
    if settings.pages:
        return f"{settings.pages}/models/{condition_id}/{version}/{PAGE}"
    return ConditionFiles(settings.models, condition_id).location(f"{version}/{PAGE}")


def _page(run: str, pages: str) -> str:
    return f"{pages}/runs/{run}"
