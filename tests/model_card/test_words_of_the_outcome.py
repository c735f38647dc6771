"""The words of a card fit its outcome: a diagnosis code has no onset, and a death none that the stay outlives."""

import pytest

from wardround.model_card.card_view import card_page
from wardround.model_card.card_words import described, has_onset, predicted, predictions, with_outcome
from wardround.model_card.judged import alert_note, judged
from wardround.model_card.scope import limitations
from wardround.model_card.tripod import reported_items
from wardround.report.model_facts import of_the_stay
from wardround.spec.conditions import Label
from wardround.training.model import ModelCard


@pytest.fixture(scope="module")
def coded_card(judged_card: ModelCard) -> ModelCard:
    """The card of a daily model whose outcome is a diagnosis code."""
    assert judged_card.task is not None
    task = {"task": "daily", "horizon": None, "hours_per_row": 24, "label": "icd", "onset_definition": None}
    return judged_card.model_copy(
        update={
            "label": Label(rule="icd", icd10=("A41",)),
            "task": judged_card.task.model_copy(update=task),
            "horizon": "hospital_stay",
        }
    )


@pytest.fixture(scope="module")
def death_card(judged_card: ModelCard) -> ModelCard:
    """The card of an hourly model of death."""
    assert judged_card.task is not None
    task = {"label": "hospital_death", "onset_definition": "deathtime"}
    return judged_card.model_copy(
        update={
            "title": "In-hospital death",
            "label": Label(rule="hospital_death"),
            "task": judged_card.task.model_copy(update=task),
        }
    )


def _judged(card: ModelCard) -> dict[str, str]:
    assert card.evaluation is not None
    return dict(judged(card, card.evaluation))


def test_a_diagnosis_code_is_of_the_whole_stay_and_not_ahead(coded_card: ModelCard) -> None:
    assert predicted(coded_card) == f"Sepsis {of_the_stay(coded_card.label)}"
    assert with_outcome(coded_card) == "in a hospital stay with the outcome"
    assert not has_onset(coded_card)
    said = _judged(coded_card)
    assert "even if the condition had begun before it" in said["What that does to the figures"]
    assert "onset" not in predictions(coded_card) + said["Not evaluated"]
    page = card_page(coded_card)
    assert page.performance is not None
    assert "not when it began" in page.performance.lead_note
    assert "true if the stay is one with the outcome" in alert_note(coded_card, coded_card.evaluation.episodes)


def test_a_death_has_no_onset(death_card: ModelCard) -> None:
    said = _judged(death_card)
    page = card_page(death_card)
    assert page.performance is not None
    assert described(death_card) == (
        "Risk of in-hospital death within the next 6\u202fh, asked at each full hour of the stay."
    )
    texts = (predictions(death_card), described(death_card), *said.values(), page.performance.lead_note, page.summary)
    assert [text for text in texts if "onset" in text] == []
    assert "stays with a time of death" in page.performance.lead_note


def test_the_outcome_of_an_hourly_prediction_lies_in_the_next_hours(judged_card: ModelCard) -> None:
    assert with_outcome(judged_card) == "with the outcome within 6\u202fh"
    assert predicted(judged_card) == "Sepsis within 6\u202fh"
    assert "hospital stay" not in " ".join(_judged(judged_card).values())


def test_what_the_figures_are_of_stands_beside_the_first_figures(judged_card: ModelCard, elsewhere: ModelCard) -> None:
    said = dict(card_page(judged_card).judged)
    assert set(said) == {"Evaluated on", "What that does to the figures", "Not evaluated"}
    assert said.items() <= _judged(judged_card).items()
    assert card_page(elsewhere).judged == ()


def test_alerts_at_the_top_are_those_that_people_would_get(judged_card: ModelCard, evaluated_card: ModelCard) -> None:
    figures = {line.name: line.value for line in card_page(judged_card).headline}
    assert figures["Alerts per 100 patient-days"] == "12.3"
    assert figures["Alerts per true alert"] == "4.0"
    assert figures["Stays with the outcome that had a true alert"] == "0.43"
    earlier = {line.name: line.value for line in card_page(evaluated_card).headline}
    assert earlier["Predictions in the high band per 100 patient-days"] == "41.5"
    assert not [name for name in earlier if name.startswith("Alerts")]


def test_an_outcome_that_is_computed_from_inputs_is_not_blind_to_them(
    judged_card: ModelCard, coded_card: ModelCard
) -> None:
    def said(card: ModelCard) -> str:
        return next(item.text for item in reported_items(card) if item.number == "8c")

    assert said(judged_card).startswith("None: the rule's SOFA is computed from some of the same variables")
    assert said(coded_card).startswith("The rule does not see the inputs")


def test_a_model_of_death_warns_that_it_may_prove_itself_right(death_card: ModelCard, judged_card: ModelCard) -> None:
    warning = "proves itself right"
    assert sum(warning in text for text in limitations(death_card)) == 1
    assert not [text for text in limitations(judged_card) if warning in text]
