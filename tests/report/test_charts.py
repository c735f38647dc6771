"""Charts are well-formed SVG with titles, show what they are given, and cannot be broken by a text."""

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from wardround.report.earlier import Point
from wardround.report.histogram import NARROW, histogram
from wardround.report.stay_flow import Loss, Stage
from wardround.report.stay_flow_chart import flow_chart
from wardround.report.trend import trend

EVIL = '</text><script>alert("x")</script>&'
THRESHOLDS = {"moderate": 0.2, "high": 0.4}


def points(*found: int) -> list[Point]:
    return [Point(pd.Timestamp(f"2026-01-0{day}T05:00Z"), number, number // 4) for day, number in enumerate(found, 1)]


def flow(found: int, reason: str = "Discharged") -> str:
    return flow_chart([Stage("Found", found, (Loss(reason, found),)), Stage("Written", 0, ())])


@pytest.mark.parametrize(
    "svg",
    [
        flow(10),
        flow(0),
        flow(3, EVIL),
        histogram(np.array([0.0, 0.3, 1.0]), ["low", "moderate", "high"], THRESHOLDS),
        histogram(np.array([0.5]), ["high"], THRESHOLDS, NARROW),
        trend(points(3, 0, 12)),
    ],
    ids=["flow", "empty flow", "hostile flow", "histogram", "narrow histogram", "trend"],
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


def test_a_histogram_names_its_axes() -> None:
    texts = [
        element.text for element in ElementTree.fromstring(histogram(np.array([0.5]), ["high"], THRESHOLDS)).iter()
    ]
    assert {"Score", "Stays"} <= set(texts)


def test_a_narrow_drawing_has_another_id_and_text_of_eleven_pixels_at_least_on_a_telephone() -> None:
    """Such a drawing is as wide as the screen minus its margins, 342 of 390 pixels; its text is of 11.5 or more."""
    slim = ElementTree.fromstring(histogram(np.array([0.5]), ["high"], THRESHOLDS, NARROW))
    found = ElementTree.fromstring(trend(points(3)))
    for drawing in (slim, found):
        width = float((drawing.get("viewBox") or "").split()[2])
        assert 342 / width * 11.5 > 10.9
    assert slim[0].get("id") == "histogram-narrow-title"


def test_a_trend_shows_each_run_with_its_time_and_numbers() -> None:
    svg = trend(points(8, 4))
    drawn = ElementTree.fromstring(svg)
    assert [one.get("class") for one in drawn if one.tag == "rect"][2:] == ["found", "high", "now", "high"]
    texts = [element.text for element in drawn if element.tag == "text"]
    assert texts[-6:] == ["8", "1 Jan", "05:00", "4", "2 Jan", "05:00"]
    assert "1 Jan, 05:00: 8 found, 2 high" in svg


def test_without_scores_or_runs_there_is_no_chart() -> None:
    assert histogram(np.array([]), [], THRESHOLDS) == ""
    assert trend([]) == ""


def test_many_reasons_for_a_loss_are_summed_up() -> None:
    losses = tuple(Loss(f"reason {number}", 1) for number in range(9))
    svg = flow_chart([Stage("Found", 9, losses), Stage("Written", 0, ())])
    assert "reason 4" in svg
    assert "reason 5" not in svg
    assert "for 4 other reasons" in svg
