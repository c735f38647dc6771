"""Tests that the record of decisions is append-only, and that a changed line is reported with its place."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from wardround.adapters.models.decisions import DecisionRecord
from wardround.adapters.models.files import ConditionFiles
from wardround.adapters.models.live_record import LIVE
from wardround.adapters.models.store import ModelStore
from wardround.cli.main import wardround
from wardround.errors import ModelError
from wardround.training.decisions import Decision

WHEN = datetime(2026, 3, 1, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Returns a store in which a was live, then b; c was rejected."""
    store = ModelStore(tmp_path, clock=lambda: WHEN)
    for what, version in (("promoted", "a"), ("promoted", "b"), ("rejected", "c"), ("suspended", "")):
        store.record("sepsis", what, version, by="ann", why=f"{what} {version}")
    return store


def _file(store: ModelStore) -> Path:
    return store.root / "sepsis" / "decisions.jsonl"


def test_a_new_line_leaves_the_lines_above_unchanged(store) -> None:
    before = _file(store).read_bytes()
    store.record("sepsis", "resumed", "", by="bob", why="mended")
    after = _file(store).read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == before.count(b"\n") + 1
    assert store.doubts("sepsis") is None


def _changed(lines: list[str]) -> list[str]:
    return [lines[0], lines[1].replace('"ann"', '"bob"'), *lines[2:]]


def _put_in(lines: list[str]) -> list[str]:
    return [*lines[:2], lines[0], *lines[2:]]


def _without_chain(lines: list[str]) -> list[str]:
    bare = {name: value for name, value in json.loads(lines[2]).items() if name != "above"}
    return [*lines[:2], json.dumps(bare), *lines[3:]]


def _shortened(store: ModelStore) -> None:
    _file(store).write_text("".join(_file(store).read_text().splitlines(keepends=True)[:1]))


def _emptied(store: ModelStore) -> None:
    _file(store).write_text("")


def _edited(store: ModelStore) -> None:
    _file(store).write_text(_file(store).read_text().replace("promoted b", "promoted x"))


@pytest.mark.parametrize(("spoil", "live"), [(_shortened, "a"), (_emptied, None), (_edited, "b")])
def test_a_record_that_no_backup_mends_is_accepted_by_somebody_and_held_from_then_on(store, spoil, live) -> None:
    spoil(store)
    doubts = store.doubts("sepsis") or ""
    assert (
        "restore it from a backup, or accept it as it is (`wardround model accept-record sepsis --why TEXT`)" in doubts
    )
    assert store.accept_record("sepsis", by="cat", why="the disk was lost").version == live
    assert store.doubts("sepsis") is None
    assert (store.root / "sepsis" / LIVE).exists() == (live is not None)
    assert (store.decisions("sepsis")[-1].what, store.decisions("sepsis")[-1].by) == ("record_accepted", "cat")
    store.record("sepsis", "resumed", "", by="bob", why="mended")
    assert store.doubts("sepsis") is None
    _file(store).write_text(_file(store).read_text().replace("the disk was lost", "the disk was found"))
    assert "does not follow" in (store.doubts("sepsis") or "")


SPOILT: list[tuple[Callable[[list[str]], list[str]], int]] = [
    (_changed, 3),
    (lambda lines: [lines[0], *lines[2:]], 2),
    (_put_in, 3),
    (lambda lines: [lines[1], lines[0], *lines[2:]], 1),
    (_without_chain, 3),
]


@pytest.mark.parametrize(("spoil", "line"), SPOILT)
def test_a_changed_removed_or_inserted_line_is_located(store, spoil, line) -> None:
    lines = _file(store).read_text().splitlines()
    _file(store).write_text("\n".join(spoil(lines)) + "\n")
    assert f"decisions.jsonl, line {line}: does not follow from the lines above it" in (store.doubts("sepsis") or "")
    store.suspend("sepsis", by="cat", why="whatever the record is like")
    assert f"line {line}: " in (store.doubts("sepsis") or "")


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_file_that_was_cut_short_is_found_by_live_json_until_somebody_says_what_is_to_be_live(store, kept) -> None:
    live = (store.root / "sepsis" / LIVE).read_text()
    _file(store).write_text("".join(_file(store).read_text().splitlines(keepends=True)[:kept]))
    doubts = store.doubts("sepsis") or ""
    assert f"line {kept}: does not match" in doubts
    assert "b was live according to them" in doubts
    store.live("sepsis")
    assert (store.root / "sepsis" / LIVE).read_text() == live


def test_lines_of_a_release_that_wrote_no_digest_are_read_and_held_from_then_on(store) -> None:
    lines = _file(store).read_text().splitlines()
    bare = [json.dumps({name: value for name, value in json.loads(line).items() if name != "above"}) for line in lines]
    _file(store).write_text("\n".join(bare))
    (store.root / "sepsis" / LIVE).unlink()
    assert store.doubts("sepsis") is None
    store.record("sepsis", "resumed", "", by="bob", why="mended")
    assert store.doubts("sepsis") is None
    assert len(store.decisions("sepsis")) == 5
    _file(store).write_text(_file(store).read_text().replace("promoted a", "promoted x"))
    assert "line 5: does not follow" in (store.doubts("sepsis") or "")


def test_a_record_that_is_changed_after_it_was_accepted_is_accepted_again_in_the_same_words(store) -> None:
    for before, after in (("promoted a", "promoted x"), ("promoted x", "promoted y")):
        _file(store).write_text(_file(store).read_text().replace(before, after))
        assert store.doubts("sepsis") is not None
        store.accept_record("sepsis", by="cat", why="the disk was lost")
        assert store.doubts("sepsis") is None
    accepted = len(store.decisions("sepsis"))
    store.accept_record("sepsis", by="cat", why="the disk was lost")
    assert len(store.decisions("sepsis")) == accepted


def test_a_reader_without_write_permission_uses_the_decisions(store) -> None:
    (store.root / "sepsis" / LIVE).unlink()
    (store.root / "sepsis" / ".lock").unlink()
    (store.root / "sepsis" / ".lock").mkdir()  # nobody can lock, and so nobody can write
    live = store.live("sepsis")
    assert live is not None
    assert live.version == "b"
    assert not (store.root / "sepsis" / LIVE).exists()


def test_an_empty_record_has_no_decision_and_no_doubts(tmp_path) -> None:
    files = ConditionFiles(tmp_path, "sepsis")
    record = DecisionRecord.read(files)
    assert (record.decisions, record.broken()) == ((), None)
    with files.alone(database="") as changes:
        decision = Decision(when=WHEN, by="ann", what="promoted", version="a", live=None, why="ü\u2028\n[red]")
        record.add(decision, changes)
    assert DecisionRecord.read(files).decisions[0].why == "ü\u2028\n[red]"


def test_check_and_model_list_say_where_a_record_was_changed(tmp_path, monkeypatch) -> None:
    store = ModelStore(tmp_path)
    for version in "ac":
        store.record("sepsis", "rejected", version, by="ann", why=f"alarms of {version}")
    monkeypatch.setenv("WARDROUND_MODELS", str(store.root))
    assert CliRunner().invoke(wardround, ["check"]).exit_code == 0
    _file(store).write_text(_file(store).read_text().replace("alarms of a", "alarms of b"))
    checked = CliRunner().invoke(wardround, ["check"])
    assert isinstance(checked.exception, ModelError)
    assert "decisions.jsonl, line 2: does not follow" in str(checked.exception)
    rows = json.loads(CliRunner().invoke(wardround, ["check", "--json"]).stdout)["conditions"]
    assert [row["condition"] for row in rows if row["doubts"]] == ["sepsis"]
    listed = CliRunner().invoke(wardround, ["model", "list", "sepsis"])
    assert listed.exit_code == 0
    assert "the recorded decisions may not be the ones that were made" in listed.stderr
    said = json.loads(CliRunner().invoke(wardround, ["model", "list", "--json"]).stdout)
    assert "line 2: does not follow" in said["doubts"]["sepsis"]


def test_a_record_that_cannot_be_read_stops_neither_the_list_nor_the_check_of_the_other_conditions(
    tmp_path, monkeypatch
) -> None:
    store = ModelStore(tmp_path)
    for condition in ("mortality", "sepsis"):
        store.record(condition, "rejected", "a", by="ann", why="alarms")
    _file(store).write_text("{}\n")
    monkeypatch.setenv("WARDROUND_MODELS", str(store.root))
    listed = CliRunner().invoke(wardround, ["model", "list", "--json"])
    assert isinstance(listed.exception, ModelError)
    assert "decisions.jsonl, line 1: not a decision" in str(listed.exception)
    assert json.loads(listed.stdout)["doubts"] == {}
    checked = CliRunner().invoke(wardround, ["check", "--json"])
    assert isinstance(checked.exception, ModelError)
    states = {row["condition"]: row["state"] for row in json.loads(checked.stdout)["conditions"]}
    assert states == {"mortality": "no model", "sepsis": "refused"}
