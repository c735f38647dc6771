"""Tests the block `bedside` of a condition: what it may say, and that it changes no score."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from wardround.spec.bedside import Bedside
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_condition, load_conditions

REASON = {"code": "assessed", "display": "Assessed"}
LINK = {"label": "Pathway", "url": "https://hospital.example.org/sepsis"}
ORDER = {"system": "http://loinc.org", "code": "2524-7", "display": "Lactate"}


def test_a_condition_without_the_block_answers_on_patient_view_and_has_reasons_to_override() -> None:
    bedside = Bedside()

    assert (bedside.hooks, bedside.low, bedside.only_if) == ((), "none", None)
    assert len(bedside.reasons) == 5
    assert Bedside(override_reasons=()).reasons == ()


def test_the_shipped_conditions_say_what_their_cards_offer(schemas: Path) -> None:
    for condition in load_conditions(schemas).values():
        assert condition.bedside.reasons
        assert condition.bedside != Bedside()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"hooks": ["patient-view"]}, "encounter-start"),
        ({"hooks": ["order-sign"]}, "encounter-start"),
        ({"hooks": ["encounter-start", "encounter-start"]}, "encounter-start more than once"),
        ({"low": "silent"}, "'none' or 'info'"),
        ({"only_if": {"screened": [], "within": "24h"}}, "at least 1 item"),
        ({"only_if": {"screened": ["highest"], "within": "24h"}}, "'low', 'moderate' or 'high'"),
        ({"only_if": {"screened": ["high"]}}, "Field required"),
        ({"override_reasons": [REASON, {**REASON, "display": "Again"}]}, "assessed more than once"),
        ({"override_reasons": [{"code": "assessed"}]}, "Field required"),
        ({"override_reasons": [{**REASON, "display": ""}]}, "at least 1 character"),
        ({"override_reasons": [{**REASON, "display": "x" * 81}]}, "at most 80 characters"),
        ({"links": [{**LINK, "url": "javascript:alert(1)"}]}, "should match pattern"),
        ({"links": [{**LINK, "url": "https://x.example.org/a b"}]}, "should match pattern"),
        ({"links": [{**LINK, "app_context": "x"}]}, "set type: smart"),
        ({"suggestions": [{"label": "Order", "order": {**ORDER, "system": "loinc"}}]}, "should match pattern"),
        ({"sound": True}, "Extra inputs"),
    ],
)
def test_what_no_card_could_show_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Bedside.model_validate(wrong)


def test_what_cards_offer_changes_no_model(schemas: Path) -> None:
    sepsis = load_condition("sepsis", schemas)
    other = sepsis.model_copy(update={"bedside": Bedside(low="info")})

    assert spec_digest(other) == spec_digest(sepsis)
