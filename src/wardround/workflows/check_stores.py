"""Finds what does not fit together in the stores of Wardround, for example after a restoration.

They refer to each other in one direction: the database to runs, runs to models, and runs to results at a server.
Nothing is changed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from wardround.adapters.database.bedside import is_anybody_known
from wardround.adapters.database.database import opened
from wardround.adapters.database.history import names_in
from wardround.adapters.database.removed_runs import removed_runs
from wardround.adapters.files.folder import Folder
from wardround.adapters.models.store import ModelStore
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.core import run_files
from wardround.core.run_overview import RunName, RunOverview
from wardround.core.run_summary import RunSummary
from wardround.core.stored_request import StoredScreening
from wardround.errors import ModelError, StorageError
from wardround.settings import Settings
from wardround.workflows.run_list import overviews, run_names
from wardround.workflows.stores import model_store

Store = Literal["models", "runs", "database", "record"]
_ENDED: Final = ("complete", "incomplete", "in_doubt", "taken_back")


class Finding(NamedTuple):
    """What does not fit, in which store, and what to do about it."""

    store: Store
    what: str
    remedy: str


def check_stores(settings: Settings) -> list[Finding]:
    """Returns what does not fit in the model store, the run folders and the database; nothing if all does.

    Raises StorageError or DatabaseError for a store that cannot be used, such as a database of a newer release.
    """
    store, runs = model_store(settings), overviews(run_names(settings), settings)
    screenings = [one for one in runs if one.kind == "screening"]
    return [
        *_in_models(store),
        *_unfinished(runs),
        *_without_model(screenings, store, settings),
        *_in_database(screenings, settings),
    ]


def _in_models(store: ModelStore) -> Iterator[Finding]:
    for condition in store.conditions():
        if doubts := store.doubts(condition):
            yield Finding("models", doubts, "see the message")
            continue
        now = store.standing(condition)
        named = {"live": now.version, "previous": now.previous, "challenger": now.challenge and now.challenge.version}
        for role, version in named.items():
            if version and not _is_stored(store, condition, version):
                yield Finding(
                    "models",
                    f"{condition}: the {role} version {version} is missing or changed",
                    f"restore {store.root}/{condition} from a backup; until then promote another version",
                )


def _is_stored(store: ModelStore, condition: str, version: str) -> bool:
    try:
        store.card(condition, version)
    except (ModelError, StorageError):
        return False
    return True


def _unfinished(runs: Sequence[RunOverview]) -> Iterator[Finding]:
    for one in runs:
        if one.state in ("unfinished", "incomplete"):
            command = "train" if one.kind == "training" else "screen"
            yield Finding("runs", f"{one.run}: did not end", f"wardround {command} --resume {one.run}")
        elif one.state == "unreadable":
            yield Finding("runs", f"{one.run}: cannot be read", "restore its folder from another backup")


def _without_model(screenings: Sequence[RunOverview], store: ModelStore, settings: Settings) -> Iterator[Finding]:
    stored = {condition: store.versions(condition) for condition in {one.condition for one in screenings}}
    without = [one for one in screenings if one.model_version and one.model_version not in stored[one.condition]]
    requests = Folder(settings.runs).found_of(f"{one.run}/{run_files.REQUEST}" for one in without)
    missing = Counter(
        (one.condition, one.model_version)
        for one in without
        # A rehearsal scored with the demo's model, which each demo makes anew.
        if not StoredScreening.model_validate_json(requests[f"{one.run}/{run_files.REQUEST}"]).demo_model
    )
    for (condition, version), number in sorted(missing.items()):
        yield Finding(
            "runs",
            f"{number:,} runs of {condition} were scored by {version}, which the model store does not have",
            "restore the model store from a backup of the same time or a later one",
        )


def _in_database(screenings: Sequence[RunOverview], settings: Settings) -> Iterator[Finding]:
    with opened(settings.database) as database, database.reading() as connection:
        kept, removed = names_in(connection), {one.run for one in removed_runs(connection)}
        anybody = is_anybody_known(connection)
    ended = [one.run for one in screenings if one.state in _ENDED]
    if lacking := _belonging([run for run in ended if run not in kept], settings):
        yield Finding("database", f"{len(lacking):,} runs are missing from the history", "wardround history rebuild")
    if gone := _gone(kept - removed, [one.run for one in screenings]):
        yield Finding(
            "runs",
            f"{len(gone):,} runs of the history have no folder: {gone[0]}{' and later' if len(gone) > 1 else ''}",
            "restore the run folders from a later backup, or screen again for these times",
        )
    if anybody and not Pseudonyms.is_there(settings.var):
        yield Finding(
            "database",
            f"people are known by hashes, and their key is not in {settings.var}",
            "restore cds/pseudonyms.key there, from the backup of that folder",
        )


def _belonging(runs: Sequence[str], settings: Settings) -> list[str]:
    """Returns those of the runs that belong in the history: a run of patients requested by their ids does not."""
    summaries = Folder(settings.runs).found_of(f"{run}/{run_files.SUMMARY}" for run in runs)
    found: Mapping[str, RunSummary] = {
        place.partition("/")[0]: RunSummary.model_validate_json(content) for place, content in summaries.items()
    }
    return [run for run, summary in found.items() if summary.cohort != "patients"]


def _gone(kept: set[str], there: Sequence[str]) -> list[str]:
    """Returns the runs of the history whose folder is lost, the earliest first.

    What lies before the earliest folder of its condition was removed by a release that kept no account of it.
    """
    earliest: dict[str, str] = {}
    for run in sorted(there, key=lambda run: RunName.of(run).as_of, reverse=True):
        earliest[RunName.of(run).condition] = RunName.of(run).as_of
    names = sorted(map(RunName.of, kept - set(there)), key=lambda name: (name.as_of, name.condition))
    return [str(name) for name in names if name.as_of >= earliest.get(name.condition, "")]
