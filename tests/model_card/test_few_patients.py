"""A card of few patients says no more than they bear: no figure looks like a result, and no curve is drawn of it."""

import pytest

from wardround.adapters.html.model_card import render_card
from wardround.evaluation.metrics import METRICS, Metric
from wardround.model_card.card_charts import Axis, whisker
from wardround.model_card.card_view import card_page
from wardround.model_card.card_words import line, patients_with_outcome
from wardround.model_card.groups import group_tables
from wardround.model_card.scope import limitations, too_few_to_judge
from wardround.training.model import ModelCard, Side

FEW = "too few patients with the outcome (3) for an interval"
ONE = Metric(value=1.0, reason=FEW)
OF_AN_EARLIER_RELEASE = Metric(value=1.0, low=1.0, high=1.0)
CHARTS = ("roc", "precision_recall", "calibration_curve", "decision_curve")


@pytest.fixture(scope="module")
def small_card(judged_card: ModelCard) -> ModelCard:
    """The card of a training of which nothing has an interval."""
    assert judged_card.evaluation is not None
    evaluation = judged_card.evaluation
    none = {"slope": ONE, "intercept": ONE, "brier": ONE}
    found = evaluation.model_copy(update={"calibration": evaluation.calibration.model_copy(update=none)})
    test = Side(patients=22, stays=34, positives=8, patients_with_outcome=4)
    return judged_card.model_copy(
        update={
            "metrics": dict.fromkeys(METRICS, ONE),
            "evaluation": found,
            "split": judged_card.split.model_copy(update={"test": test}),
        }
    )


@pytest.mark.parametrize(
    ("metric", "sure"),
    [
        (Metric(value=0.8, low=0.7, high=0.9), True),
        (ONE, False),
        (OF_AN_EARLIER_RELEASE, False),
        (Metric(value=None, reason="no stay reaches the threshold"), False),
        (None, False),
    ],
)
def test_only_a_figure_with_an_interval_looks_like_a_result(metric: Metric | None, sure: bool) -> None:
    assert line("AUROC", metric).sure is sure


def test_on_the_page_every_figure_without_an_interval_is_grey(small_card: ModelCard, judged_card: ModelCard) -> None:
    headline = render_card(small_card).partition('class="headline"')[2].partition("Evaluated on")[0]
    assert headline.count('<div class="unsure"><span class="figure">1.00</span>') == 5
    assert headline.count(FEW) == 5
    assert "A grey figure has no interval" in headline
    assert "unsure" not in render_card(judged_card).partition('class="headline"')[2].partition("Evaluated on")[0]


def test_no_curve_is_drawn_of_a_figure_without_an_interval(small_card: ModelCard, judged_card: ModelCard) -> None:
    few, enough = card_page(small_card).performance, card_page(judged_card).performance
    assert few is not None
    assert [getattr(few, name) for name in CHARTS] == [""] * 4
    assert (few.bins, few.decisions) == ((), ())
    reasons = (few.not_drawn_roc, few.not_drawn_precision_recall, few.not_drawn_calibration)
    assert set(reasons) == {f"Not drawn: {FEW}."}
    assert render_card(small_card).count(f"Not drawn: {FEW}.") == 4
    assert all(getattr(enough, name) for name in CHARTS)
    imprecise = judged_card.model_copy(update={"metrics": {**judged_card.metrics, "auprc": ONE}})
    found = card_page(imprecise).performance
    assert found is not None
    assert [bool(getattr(found, name)) for name in CHARTS] == [True, False, True, True]


def test_a_group_without_an_interval_has_no_dot() -> None:
    assert whisker(ONE, Axis(""), 0.5) == whisker(OF_AN_EARLIER_RELEASE, Axis(""), 0.5) == ""


def test_patients_are_counted_and_not_their_stays(small_card: ModelCard, evaluated_card: ModelCard) -> None:
    assert patients_with_outcome(small_card.split.test) == "4 patients (8 stays)"
    assert patients_with_outcome(Side(patients=9, stays=9, positives=1, patients_with_outcome=1)) == "1 patient"
    assert patients_with_outcome(evaluated_card.split.test) == "21 stays", "an earlier release did not count patients"
    page = card_page(small_card)
    told = [*(notice.text for notice in page.notices), page.summary, *limitations(small_card)]
    assert sum("4 patients (8 stays) had the outcome" in text for text in told) == 3


@pytest.mark.parametrize(("patients", "few"), [(99, True), (100, False), (None, False)])
def test_patients_decide_whether_there_are_enough(judged_card: ModelCard, patients: int | None, few: bool) -> None:
    test = Side(patients=900, stays=1200, positives=120, patients_with_outcome=patients)
    card = judged_card.model_copy(update={"split": judged_card.split.model_copy(update={"test": test})})
    assert too_few_to_judge(card) is few
    assert any(notice.title == "Too few patients to judge" for notice in card_page(card).notices) is few


def test_groups_without_an_interval_have_no_column_for_a_drawing(judged_card: ModelCard) -> None:
    assert judged_card.evaluation is not None
    groups = judged_card.evaluation.subgroups[:1]
    few = tuple(
        each.model_copy(
            update={"cells": tuple(cell.model_copy(update={"metrics": {"auroc": ONE}}) for cell in each.cells)}
        )
        for each in groups
    )
    (drawn,), (blank,) = group_tables(groups, None), group_tables(few, None)
    assert drawn.axis
    assert blank.axis == ""
    assert [figure.sure for row in blank.rows for figure in row.figures] == [False] * len(blank.rows)
