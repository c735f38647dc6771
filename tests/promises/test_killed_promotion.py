"""Tests that a decision killed at any step is either made or not made, and that the next call repairs the rest."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version as library_version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from wardround.adapters.models.store import ModelStore
from wardround.candidates.registry import CANDIDATES
from wardround.errors import StorageError
from wardround.spec.conditions import Condition
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_condition
from wardround.training.fitting import inputs_from
from wardround.training.model import ModelCard

WORKS = ("save", "promote", "rollback", "suspend")
Run = Callable[..., int]


@pytest.fixture(scope="module")
def condition(schemas) -> Condition:
    return load_condition("mortality", schemas)


@pytest.fixture(scope="module")
def card(evaluated_card, condition) -> ModelCard:
    return evaluated_card.model_copy(
        update={
            "condition": "mortality",
            "columns": condition.columns,
            "imputation": dict.fromkeys(condition.columns, 0.0),
            "spec_digest": spec_digest(condition),
            "chosen": "logistic_regression",
            "libraries": {"scikit-learn": library_version("scikit-learn")},
        }
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory, condition, card) -> Path:
    """Returns a store with the versions a and b, of which b is live and a was live before."""
    store, candidate = ModelStore(tmp_path_factory.mktemp("models")), CANDIDATES["logistic_regression"]
    features = pd.DataFrame(np.random.default_rng(1).normal(size=(40, len(condition.columns))))
    inputs = inputs_from(features.set_axis(list(condition.columns), axis=1), dict.fromkeys(condition.columns, 0.0))
    content = candidate.fit(inputs, (inputs[:, 0] > 0).astype(int), seed=1).dump()
    for version in "abd":
        store.save("mortality", card.model_copy(update={"version": version}), {candidate.file_name: content})
    for version in "ab":
        store.promote(condition, version, "ann", "first")
    return store.root


@pytest.fixture(scope="module")
def run(schemas, card) -> Iterator[Run]:
    """Performs an action on a store in a separate process, and returns how that ended."""
    command = [sys.executable, str(Path(__file__).with_name("deciding.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(root: Path, work: str, **job: Any) -> int:
            said = {"root": str(root), "schemas": str(schemas), "card": card.model_dump(mode="json"), "version": "d"}
            print(json.dumps({**said, "work": work, **job}), file=process.stdin, flush=True)
            assert process.stdout is not None
            return int(json.loads(process.stdout.readline())["status"])

        yield run
        process.stdin.close()


def _left(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def _said(store: ModelStore) -> list[tuple[str, str]]:
    return [(each.what, each.version) for each in store.decisions("mortality")]


@pytest.mark.parametrize(
    "work", [pytest.param(work, marks=() if work == "promote" else pytest.mark.long) for work in WORKS]
)
def test_a_decision_killed_at_any_step_is_made_or_not_and_the_next_call_repairs_the_rest(
    filled, run, tmp_path, work
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(filled, whole)
    assert run(whole, work) == 0
    expected, before = ModelStore(whole), ModelStore(filled)
    step = 0
    while True:
        step += 1
        root = tmp_path / str(step)
        shutil.copytree(filled, root)
        status = run(root, work, kill_at=step)
        store = ModelStore(root)
        # What is read after the kill is what was decided before, or all of the decision; live.json says the same.
        assert _said(store) in (_said(before), _said(expected))
        live = store.live("mortality")
        assert live is not None
        assert live.version == store.standing("mortality").version
        assert json.loads((root / "mortality" / "live.json").read_text()) == live.model_dump(mode="json")
        assert store.doubts("mortality") is None
        if status == 0:
            break
        assert status == -signal.SIGKILL
        # Done again, all is as if nobody had been killed, and nothing else is left.
        assert run(root, work) == 0
        assert _said(store) == _said(expected)
        assert store.versions("mortality") == expected.versions("mortality")
        assert _left(root) == _left(whole)
    assert step > 10  # so many steps were there to be killed at


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("largest", [0, 100])
def test_a_full_disk_loses_no_decision_and_the_decision_can_be_made_later(filled, run, tmp_path, work, largest) -> None:
    root = tmp_path / "models"
    shutil.copytree(filled, root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert run(root, work, largest=largest) == StorageError.exit_code
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert run(root, work) == 0
    assert ModelStore(root).doubts("mortality") is None


def test_a_killed_process_leaves_nothing_that_outlasts_another_work(filled, run, tmp_path) -> None:
    for step in range(1, 30):
        root = tmp_path / str(step)
        shutil.copytree(filled, root)
        if run(root, "save", kill_at=step) == 0:
            break
        ModelStore(root).suspend("mortality", "cat", "too many alarms")
        assert [name for name in _left(root) if "saving" in name] == []


def test_of_two_who_decide_at_once_each_decision_is_kept_whole(filled, condition, tmp_path) -> None:
    root = tmp_path / "models"
    shutil.copytree(filled, root)
    stores = [ModelStore(root) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        works = [
            pool.submit(each.promote, condition, "ad"[place % 2], f"p{place}", "x") for place, each in enumerate(stores)
        ]
        for each in works:
            each.result()
    store = stores[0]
    live = store.live("mortality")
    assert live is not None
    assert live.version == _said(store)[-1][1]
    assert json.loads((root / "mortality" / "live.json").read_text()) == live.model_dump(mode="json")
    versions = [version for _, version in _said(store)[1:]]
    assert all(one != other for one, other in pairwise(versions))
    assert store.doubts("mortality") is None


def test_two_processes_that_promote_at_once_both_end_and_one_after_the_other(filled, schemas, card, tmp_path) -> None:
    root = tmp_path / "models"
    shutil.copytree(filled, root)
    command = [sys.executable, str(Path(__file__).with_name("deciding.py"))]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    job = {"root": str(root), "schemas": str(schemas), "card": card.model_dump(mode="json"), "work": "promote"}
    for process, version in zip(both, "ad", strict=True):
        print(json.dumps({**job, "version": version}), file=process.stdin, flush=True)
    answers = [process.communicate(timeout=300)[0] for process in both]
    assert [json.loads(answer)["status"] for answer in answers] == [0, 0]
    store = ModelStore(root)
    assert sorted(_said(store)[2:]) == [("promoted", "a"), ("promoted", "d")]
    assert store.doubts("mortality") is None
