"""A figure on a terminal is never alone: its interval stands beside it, or the reason why there is none."""

import re
from typing import Any

import pytest
from rich.console import Console

from wardround.cli.cards import show_card
from wardround.cli.versions import _interval, versions_table
from wardround.evaluation.measures import METRICS
from wardround.evaluation.metric_text import in_text
from wardround.evaluation.metrics import Metric
from wardround.model_card.card_words import estimate
from wardround.model_card.judged import in_short
from wardround.training.model import ModelCard

FEW = "too few patients with the outcome (3) for an interval"
ONE = Metric(value=1.0, reason=FEW)
OF_AN_EARLIER_RELEASE = Metric(value=1.0, low=1.0, high=1.0)


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (Metric(value=0.8124, low=0.74, high=0.88), "0.812 (0.740 to 0.880)"),
        (ONE, f"1.000 ({FEW})"),
        (Metric(value=None, reason="no stay reaches the threshold"), "no stay reaches the threshold"),
        (OF_AN_EARLIER_RELEASE, "1.000 (too few patients for an interval)"),
        (Metric(value=0.5), "0.500 (no interval)"),
    ],
)
def test_a_figure_is_told_with_its_interval_or_why_it_has_none(metric: Metric, text: str) -> None:
    assert in_text(metric) == text
    if metric.value is not None:
        assert estimate(metric) == text


def test_a_difference_has_signs_and_a_reason_is_escaped() -> None:
    assert in_text(Metric(value=0.1, low=-0.2, high=0.3), "+") == "+0.100 (-0.200 to +0.300)"
    assert in_text(ONE, escaped=str.upper) == f"1.000 ({FEW.upper()})"


def test_the_card_of_a_training_with_few_patients_says_so_beside_every_figure(
    judged_card: ModelCard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    few = dict.fromkeys(METRICS, ONE)
    candidates = {name: each.model_copy(update={"metrics": few}) for name, each in judged_card.candidates.items()}
    show_card(judged_card.model_copy(update={"metrics": few, "candidates": candidates}))
    said = capsys.readouterr().out
    # One more is the sensitivity, the policy's figure, beside its target.
    assert said.count(f"1.000 ({FEW})") == len(METRICS) + 3 * len(candidates) + 1
    assert re.findall(r"1\.000 (?!\(too few)", said) == []


def _row(auroc: Metric | None, f1: Metric | None) -> dict[str, Any]:
    figures = {"auroc": auroc, "f1": f1}
    return {
        "version": "1.0.0-a",
        "state": "live",
        "withdrawn": False,
        "gates": "not_judged",
        "model": "xgboost",
        "created": "2026-01-02T05:00:00+00:00",
        "decision": None,
        **{name: metric.value if metric else None for name, metric in figures.items()},
        "intervals": {name: _interval(metric) for name, metric in figures.items()},
    }


def test_the_list_of_versions_has_intervals_or_why_there_are_none() -> None:
    console = Console(width=200, record=True)
    for row in (_row(Metric(value=0.8, low=0.7, high=0.9), ONE), _row(OF_AN_EARLIER_RELEASE, None)):
        console.print(versions_table("sepsis", [row]))
    text = console.export_text()
    assert "AUROC 0.800 (0.700 to 0.900)" in text
    assert f"F1 1.000 ({FEW})" in text
    assert "AUROC 1.000 (too few patients for an interval)" in text
    assert "F1 – (not measured)" in text


def test_the_card_on_a_terminal_says_what_its_figures_are_of_and_what_people_would_be_told(
    judged_card: ModelCard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    show_card(judged_card)
    said = capsys.readouterr().out
    for name, text in in_short(judged_card):
        assert name.lower() in said
        assert text in said
    assert "Alerts per true alert" in said
    assert "4.0 (2.5 to 7.0)" in said
    assert "younger than the cohort's minimum age: 7; stay shorter than 4" in said


def test_a_model_from_elsewhere_has_no_table_of_figures(
    elsewhere: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    show_card(elsewhere)
    said = capsys.readouterr().out
    assert "imported from" in said
    assert "AUROC" not in said
