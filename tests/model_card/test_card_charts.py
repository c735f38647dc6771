"""Curves are well-formed SVG with titles, stay inside their frame, and are empty if there is nothing to draw."""

import re
from xml.etree import ElementTree

import pytest

from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import CalibrationBin, Curves, DecisionPoint, Evaluation
from wardround.model_card.card_charts import (
    Axis,
    calibration_chart,
    decision_chart,
    precision_recall_chart,
    roc_chart,
    round_step,
    whisker,
)
from wardround.model_card.participant_flow import data_flow_chart
from wardround.training.model import Flow, Side

HALF = Metric(value=0.5)
UNDEFINED = Metric(value=None, reason="no stay with the outcome")
SIDE = Side(patients=30, stays=40, positives=7)


def charts(evaluation: Evaluation) -> dict[str, str]:
    curves = evaluation.curves
    return {
        "roc": roc_chart(curves, (HALF, HALF), 0.3),
        "precision-recall": precision_recall_chart(curves, (HALF, HALF), 0.3, HALF),
        "calibration": calibration_chart(evaluation.calibration.bins),
        "decision": decision_chart(evaluation.decision_curve),
        "data-flow": data_flow_chart(Flow(found=90, excluded={"under_age": 10}, used=80), SIDE, SIDE),
    }


def test_a_chart_is_well_formed_and_describes_itself(evaluation: Evaluation) -> None:
    for kind, drawing in charts(evaluation).items():
        root = ElementTree.fromstring(drawing)
        assert kind in (root.get("class") or "").split()
        assert [child.tag for child in root][:2] == ["title", "desc"]


@pytest.mark.parametrize("highest", [0.004, 0.03, 0.4, 1.0])
def test_axes_and_their_figures_fit_any_range(highest: float) -> None:
    ticks = Axis("", high=highest).ticks()
    assert 4 <= len(ticks) <= 8
    assert len({Axis("", high=highest, percentage=True).label(tick) for tick in ticks}) == len(ticks)


def test_round_steps_are_one_two_or_five_of_a_power_of_ten() -> None:
    assert [round_step(rough) for rough in (0.011, 0.02, 0.3, 1, 7)] == [0.02, 0.02, 0.5, 1, 10]


def test_lines_stay_inside_the_frame(evaluation: Evaluation) -> None:
    falling = tuple(DecisionPoint(threshold=t / 10, net_benefit=0.02, treat_all=0.05 - t) for t in range(6))
    low = (
        CalibrationBin(mean_predicted=0.001, observed=0.02, rows=3),
        CalibrationBin(mean_predicted=0.03, observed=0, rows=9),
    )
    for drawing in (*charts(evaluation).values(), decision_chart(falling), calibration_chart(low)):
        root = ElementTree.fromstring(drawing)
        _, _, width, height = map(float, (root.get("viewBox") or "").split())
        for path in root.iter("path"):
            numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", path.get("d") or "")]
            assert all(-0.1 <= x <= width + 0.1 for x in numbers[::2])
            assert all(-0.1 <= y <= height + 0.1 for y in numbers[1::2])


def test_an_undefined_figure_is_not_drawn() -> None:
    nothing = Curves(roc=(), precision_recall=())
    assert roc_chart(nothing, (None, None), 0.3) == ""
    assert precision_recall_chart(nothing, (None, None), 0.3, None) == ""
    assert calibration_chart(()) == decision_chart(()) == ""
    assert data_flow_chart(Flow(found=0, excluded={}, used=0), SIDE, SIDE) == ""
    assert whisker(UNDEFINED, Axis(""), 0.5) == whisker(None, Axis(""), 0.5) == ""


def test_without_an_operating_point_there_is_no_mark(evaluation: Evaluation) -> None:
    assert 'class="mark"' in roc_chart(evaluation.curves, (HALF, HALF), 0.3)
    assert 'class="mark"' not in roc_chart(evaluation.curves, (UNDEFINED, HALF), 0.3)


def test_the_flow_names_every_side_and_reason() -> None:
    drawing = data_flow_chart(Flow(found=90, excluded={"shorter_than_4h": 10}, used=80), SIDE, SIDE)
    for text in ("Stays found", "90", "80", "Stay shorter than 4", "Training side", "of 30 patients", "7 (17.5"):
        assert text in drawing


def test_the_mark_of_the_threshold_lies_on_the_curve_though_that_has_few_of_its_points(evaluation: Evaluation) -> None:
    sensitivity, specificity, ppv = Metric(value=0.25), Metric(value=0.93), Metric(value=0.364)
    for drawing in (
        roc_chart(evaluation.curves, (specificity, sensitivity), 0.3),
        precision_recall_chart(evaluation.curves, (sensitivity, ppv), 0.3, HALF),
    ):
        root = ElementTree.fromstring(drawing)
        curve = next(path.get("d") or "" for path in root.iter("path") if path.get("class") == "curve")
        mark = next(circle for circle in root.iter("circle") if circle.get("class") == "mark")
        assert re.search(rf"[ML]{mark.get('cx')} {mark.get('cy')}\b", curve)
        across = [float(x) for x in re.findall(r"[ML](-?[\d.]+) ", curve)]
        assert across == sorted(across)
