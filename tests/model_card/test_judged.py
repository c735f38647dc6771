"""The words of a card about which predictions were judged; nothing untrue is said of a card of an earlier release."""

from wardround.evaluation.by_time import ByTime
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import Predictions
from wardround.model_card.card_view import card_page
from wardround.model_card.card_words import described, hours_covered, predictions
from wardround.model_card.judged import alert_lines, alert_note, judged, on_matched_hours
from wardround.model_card.time_figures import time_table
from wardround.model_card.tripod import reported_items
from wardround.training.model import ModelCard


def _judged(card: ModelCard, **changes: object) -> dict[str, str]:
    found = card.evaluation.model_copy(update={"design": card.evaluation.design.model_copy(update=changes)})
    return dict(judged(card, found))


def test_a_card_says_on_which_predictions_its_figures_are(judged_card) -> None:
    card = judged_card
    said = _judged(card)
    evaluated = said["Evaluated on"].replace("\u202f", " ")
    assert evaluated.startswith(
        "3 000 predictions of the test patients, 60 (2.0 %) of them with the outcome within 6 h"
    )
    assert "each full hour" in said["Evaluated on"]
    assert "a model that had not seen the patient" in said["Calibration and threshold"]
    assert said["Fitted to"].endswith("all their times at risk")
    assert said["Hours covered"].startswith(
        "1\u202fh to 120\u202fh after admission to the unit; outside them it is not asked"
    )
    assert "7 predictions, of both sets, with too little data" in said["Not evaluated"]
    assert "after the onset" in said["Not evaluated"]


def test_a_card_says_what_its_design_does(judged_card) -> None:
    card = judged_card
    assert "does not learn how the risk depends on the time" in _judged(card, fitted_on="matched")["Fitted to"]
    drawn = _judged(card, fitted=Predictions(rows=5_000, positives=180))["Fitted to"]
    assert "drawn at random" in drawn
    assert "calibration on all predictions makes up for the difference" in drawn


def test_a_card_fitted_to_matched_hours_says_why_time_alone_tells_little_there(judged_card) -> None:
    half = {name: Metric(value=0.5, low=0.4, high=0.6) for name in ("auroc", "auprc")}
    timed = ByTime(columns=("hours_in_unit",), rows=400, all_inputs=half, without_time=half, time_alone=half)
    card = judged_card.model_copy(update={"by_time": timed})
    matched = card.evaluation.design.model_copy(update={"fitted_on": "matched"})
    evaluation = card.evaluation.model_copy(update={"design": matched})
    assert "near 0.5 here by design" in time_table(card.model_copy(update={"evaluation": evaluation})).note
    assert "by design" not in time_table(card).note, "at all hours it is a finding"


def test_figures_on_matched_hours_stand_beside_those_on_all(judged_card) -> None:
    card = judged_card
    found = on_matched_hours(card, card.evaluation)
    assert [name for name, *_ in found.rows][:2] == ["AUROC", "AUPRC"]
    assert [(one.value, one.interval) for one in found.rows[0][1:]] == [
        ("0.700", "0.600 to 0.800"),
        ("0.500", "0.400 to 0.600"),
    ]
    assert "400 predictions at hours matched" in found.note
    assert card_page(card).performance.matched == found


def test_what_people_would_be_told_is_told_with_its_lock_out(judged_card) -> None:
    card = judged_card
    lines = {line.name: (line.value, line.interval) for line in alert_lines(card.evaluation.episodes)}
    assert lines["Alerts per 100 patient-days"] == ("12.3", "9.9 to 15.0")
    assert lines["Alerts per true alert"] == ("4.0", "2.5 to 7.0")
    assert lines["Stays without the outcome that had an alert"] == ("–", "no stay without the outcome")
    assert "not repeated for 12\u202fh" in alert_note(card, card.evaluation.episodes)
    assert "9 of 21 stays with the outcome" in alert_note(card, card.evaluation.episodes)


def test_an_hourly_card_speaks_of_the_next_hours_and_not_of_the_stay(judged_card) -> None:
    card = judged_card
    assert described(card).startswith("Risk that the onset of sepsis lies within the next 6\u202fh")
    assert dict(card_page(card).use)["Condition"] == described(card)
    assert "stays without the outcome are followed" not in predictions(card)
    daily = card.model_copy(update={"task": card.task.model_copy(update={"task": "daily", "horizon": None})})
    assert described(daily) == card.about.description
    assert predictions(daily).startswith("One prediction a day from 4\u202fh after admission")


def test_a_card_of_an_earlier_release_says_which_hours_its_figures_are_of(evaluated_card) -> None:
    """Its hourly figures are of matched hours, and it was never measured with a lock-out."""
    assert evaluated_card.training_hours is None
    said = dict(judged(evaluated_card, evaluated_card.evaluation))
    assert "Hours matched between stays with and without the outcome, by an earlier release" in said["Evaluated on"]
    assert set(said) == {"Evaluated on", "Hours covered"}
    assert hours_covered(evaluated_card).startswith("Not stated, so it is asked at any hour")
    assert "stays without the outcome are followed as long as those with it" in predictions(evaluated_card)
    assert on_matched_hours(evaluated_card, evaluated_card.evaluation) is None
    assert alert_lines(None) == ()
    assert "not measured by the earlier release" in alert_note(evaluated_card, None)


def test_a_first_day_card_of_an_earlier_release_says_that_one_time_was_judged(evaluated_card) -> None:
    task = evaluated_card.task.model_copy(update={"task": "first_day", "horizon": None})
    card = evaluated_card.model_copy(update={"task": task})
    assert "the one time that the model was fitted at" in dict(judged(card, card.evaluation))["Evaluated on"]
    assert predictions(card) == "One prediction per stay, 4\u202fh after admission to the unit"


def test_the_guideline_is_told_of_predictions_that_were_drawn(judged_card) -> None:
    card = judged_card

    def said(of: ModelCard) -> str:
        return next(item.text for item in reported_items(of) if item.number == "13")

    assert said(card).startswith("Neither weights nor resampling")
    design = card.evaluation.design.model_copy(update={"fitted": Predictions(rows=5_000, positives=180)})
    drawn = card.model_copy(update={"evaluation": card.evaluation.model_copy(update={"design": design})})
    assert said(drawn).startswith("Fitted to a random part of the predictions without the outcome")
