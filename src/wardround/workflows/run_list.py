"""Lists the runs of the store, the newest first, with overviews on request."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from wardround.adapters.files.folder import AT_ONCE, Folder
from wardround.adapters.files.run_folder import RUN_ID, RunFolder, key_part, runs_in
from wardround.core import run_files
from wardround.core.run_overview import FILES, RunName, RunOverview, overview, unreadable
from wardround.core.stored_request import StoredScreening, StoredTraining, stored_request
from wardround.errors import RunNotFound
from wardround.fhir.endpoint import shown
from wardround.settings import Settings


def run_names(settings: Settings) -> list[RunName]:
    """Returns the names of all runs, the latest prediction time first. No file is read."""
    names = [RunName.of(run) for run in runs_in(settings.runs)]
    return sorted(names, key=lambda name: (name.as_of, name.condition, name.key), reverse=True)


def has_key(name: RunName, key: str) -> bool:
    """Returns whether the run was opened for this key: the id of the DAG run that it belongs to."""
    return name.key == key_part(key)


def overviews(names: Sequence[RunName], settings: Settings) -> list[RunOverview]:
    """Returns overviews in the order of the names; a run that was never opened, or is being removed, is left out."""
    wanted = [f"{name}/{file}" for name in names for file in FILES]
    contents = Folder(settings.runs).found_of(wanted)
    found = [(str(name), _files_of(name, contents)) for name in names]
    return [_overview(run, files) for run, files in found if run_files.REQUEST in files]


def sizes(runs: Sequence[str], settings: Settings) -> dict[str, int]:
    """Returns how many bytes the files of each run have together."""
    with ThreadPoolExecutor(AT_ONCE) as readers:
        return dict(zip(runs, readers.map(lambda run: RunFolder.of(settings.runs, run).size(), runs), strict=True))


def overview_of(run: str, settings: Settings) -> RunOverview:
    """Returns the overview of one run. Raises RunNotFound, also for text that is not the name of a run."""
    found = overviews([RunName.of(run)], settings) if RUN_ID.fullmatch(run) else []
    if not found:
        raise RunNotFound("no such run, expected one of those in the list; choose one there")
    return found[0]


def _files_of(name: RunName, contents: Mapping[str, bytes]) -> dict[str, bytes]:
    return {file: contents[place] for file in FILES if (place := f"{name}/{file}") in contents}


def _source(request: StoredScreening | StoredTraining) -> str:
    """Returns the name of the server that a run reads, or its URL without a secret."""
    return "" if isinstance(request, StoredTraining) else request.source_name or shown(request.source_url)


def _overview(run: str, files: Mapping[str, bytes]) -> RunOverview:
    try:
        read: dict[str, Any] = {name: orjson.loads(content) for name, content in files.items()}
        request = stored_request(read[run_files.REQUEST])
        return overview(run, request, read, _source(request))
    except (KeyError, TypeError, ValueError, AttributeError):
        # An incomplete run, or one of another release, is listed all the same.
        return unreadable(run)
