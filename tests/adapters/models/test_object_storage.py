"""Tests that a model store in object storage decides, refuses and remembers as one in a folder does."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest

from wardround.adapters.models.files import ConditionFiles
from wardround.adapters.models.store import ModelStore
from wardround.errors import ConditionSuspended, DatabaseError, ModelError, StorageError
from wardround.evaluation.comparison import Comparison, OnTest
from wardround.settings import database_in, settings_from
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition
from wardround.workflows.stores import model_store

WHEN = datetime(2026, 3, 1, 5, tzinfo=UTC)
URL = "memory://models"
NEW = "1.0.0-new"


@pytest.fixture
def sepsis(small_home: Path) -> Condition:
    return load_condition("sepsis", small_home / "include" / "schemas")


@pytest.fixture
def in_folder(lactate_models: Path) -> ModelStore:
    """Returns a store that nobody changes, with one live version."""
    return ModelStore(lactate_models)


@pytest.fixture
def store(in_folder: ModelStore, tmp_path: Path) -> Iterator[ModelStore]:
    """Returns a copy of the store in object storage."""
    memory = fsspec.filesystem("memory")
    memory.put(str(in_folder.root), "/models", recursive=True)
    yield ModelStore(URL, database_in(tmp_path), clock=lambda: WHEN)
    memory.rm("/", recursive=True)


def save_another(store: ModelStore) -> None:
    card = store.card("sepsis", store.versions("sepsis")[0])
    store.save("sepsis", card.model_copy(update={"version": NEW}), model_files(store))


def model_files(store: ModelStore) -> dict[str, bytes]:
    live = store.versions("sepsis")[0]
    files = ConditionFiles(store.root, "sepsis")
    return {name: files.found(f"{live}/{name}") or b"" for name in store.card("sepsis", live).files}


def test_a_store_that_was_copied_there_is_the_same_store(store, in_folder, sepsis) -> None:
    assert store.conditions() == in_folder.conditions() == ("sepsis",)
    assert store.versions("sepsis") == in_folder.versions("sepsis")
    assert store.decisions("sepsis") == in_folder.decisions("sepsis")
    assert store.live("sepsis") == in_folder.live("sepsis")
    assert store.doubts("sepsis") is None
    version = store.live_version("sepsis")
    assert store.page("sepsis", version) == in_folder.page("sepsis", version)
    assert store.load(sepsis).card == in_folder.load(sepsis).card


def test_everything_that_is_decided_there_is_decided_as_in_a_folder(store, sepsis) -> None:
    first = store.live_version("sepsis")
    save_another(store)
    tested = OnTest(rows=240, patients=110, patients_with_outcome=21)
    compared = Comparison(condition="sepsis", version=NEW, live=first, notes=(), test=tested, metrics={}, gates=())
    store.keep_comparison(compared)
    assert store.comparison("sepsis", NEW) == compared
    store.challenge(sepsis, NEW, "ann", "is it better?")
    assert store.promote(sepsis, NEW, "ann", "better").previous == first
    assert store.load(sepsis).version == NEW
    assert store.rollback(sepsis, "bob", "worse").version == first
    store.suspend("sepsis", "cat", "too many alarms")
    with pytest.raises(ConditionSuspended):
        store.require_active("sepsis")
    store.resume("sepsis", "cat", "mended")
    store.require_active("sepsis")
    said = [(each.what, each.version) for each in store.decisions("sepsis")[1:]]
    assert said == [("challenged", NEW), ("promoted", NEW), ("rolled_back", first), ("suspended", ""), ("resumed", "")]
    stored = json.loads(ConditionFiles(URL, "sepsis").found("live.json") or b"")
    assert stored == store.live("sepsis").model_dump(mode="json")
    assert store.doubts("sepsis") is None


def test_what_was_saved_in_part_is_no_version_and_is_saved_whole_the_next_time(store, sepsis) -> None:
    for name, content in model_files(store).items():
        ConditionFiles(URL, "sepsis").write_bytes(f"{NEW}/{name}", content[:10])
    with pytest.raises(ModelError, match="is not a stored version"):
        store.promote(sepsis, NEW, "ann", "better")
    save_another(store)
    assert store.promote(sepsis, NEW, "ann", "better").version == NEW


def test_a_changed_or_missing_object_can_neither_be_loaded_nor_go_live(store, sepsis) -> None:
    save_another(store)
    (name,) = model_files(store)
    ConditionFiles(URL, "sepsis").write_bytes(f"{NEW}/{name}", b"another model")
    with pytest.raises(ModelError, match=f"^memory://.*{name}: its digest is not the one recorded"):
        store.promote(sepsis, NEW, "ann", "better")
    ConditionFiles(URL, "sepsis").remove(f"{NEW}/{name}")
    with pytest.raises(ModelError, match=f"^memory://.*{name}: cannot be read"):
        store.load(sepsis, NEW)


def test_live_json_that_lags_is_repaired_by_the_next_reader(store, sepsis) -> None:
    files = ConditionFiles(URL, "sepsis")
    behind = files.found("live.json")
    save_another(store)
    store.promote(sepsis, NEW, "ann", "better")
    files.write_bytes("live.json", behind)
    assert store.live("sepsis").version == NEW
    assert json.loads(files.found("live.json") or b"")["version"] == NEW


def test_what_another_process_wrote_meanwhile_is_not_written_over(store) -> None:
    files = ConditionFiles(URL, "sepsis")
    with files.alone(store.database) as changes:
        before = files.found("decisions.jsonl")
        files.write_bytes("decisions.jsonl", b"{}\n")
        with pytest.raises(StorageError, match="was written by another process meanwhile"):
            changes.write_over("decisions.jsonl", before, b"mine")
        with pytest.raises(StorageError, match="was written by another process meanwhile"):
            changes.write_over("decisions.jsonl", None, b"mine")
    assert files.found("decisions.jsonl") == b"{}\n"


def test_of_many_who_decide_at_once_no_decision_is_lost(store) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(store.record, "sepsis", "rejected", NEW, "ann", f"{n}") for n in range(20)]:
            done.result()
    assert len(store.decisions("sepsis")) == 21
    assert store.doubts("sepsis") is None


def test_without_the_database_that_keeps_the_locks_nothing_is_decided_and_models_are_loaded(store, sepsis) -> None:
    cut_off, before = replace(store, database="postgresql://ward@127.0.0.1:9/wardround"), store.decisions("sepsis")
    assert cut_off.load(sepsis).card == store.load(sepsis).card
    with pytest.raises(DatabaseError, match="nothing is listening there"):
        cut_off.suspend("sepsis", "cat", "too many alarms")
    assert store.decisions("sepsis") == before


def test_the_settings_name_the_store_by_its_url_and_the_database_with_its_locks(tmp_path) -> None:
    settings = settings_from({"WARDROUND_MODELS": f"{URL}/", "WARDROUND_VAR": str(tmp_path)})
    assert (model_store(settings).root, model_store(settings).database) == (URL, database_in(tmp_path))
