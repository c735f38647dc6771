"""Charts are well-formed SVG with titles, show what they are given, and cannot be broken by a text."""

from xml.etree import ElementTree

import numpy as np
import pytest

from wardround.core.report.charts import duration_bars, flow_chart, histogram
from wardround.core.report.flow import Loss, Stage

EVIL = '</text><script>alert("x")</script>&'
THRESHOLDS = {"moderate": 0.2, "high": 0.4}


def flow(found: int, reason: str = "Discharged") -> str:
    return flow_chart([Stage("Found", found, (Loss(reason, found),)), Stage("Written", 0, ())])


@pytest.mark.parametrize(
    "svg",
    [
        flow(10),
        flow(0),
        flow(3, EVIL),
        histogram(np.array([0.0, 0.3, 1.0]), ["low", "moderate", "high"], THRESHOLDS),
        duration_bars({"extract": 3.2, EVIL: 0.0}),
    ],
    ids=["flow", "empty flow", "hostile flow", "histogram", "hostile durations"],
)
def test_a_chart_is_well_formed_and_has_a_title_and_a_description(svg: str) -> None:
    root = ElementTree.fromstring(svg)
    assert [child.tag for child in root][:2] == ["title", "desc"]
    assert all(child.text for child in list(root)[:2])
    assert {element.tag for element in root.iter()} <= {"svg", "title", "desc", "rect", "text", "path", "line"}


def test_a_histogram_shows_every_score_in_the_colour_of_its_band() -> None:
    svg = histogram(np.array([0.0, 0.011, 0.3, 0.4, 1.0]), ["low", "low", "moderate", "high", "high"], THRESHOLDS)
    bars = [element for element in ElementTree.fromstring(svg) if element.tag == "rect"]
    assert [bar.get("class") for bar in bars] == ["low", "moderate", "high", "high"]
    titles = [bar[0].text or "" for bar in bars]
    assert titles[0].endswith("2 low")


def test_a_histogram_names_its_thresholds() -> None:
    svg = histogram(np.array([0.5]), ["high"], THRESHOLDS)
    assert "moderate from 20.0" in svg
    assert "high from 40.0" in svg


def test_without_scores_or_steps_there_is_no_chart() -> None:
    assert histogram(np.array([]), [], THRESHOLDS) == ""
    assert duration_bars({}) == ""


def test_many_reasons_for_a_loss_are_summed_up() -> None:
    losses = tuple(Loss(f"reason {number}", 1) for number in range(9))
    svg = flow_chart([Stage("Found", 9, losses), Stage("Written", 0, ())])
    assert "reason 4" in svg
    assert "reason 5" not in svg
    assert "for 4 other reasons" in svg
