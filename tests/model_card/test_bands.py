"""What a card says of its bands: the target beside what was reached, what is in each band, and which is of no use."""

from datetime import timedelta
from typing import Any

import pytest

from wardround.adapters.html.model_card import render_card
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import BandShare, Policy
from wardround.model_card.bands import band_lines, bands_of_no_use, threshold_facts
from wardround.report.model_facts import bands_in_words
from wardround.training.model import ModelCard

BUDGET = Policy(
    name="alert_budget", target=10, reached=9.95, prevalence=0.0182, lock_out=timedelta(hours=12), reason=None
)


def with_policy(card: ModelCard, policy: Policy, **changes: Any) -> ModelCard:
    assert card.evaluation
    found = card.evaluation.model_copy(update={"policy": policy, **changes})
    return card.model_copy(update={"evaluation": found})


def facts_of(card: ModelCard) -> dict[str, str]:
    return {name: text.replace("\u202f", " ") for name, text in threshold_facts(card)}


def test_a_budget_counts_alerts_and_stands_beside_what_it_reached_on_the_test_patients(judged_card) -> None:
    facts = facts_of(with_policy(judged_card, BUDGET))
    assert facts["Policy"] == (
        "The lowest threshold within the target that is not below 1.8 %, the share with the outcome, on predictions for"
        " the training patients by models that had not seen them"
    )
    assert facts["Target"] == "At most 10 alerts per 100 patient-days, not repeated for 12 h"
    # 12.3 alerts; the made-up card has 41.5 predictions in the high band.
    assert facts["Reached"] == (
        "Alerts per 100 patient-days: 9.9 on the training patients; 12.3 (9.9 to 15.0) on the test patients"
    )
    assert "Why not the target" not in facts


def test_a_target_that_was_missed_says_why(judged_card) -> None:
    missed = BUDGET.model_copy(update={"reason": "the rest of the budget would go to scores below 1.8 %"})
    assert facts_of(with_policy(judged_card, missed))["Why not the target"] == missed.reason
    best = Policy(name="f1", target=None, reached=0.31, prevalence=0.2, reason="the best F1 is at a score below 20.0 %")
    facts = facts_of(with_policy(judged_card, best))
    assert (facts["Why not the highest F1"], facts["Target"]) == (best.reason, "None: the F1 has no target")


def test_a_sensitivity_is_the_one_of_the_test_patients(judged_card) -> None:
    facts = facts_of(with_policy(judged_card, Policy(name="sensitivity", target=0.8, reached=0.804)))
    assert facts["Target"] == "A sensitivity of at least 0.80"
    assert facts["Reached"].endswith("0.804 on the training patients; 0.700 (0.600 to 0.800) on the test patients")


def test_a_budget_of_an_earlier_release_counted_predictions(evaluated_card) -> None:
    earlier = with_policy(evaluated_card, Policy(name="alert_budget", target=40, reached=39.1))
    facts = facts_of(earlier)
    assert facts["Target"] == "At most 40 predictions in the high band per 100 patient-days"
    assert "41.5 (33.1 to 50.2) on the test patients" in facts["Reached"]
    assert (band_lines(earlier), bands_of_no_use(earlier)) == ((), ())
    assert "not measured by the earlier release" in render_card(earlier)


def test_each_band_has_its_share_and_what_was_observed_the_high_one_first(judged_card) -> None:
    high, moderate, low = band_lines(judged_card)
    assert (high.band, high.scores, high.rows) == ("High", "from 31.00\u202f%", "150")
    assert (high.share, high.share_interval) == ("5.0\u202f%", "4.0\u202f% to 7.0\u202f%")
    assert (high.observed, high.observed_interval) == ("20.0\u202f%", "12.0\u202f% to 31.0\u202f%")
    assert (moderate.scores, low.scores) == ("from 15.50\u202f%", "below 15.50\u202f%")
    page = render_card(judged_card)
    assert "12.0\u202f% to 31.0\u202f%" in page[page.index('id="thresholds"') : page.index('id="subgroups"')]
    assert "A band of little use" not in page
    assert bands_in_words(judged_card).endswith("low 80.0 %, moderate 15.0 %, high 5.0 %")


def test_a_band_that_nobody_is_in_is_named_at_the_top_of_the_page(judged_card) -> None:
    none = BandShare(
        band="high",
        rows=0,
        share=Metric(value=0.0, low=0.0, high=0.004),
        observed=Metric(value=None, reason="no prediction is in this band"),
    )
    bands = (*judged_card.evaluation.bands[:2], none)
    card = with_policy(judged_card, BUDGET, bands=bands)
    (said,) = bands_of_no_use(card)
    assert said.startswith("No prediction of the test patients is high, 0 of 2,850")
    page = render_card(card)
    assert said.split(";")[0] in page[: page.index('<section id="summary">')]
    assert band_lines(card)[0].observed_interval == "no prediction is in this band"


@pytest.mark.parametrize("policy", [Policy(name="fixed", target=None, reached=None), None])
def test_thresholds_of_a_model_from_elsewhere_were_chosen_on_no_scores_of_ours(elsewhere, policy) -> None:
    results = {elsewhere.chosen: elsewhere.candidates[elsewhere.chosen].model_copy(update={"policy": policy})}
    facts = facts_of(elsewhere.model_copy(update={"candidates": results}))
    assert facts["Policy"].startswith("The thresholds came with the model" if policy else "not stated")
    assert not {"Target", "Reached"} & set(facts)
