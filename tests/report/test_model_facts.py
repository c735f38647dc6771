"""What a report says of the model behind its scores."""

import pytest
from tests.fixtures.cards import card_of

from wardround.candidates.names import CANDIDATE_NAMES
from wardround.evaluation.results import Importance
from wardround.report.model_facts import attribution_in_words
from wardround.settings import PROJECT
from wardround.spec.loading import load_condition

SEPSIS = load_condition("sepsis", PROJECT / "include" / "schemas")


@pytest.mark.parametrize("name", CANDIDATE_NAMES)
def test_only_boosted_trees_are_said_to_be_explained_by_shap(name: str) -> None:
    said = attribution_in_words(card_of(SEPSIS, chosen=name))
    assert ("SHAP" in said.replace("not SHAP", "")) == (name == "xgboost")


def test_a_card_of_an_earlier_release_that_names_no_method_can_be_read() -> None:
    stored = {"method": "contributions", "unit": "probability", "rows": 3, "columns": []}
    assert Importance.model_validate(stored).method == "contributions"
