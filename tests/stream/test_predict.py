"""Tests, over real HTTP and a real database, what the stage `predict` says of stays, and when it asks again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fixtures.icu import AS_OF, loinc
from tests.stream.hospital import Hospital, promote_with

from wardround.adapters.models.store import ModelStore
from wardround.results.training_hours import TrainingHours
from wardround.stream.bodies import Scored, for_record
from wardround.stream.visit_keys import visit_in

HOUR = timedelta(hours=1)
AGAIN = [{"id": "now", "at": ["0h", "1h", "6h"]}]


def scored(hospital: Hospital) -> list[Scored]:
    """What waits for the stage `notify`."""
    found = [for_record(body) for _, body in hospital.open("notify")]
    assert all(isinstance(one, Scored) for one in found)
    return found  # type: ignore[return-value]


def test_the_scores_of_stays_that_wait_together_are_for_the_record(hospital: Hospital) -> None:
    for name, lactate in (("a", 6.0), ("b", 2.5), ("c", 0.6)):
        hospital.ward.stay(name, lactate=lactate)
    hospital.upload()
    for name in "abc":
        hospital.admit(name)

    assert hospital.run(hospital.query, hospital.predict) == [("done", "")] * 6

    assert [(one.stay_id, one.band) for one in scored(hospital)] == [
        ("e-a", "high"),
        ("e-b", "moderate"),
        ("e-c", "low"),
    ]


def test_a_stay_of_which_too_little_is_known_is_asked_for_again_until_it_has_a_score(
    hospital_with: Callable[..., Hospital],
) -> None:
    hospital = hospital_with(AGAIN)
    hospital.ward.stay("a", vitals=False, lactate=None)
    hospital.upload()
    hospital.admit("a")

    assert hospital.run(hospital.query, hospital.predict) == [("done", ""), ("asked_again", "minimum_data")]
    assert [due for due, _ in hospital.open("query")] == [AS_OF + HOUR]
    for name, code, unit in (("hr", "8867-4", "/min"), ("rr", "9279-1", "/min"), ("sp", "8480-6", "mm[Hg]")):
        hospital.ward.observation("p-a", name, -0.5, **loinc(code, 60, unit))
    hospital.ward.lactate("p-a", "lactate", 6.0, hours=-0.7)
    hospital.upload()

    assert hospital.run(hospital.query, hospital.predict, after=HOUR) == [("done", "")] * 2
    assert [one.score > 0.5 for one in scored(hospital)] == [True]
    assert hospital.open("query") == []


def test_the_last_time_without_a_score_ends_it_as_indeterminate(hospital_with: Callable[..., Hospital]) -> None:
    hospital = hospital_with(AGAIN)
    hospital.ward.stay("a", vitals=False, lactate=None)
    hospital.upload()
    hospital.admit("a")

    became = [pair for at in (0, 1, 6) for pair in hospital.run(hospital.query, hospital.predict, after=at * HOUR)]

    assert [outcome for outcome, _ in became] == ["done", "asked_again", "done", "asked_again", "done", "indeterminate"]
    assert hospital.open("query") == hospital.open("notify") == []


@pytest.mark.parametrize(
    ("first", "last", "became"),
    [(29, 40, ("asked_again", 1)), (1, 27, ("indeterminate", 0)), (1, 40, ("done", 0))],
)
def test_a_model_is_asked_only_at_hours_that_its_card_covers(
    hospital_with: Callable[..., Hospital], tmp_path: Path, first: int, last: int, became: tuple[str, int]
) -> None:
    """The stay of the test began 28 hours before."""
    covered = TrainingHours(first=timedelta(hours=first), last=timedelta(hours=last))
    hospital = hospital_with(AGAIN, card={"training_hours": covered})
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a")

    done = hospital.run(hospital.query, hospital.predict)

    assert (done[1][0], len(hospital.open("query"))) == became
    assert done[1][1] == ("" if became[0] == "done" else "outside_training_hours")


def test_a_shadow_branch_scores_and_passes_nothing_on(hospital_with: Callable[..., Hospital]) -> None:
    shadow = {"id": "trial", "at": ["0h"], "mode": "shadow"}
    hospital = hospital_with([{"id": "now", "at": ["0h"]}, shadow])
    hospital.ward.stay("a", lactate=6.0)
    hospital.upload()
    hospital.admit("a")
    hospital.admit("a", branch="sepsis/trial")

    assert hospital.run(hospital.query, hospital.predict) == [("done", "")] * 3 + [("shadow", "high")]
    assert len(scored(hospital)) == 1


def test_a_shadow_branch_may_try_a_stored_version_beside_the_live_one(hospital_with: Callable[..., Hospital]) -> None:
    trial = {"id": "trial", "at": ["0h"], "mode": "shadow", "model": "1.0.0-0123456789ab"}
    hospital = hospital_with(
        [{"id": "now", "at": ["0h"]}, trial], card={"thresholds": {"moderate": 0.98, "high": 0.99}}
    )
    hospital.ward.stay("a", lactate=6.0)
    hospital.upload()
    hospital.admit("a")
    hospital.admit("a", branch="sepsis/trial")

    assert hospital.run(hospital.query, hospital.predict)[2:] == [("done", ""), ("shadow", "high")]
    assert [one.band for one in scored(hospital)] == ["low"]


def test_a_condition_in_shadow_makes_all_its_branches_shadows(hospital_with: Callable[..., Hospital]) -> None:
    hospital = hospital_with(mode="shadow")
    hospital.ward.stay("a", lactate=0.6)
    hospital.upload()
    hospital.admit("a")

    assert hospital.run(hospital.query, hospital.predict)[-1] == ("shadow", "low")


def test_a_suspended_condition_scores_nothing_and_a_promoted_model_scores_what_comes_next(
    hospital: Hospital,
) -> None:
    store = ModelStore(hospital.settings.models)
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a")
    store.suspend("sepsis", by="tests", why="tests")
    hospital.live.look()
    assert hospital.run(hospital.query, hospital.predict)[-1] == ("suspended", "")

    store.resume("sepsis", by="tests", why="tests")
    promote_with(hospital.settings)
    hospital.live.look()
    hospital.admit("a")

    assert hospital.run(hospital.query, hospital.predict)[-1] == ("done", "")
    assert [one.model_version for one in scored(hospital)] == ["1.0.1-abcdefabcdef"]


def test_without_a_model_a_stay_waits_and_uses_up_no_attempt(hospital: Hospital, tmp_path: Path) -> None:
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a")
    empty = replace(hospital.settings, models=tmp_path / "empty")
    models, hospital.models = hospital.models, Hospital(hospital.url, empty, hospital.queue).models

    assert hospital.run(hospital.query, hospital.predict)[-1] == ("later", "no model can be used")
    hospital.models = models
    assert hospital.run(hospital.predict, after=timedelta(minutes=1)) == [("done", "")]


def test_a_branch_whose_model_cannot_be_used_keeps_no_other_branch_waiting(
    hospital_with: Callable[..., Hospital],
) -> None:
    gone = {"id": "trial", "at": ["0h"], "mode": "shadow", "model": "9.9.9-0123456789ab"}
    hospital = hospital_with([gone, {"id": "now", "at": ["0h"]}])
    hospital.ward.stay("a", lactate=6.0)
    hospital.upload()
    hospital.admit("a", branch="sepsis/trial")
    hospital.run(hospital.query)
    assert hospital.run(hospital.predict) == [("later", "no model can be used")]
    hospital.admit("a", branch="sepsis/now")

    assert hospital.run(hospital.query, hospital.predict) == [("done", "")] * 2
    assert len(scored(hospital)) == 1


def test_a_patient_who_waits_twice_is_scored_at_each_time_with_what_was_known_then(hospital: Hospital) -> None:
    hospital.ward.stay("a", lactate=0.6)
    hospital.ward.lactate("p-a", "second", 7.0, hours=-0.5)
    hospital.upload()
    hospital.admit("a")
    hospital.admit("a", after=HOUR)

    hospital.run(hospital.query, hospital.predict, after=HOUR)

    first, second = scored(hospital)
    assert (first.band, second.band) == ("low", "high")
    assert first.digest != second.digest


def test_one_stay_that_cannot_be_scored_is_blamed_alone(hospital: Hospital) -> None:
    for name in "ab":
        hospital.ward.stay(name)
        hospital.admit(name)
    hospital.upload()
    hospital.run(hospital.query)
    taken = hospital.queue.take("predict", 64, HOUR, AS_OF)
    broken = [one._replace(body=one.body[:-9]) if visit_in(one.key) == "key-b" else one for one in taken]
    handling = hospital.predict.handle(broken, AS_OF)

    assert next(handling).outcome == "done"
    with pytest.raises(Exception, match="truncated"):
        next(handling)
