"""Fills a store from a folder of FHIR files. Ids are kept; resources of unknown types are counted.

Each resource that cannot be stored is reported, and the others are stored all the same, unless `strict` is set.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wardround.adapters.files.whole_file import keep, keep_folder
from wardround.demo.fhir_server.problems import Problem, too_deep
from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES
from wardround.demo.fhir_server.session import WritingSession
from wardround.demo.fhir_server.store import Store
from wardround.errors import SourceDataError
from wardround.fhir.references import Resource
from wardround.sources.fhir_folder.bundles import Account
from wardround.sources.fhir_folder.resources import Current, FhirFolder, Place, Refuse, Unread

_PROGRESS_EVERY: Final = 5_000


@dataclass
class Loaded:
    """Counts of the resources that were stored, and skipped because the server does not support the type, by type.

    `refused` is the number of places in the folder that could not be used.
    """

    stored: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    account: Account = field(default_factory=Account)


def open_store(
    path: Path | None,
    data: Path | None,
    progress: Callable[[int], None] = lambda _: None,
    refuse: Refuse = lambda _: None,
    strict: bool = False,
) -> tuple[Store, Loaded]:
    """Returns a store at a path (a temporary one without a path), filled from a folder.

    A new or empty file appears only when it has been filled.

    `refuse` is called for each place in the folder that cannot be used. If there are any and `strict` is set, or if
    there are no FHIR files at all, raises SourceDataError, and nothing from the folder is kept.
    """
    if data is None:
        return Store(path), Loaded()
    if path is None or not _is_empty(path):
        store = Store(path)
        try:
            return store, load(store, data, progress, refuse, strict)
        except BaseException:
            store.close()
            raise
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with Store(unfinished) as store:
            loaded = load(store, data, progress, refuse, strict)
        with unfinished.open("rb") as file:
            keep(file)
        unfinished.replace(path)
        keep_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)
    return Store(path), loaded


def _is_empty(path: Path) -> bool:
    if not path.exists():
        return True
    with Store(path) as store, store.reading() as session:
        return not session.newest_pk()


def load(
    store: Store,
    data: Path,
    progress: Callable[[int], None] = lambda _: None,
    refuse: Refuse = lambda _: None,
    strict: bool = False,
) -> Loaded:
    """Stores every current resource of a folder (see `Current`, `open_store`). `progress` is called with the count."""
    loaded = Loaded()

    def refused(unread: Unread) -> None:
        loaded.refused += 1
        refuse(unread)

    folder = Current(FhirFolder(data), lambda resource: str(resource["resourceType"]), refused)
    loaded.account = folder.account
    with store.loading() as session:
        for number, (place, resource) in enumerate(folder.resources(), 1):
            _store_one(session, place, resource, loaded, refused)
            if number % _PROGRESS_EVERY == 0:
                progress(number)
        if strict and loaded.refused:
            raise SourceDataError(
                f"{data}: {loaded.refused} resources or files cannot be used, expected none with --strict; correct"
                " them (they are listed above), or leave out --strict to load the others"
            )
    return loaded


def _store_one(session: WritingSession, place: Place, resource: Resource, loaded: Loaded, refuse: Refuse) -> None:
    name = resource["resourceType"]
    if name not in RESOURCE_TYPES:
        loaded.skipped[name] += 1
        return
    try:
        session.put(name, resource["id"], resource)
    except Problem as problem:
        refuse(Unread(str(place), problem.diagnostics))
    except RecursionError:
        refuse(Unread(str(place), too_deep().diagnostics))
    else:
        loaded.stored[name] += 1
