"""Tests the call of nobody that a worker makes before it is ready."""

from dataclasses import replace
from pathlib import Path

from tests.cds.conftest import Ehr
from tests.cds.kept import Kept
from tests.fixtures.icu import AS_OF

from wardround.cds.door import Door
from wardround.cds.exchange import Request
from wardround.cds.warm_up import warm_up_call
from wardround.settings import Settings


def test_it_goes_all_the_way_to_a_score(prepared: Door) -> None:
    """Otherwise the first clinician would wait for what it left out."""
    service = prepared.services["sepsis-risk"]

    answer = prepared.answer(Request("POST", "/cds-services/sepsis-risk", AS_OF, warm_up_call(service, AS_OF, "ACUTE")))

    assert answer.status == 200
    assert answer.call is not None
    assert answer.call.outcome in ("card", "low")


def test_nothing_of_it_is_kept_and_nobody_is_locked_out(ehr: Ehr, kept: Kept) -> None:
    ehr.door.warm_up(AS_OF)

    assert (kept.calls, kept.last) == ([], {})


def test_a_door_without_a_model_warms_up_too(bedside: Settings, tmp_path: Path, kept: Kept) -> None:
    Door.of(replace(bedside, models=tmp_path), kept).warm_up(AS_OF)

    assert kept.calls == []
