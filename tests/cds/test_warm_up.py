"""Tests the call of nobody that a worker makes before it is ready."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cds.ehr import Ehr
from tests.cds.kept import Kept
from tests.fixtures.icu import AS_OF

from wardround.cds.door import Door
from wardround.cds.exchange import Request
from wardround.cds.warm_up import warm_up_call
from wardround.settings import Settings
from wardround.spec.cohorts import Encounters


@pytest.mark.parametrize(
    "icu",
    [
        Encounters(classes=("ACUTE", "other")),
        Encounters(classes=("http://terminology.hl7.org/CodeSystem/v3-ActCode|ACUTE",)),
        Encounters(types=("urn:hospital|icu",)),
        Encounters(locations=("Intensive care, 2nd floor",)),
    ],
)
def test_it_goes_all_the_way_to_a_score(home_with: Callable[..., Settings], icu: Encounters) -> None:
    """Otherwise the first clinician would wait for what it left out."""
    cohort = {"look_back": "24h", "encounters": icu.model_dump(mode="json")}
    door = Door.of(home_with(cohort=cohort), Kept())
    body = warm_up_call(door.services["sepsis-risk"], AS_OF, icu)

    answer = door.answer(Request("POST", "/cds-services/sepsis-risk", AS_OF, body))

    assert answer.status == 200
    assert answer.call is not None
    assert answer.call.outcome in ("card", "low")


def test_nothing_of_it_is_kept_and_nobody_is_locked_out(ehr: Ehr, kept: Kept) -> None:
    ehr.door.warm_up(AS_OF)

    assert (kept.calls, kept.last) == ([], {})


def test_a_door_without_a_model_warms_up_too(bedside: Settings, tmp_path: Path, kept: Kept) -> None:
    Door.of(replace(bedside, models=tmp_path), kept).warm_up(AS_OF)

    assert kept.calls == []
