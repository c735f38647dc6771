"""Tests that a made-up stay is scored before the first real one, by every branch that has a model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fixtures.icu import AS_OF
from tests.stream.hospital import Hospital

from wardround.adapters.models.store import ModelStore
from wardround.stream import warm_up as module
from wardround.stream.models import Models
from wardround.stream.scoring import Outcome, score_together
from wardround.stream.warm_up import warm_up


def test_the_made_up_stay_gets_a_score_and_no_variable_of_it_is_set_aside(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Outcome] = []

    def noting(*asked: object) -> list[Outcome]:
        said.extend(score_together(*asked))  # type: ignore[arg-type]
        return said

    monkeypatch.setattr(module, "score_together", noting)
    warm_up(hospital.models, hospital.ways.values(), AS_OF)

    (one,) = said
    assert one.explained.stated.score is not None
    assert one.explained.missing == ()


def test_a_branch_without_a_model_does_not_keep_the_others_from_being_ready(
    hospital_with: Callable[..., Hospital], tmp_path: Path
) -> None:
    hospital = hospital_with()
    empty = Hospital(hospital.url, replace(hospital.settings, models=tmp_path / "none"), hospital.queue)

    warm_up(Models(ModelStore(tmp_path / "none"), empty.live), hospital.ways.values(), AS_OF)
