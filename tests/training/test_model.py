"""How a card's counts add up, how its version is named, and how a model scores rows."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from wardround.candidates.base import Contributions, Scorer
from wardround.errors import ModelError
from wardround.evaluation.results import Calibration
from wardround.imported.about import ImportedInput
from wardround.training.model import Flow, ModelCard, ScoringModel

NAN = float("nan")


class Plain(Scorer):
    """Scores by its first input; a contribution is ten times the input."""

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        assert len(inputs), "some libraries fail without rows"
        return inputs[:, 0]

    def contributions(self, inputs: np.ndarray) -> Contributions:
        assert inputs.shape[1] == 3
        return Contributions(10 * inputs, -1.5 + inputs.sum())


@pytest.fixture
def card(evaluated_card: ModelCard) -> ModelCard:
    """Three columns, of which `b` and `c` are imputed if unknown; scores stay as they are."""
    changes = {"columns": ("a", "b", "c"), "imputation": {"b": 2.0, "c": 3.0}, "calibration": Calibration()}
    return evaluated_card.model_copy(update=changes)


def _frame(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns, index=pd.Index(["x", "y"]))


ROWS = _frame(c=[0.3, NAN], other=[9.0, 9.0], a=[0.1, 0.2], b=[NAN, 0.6])


@pytest.mark.parametrize(("found", "adds_up"), [(9, False), (10, True), (11, False)])
def test_every_stay_that_was_found_is_used_or_excluded(found: int, adds_up: bool) -> None:
    stays = {"found": found, "excluded": {"too young": 1, "too short": 2}, "used": 7}
    if adds_up:
        assert Flow(**stays).found == found
    else:
        with pytest.raises(ValidationError, match=f"got {found} stays found, 7 used, .* do not add up"):
            Flow(**stays)


def test_a_version_is_the_conditions_version_and_twelve_digits_of_the_cards_digest(evaluated_card: ModelCard) -> None:
    version = evaluated_card.content_version("1.2.0")
    start, digits = version.rsplit("-", 1)
    assert (start, len(digits), set(digits) <= set("0123456789abcdef")) == ("1.2.0", 12, True)
    assert ModelCard.model_validate_json(evaluated_card.model_dump_json()).content_version("1.2.0") == version
    assert evaluated_card.content_version("1.3.0") == f"1.3.0-{digits}"


def test_a_version_does_not_depend_on_itself_the_time_or_the_person_who_trusted_the_file(elsewhere: ModelCard) -> None:
    version = elsewhere.content_version("1")
    changes = [
        {"version": "1.0.0-000000000000"},
        {"created": elsewhere.created + timedelta(days=1)},
        {"imported": elsewhere.imported.model_copy(update={"trusted_by": "bob"})},
    ]
    assert {elsewhere.model_copy(update=each).content_version("1") for each in changes} == {version}


def test_the_order_of_keys_in_a_card_does_not_change_the_version(elsewhere: ModelCard) -> None:
    libraries = {"a": "1", "b": "2"}
    turned = dict(reversed(libraries.items()))
    versions = {elsewhere.model_copy(update={"libraries": each}).content_version("1") for each in (libraries, turned)}
    assert len(versions) == 1


def test_any_other_change_of_a_card_changes_the_version(elsewhere: ModelCard) -> None:
    changes = [
        {},
        {"seed": 2},
        {"data_digest": "9" * 64},
        {"libraries": {"wardround": "0.1.1"}},
        {"columns": elsewhere.columns[::-1]},
        {"thresholds": {"moderate": 0.1, "high": 0.2}},
        {"imported": elsewhere.imported.model_copy(update={"digest": "3" * 64})},
    ]
    assert len({elsewhere.model_copy(update=each).content_version("1") for each in changes}) == len(changes)


def test_inputs_are_found_by_name_and_unknown_values_are_imputed_from_the_card(card: ModelCard) -> None:
    model = ScoringModel(card, Plain())
    assert model.version == card.version
    assert model.predict(ROWS).tolist() == [0.1, 0.2]
    inputs = model.inputs_among(list(ROWS))
    scores, contributions = model.explained(inputs.of(ROWS.to_numpy()))
    assert scores.tolist() == [0.1, 0.2]
    assert contributions == pytest.approx(np.array([[1, 20, 3], [2, 6, 30]]))
    assert inputs.spread(contributions, 4) == pytest.approx(np.array([[3, 0, 1, 20], [30, 0, 2, 6]]))


def test_a_value_without_imputation_in_the_card_stays_unknown(card: ModelCard) -> None:
    model = ScoringModel(card, Plain())
    inputs = model.inputs_among(list(ROWS)).of(ROWS.assign(a=NAN).to_numpy())
    assert np.isnan(model.explained(inputs)[1]).tolist() == [[True, False, False]] * 2


def test_scores_are_calibrated_as_the_card_says(card: ModelCard) -> None:
    calibrated = card.model_copy(update={"calibration": Calibration(method="platt", slope=1.0, intercept=np.log(3))})
    # Odds of 1/9 and 1/4 times three are 1/3 and 3/4: probabilities of 1/4 and 3/7.
    assert ScoringModel(calibrated, Plain()).predict(ROWS) == pytest.approx([1 / 4, 3 / 7])


def test_without_rows_there_are_no_scores(card: ModelCard) -> None:
    assert ScoringModel(card, Plain()).predict(ROWS[:0]).shape == (0,)


def test_the_first_column_that_is_missing_is_named(card: ModelCard) -> None:
    with pytest.raises(ModelError, match=r"^model 1\.0\.0-0123456789ab: column b is missing"):
        ScoringModel(card, Plain()).predict(ROWS[["a"]])


def test_a_row_can_be_scored_if_every_required_input_is_known_or_imputed(card: ModelCard, elsewhere: ModelCard) -> None:
    assert ScoringModel(card, Plain()).can_score(ROWS.assign(a=NAN)).tolist() == [True, True]
    inputs = tuple(
        ImportedInput(name=column.upper(), column=column, unit="", required=column in "ac") for column in "abc"
    )
    changes = {
        "columns": ("a", "b", "c"),
        "imputation": {"c": 3.0},
        "imported": elsewhere.imported.model_copy(update={"inputs": inputs}),
    }
    model = ScoringModel(elsewhere.model_copy(update=changes), Plain())
    # c is required and imputed; b is unknown and not required.
    assert model.can_score(ROWS).tolist() == [True, True]
    assert model.can_score(ROWS.assign(a=[NAN, 0.2])).tolist() == [False, True]
