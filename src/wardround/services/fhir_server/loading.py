"""A folder of NDJSON files and Bundles in, a filled store out. Ids are kept; unknown resource types are counted."""

import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from wardround.adapters.fhir_times import UNKNOWN
from wardround.adapters.fhir_versions import last_updated, updated_at
from wardround.errors import SourceDataError
from wardround.services.fhir_server.problems import Problem
from wardround.services.fhir_server.references import rewritten
from wardround.services.fhir_server.resource_types import RESOURCE_TYPES
from wardround.services.fhir_server.session import WritingSession
from wardround.services.fhir_server.store import Store
from wardround.services.fhir_server.validation import is_id

_SUFFIXES = (".ndjson", ".ndjson.gz", ".json")
_PROGRESS_EVERY = 5_000


class Loaded(NamedTuple):
    """How many resources of each type were stored, and how many of types that the server does not keep."""

    stored: Counter[str]
    skipped: Counter[str]


class Place(NamedTuple):
    """Where a resource was read."""

    file: Path
    unit: str
    number: int

    @property
    def text(self) -> str:
        return f"{self.file}, {self.unit} {self.number}"


def open_store(
    path: Path | None, data: Path | None, progress: Callable[[int], None] = lambda _: None
) -> tuple[Store, Loaded]:
    """A store at a path (temporary without), filled from a folder; a file that was not there appears when it is full.

    Raises SourceDataError for data that cannot be loaded; then nothing of it stays.
    """
    if data is None:
        return Store(path), Loaded(Counter(), Counter())
    if path is None or path.exists():
        store = Store(path)
        try:
            return store, load(store, data, progress)
        except BaseException:
            store.close()
            raise
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with Store(unfinished) as store:
            loaded = load(store, data, progress)
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return Store(path), loaded


def load(store: Store, data: Path, progress: Callable[[int], None] = lambda _: None) -> Loaded:
    """Stores every resource of a folder's *.ndjson, *.ndjson.gz and *.json (Bundles), of several versions the latest.

    `progress` gets the count.
    """
    loaded = Loaded(Counter(), Counter())
    newest: dict[str, int] = {}  # of the resources that say when they were updated
    with store.loading() as session:
        for number, (place, resource) in enumerate(_resources(data), 1):
            if not _is_outdated(resource, newest):
                _store_one(session, place, resource, loaded)
            if number % _PROGRESS_EVERY == 0:
                progress(number)
    return loaded


def _is_outdated(resource: Any, newest: dict[str, int]) -> bool:
    """Whether a version of later came before; `newest` is told of this one."""
    updated = updated_at(last_updated(resource)) if isinstance(resource, dict) else UNKNOWN
    if updated == UNKNOWN:
        return False
    key = f"{resource.get('resourceType')}/{resource.get('id')}"
    before = newest.setdefault(key, updated)
    newest[key] = max(before, updated)
    return before > updated


def _store_one(session: WritingSession, place: Place, resource: Any, loaded: Loaded) -> None:
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    if name not in RESOURCE_TYPES:
        loaded.skipped[str(name)] += 1
        return
    if not is_id(resource.get("id")):
        raise SourceDataError(f"{place.text}: a {name} without a valid id, expected one; ids are kept as they are")
    try:
        session.put(name, resource["id"], resource)
    except Problem as problem:
        raise SourceDataError(f"{place.text}: {problem.diagnostics}; correct or remove it") from None
    loaded.stored[name] += 1


def _resources(data: Path) -> Iterator[tuple[Place, Any]]:
    """Every resource, with its place."""
    files = sorted(file for file in data.iterdir() if file.name.endswith(_SUFFIXES)) if data.is_dir() else []
    if not files:
        raise SourceDataError(
            f"{data}: no such files, expected a folder of {', '.join('*' + end for end in _SUFFIXES)}"
        )
    for file in files:
        yield from _of_bundle(file) if file.suffix == ".json" else _of_lines(file)


def _of_lines(file: Path) -> Iterator[tuple[Place, Any]]:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.isspace():
                    yield Place(file, "line", number), orjson.loads(line)
    except (OSError, EOFError, orjson.JSONDecodeError) as error:
        raise SourceDataError(
            f"{file}: cannot be read, expected one JSON resource a line; {type(error).__name__}"
        ) from None


def _of_bundle(file: Path) -> Iterator[tuple[Place, Any]]:
    try:
        bundle = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SourceDataError(f"{file}: cannot be read, expected a Bundle; {type(error).__name__}") from None
    entries = bundle.get("entry", []) if isinstance(bundle, dict) else None
    if not isinstance(entries, list) or bundle.get("resourceType") != "Bundle":
        raise SourceDataError(f"{file}: not a Bundle, expected one; other JSON does not belong into the folder")
    resources = [(entry.get("fullUrl"), entry.get("resource")) for entry in entries if isinstance(entry, dict)]
    local_of = {
        url: f"{resource['resourceType']}/{resource.get('id')}"
        for url, resource in resources
        if url and isinstance(resource, dict) and "resourceType" in resource
    }
    for number, (_, resource) in enumerate(resources):
        yield Place(file, "entry", number), rewritten(resource, lambda reference: local_of.get(reference, reference))
