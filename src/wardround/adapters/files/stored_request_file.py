"""Reads and writes the request.json of a run's folder."""

from typing import Final, TypeVar

from pydantic import ValidationError

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.stored_request import StoredScreening, StoredTraining, stored_request
from wardround.errors import RunNotFound, StorageError

Stored = TypeVar("Stored", StoredScreening, StoredTraining)
_NAMES: Final = {StoredScreening: "screening", StoredTraining: "training"}


def write_request(folder: RunFolder, request: StoredScreening | StoredTraining) -> None:
    folder.write_json(run_files.REQUEST, request.as_json())


def read_request(folder: RunFolder, kind: type[Stored]) -> Stored:
    """Returns the request that a run was opened with.

    Raises RunNotFound if it is another kind of run, and StorageError if the file is damaged.
    """
    place = folder.location(run_files.REQUEST)
    try:
        found = stored_request(folder.read_json(run_files.REQUEST))
    except ValueError as error:
        raise StorageError(
            f"{place}: {_fault(error)}, expected the request of a run; restore the file from a backup, or start a new"
            " run"
        ) from None
    if not isinstance(found, kind):
        raise RunNotFound(
            f"{place}: is the request of a {_NAMES[type(found)]}, expected that of a {_NAMES[kind]}; `wardround runs"
            " list` names the screenings"
        )
    return found


def _fault(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return "is not JSON"
    return "cannot be used: " + "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'it'}: {item['msg'].lower()}" for item in error.errors()
    )
