"""The benchmark of coverage: what it takes for true of its wards is what many patients show, and it counts rightly."""

import numpy as np
import pytest
from benchmarks.coverage import MEASURES, Cell, simulated
from benchmarks.coverage_wards import LOCK_OUT, PREVALENCE, SUBGROUP, WARDS, Model, Stays, Ward

from wardround.evaluation.alert_episodes import alert_episodes
from wardround.evaluation.leads import lead_time
from wardround.evaluation.metrics import Metric, measure_with_intervals
from wardround.evaluation.results import Task
from wardround.evaluation.samples import Sample

MODEL = Model(np.array([0.9, 0.7, 0.4, 0.2]), bias=-3.0, threshold=0.3)
HOURLY = Task(task="hourly", horizon=None, at=LOCK_OUT, hours_per_row=1, label="simulated", onset_definition=None)
PATIENTS = 2000


def _agrees(metric: Metric, truth: float) -> bool:
    """Whether the truth is at most twice as far off as the interval of many patients reaches."""
    return 2 * metric.low - metric.value <= truth <= 2 * metric.high - metric.value


@pytest.mark.parametrize("ward", WARDS, ids=lambda ward: ward.name)
def test_figures_of_many_patients_are_those_of_the_densities_of_their_scores(ward: Ward) -> None:
    generator = np.random.default_rng(12)
    inputs, rows = ward.rows(generator.random(PATIENTS) < PREVALENCE, generator)
    scores = MODEL.scores(inputs)
    for of_subgroup in (False, True):
        mine = (rows["sex_group"] == SUBGROUP).to_numpy() if of_subgroup else np.ones(len(rows), dtype=bool)
        outcome, patients = rows["outcome"].to_numpy()[mine], rows["patient_id"][mine]
        sample = Sample.by_chance(patients)
        found = measure_with_intervals(outcome, scores.score[mine], scores.threshold, sample, MEASURES)
        tally = ward.tally(MODEL, of_subgroup)
        for name, each in MEASURES.items():
            assert _agrees(found[name], each.figure(tally)), name


def test_alerts_and_leads_of_many_patients_are_those_of_the_benchmarks_own_stays() -> None:
    ward, generator = WARDS[1], np.random.default_rng(12)
    inputs, rows = ward.rows(generator.random(PATIENTS) < PREVALENCE, generator)
    scores, true = MODEL.scores(inputs), ward.courses(MODEL, Stays(20_000, generator))
    found = alert_episodes(rows, scores, Sample.by_chance(rows["patient_id"]), HOURLY, LOCK_OUT)
    leads = lead_time(rows, *scores)
    assert _agrees(found.alerts_per_100_patient_days, true.alerts_per_row * 2400)
    assert _agrees(found.alerts_per_true_alert, true.alerts_per_true_alert)
    assert _agrees(found.share_alerted, true.share_alerted)
    assert _agrees(found.share_false_alarm, true.share_false_alarm)
    assert _agrees(leads.median, float(np.median(true.leads)))


def test_the_benchmark_repeats_with_its_seed_and_a_training_has_every_figure() -> None:
    first, again = (simulated(WARDS[0], 12, 2, np.random.default_rng(12)) for _ in range(2))
    for drawing, cells in first.items():
        assert {name: str(cell) for name, cell in cells.items()} == {
            name: str(cell) for name, cell in again[drawing].items()
        }
        assert {cell.counts["all"] for cell in cells.values()} == {2}
        bands = {f"{band} band: {name}" for band in ("low", "moderate", "high") for name in ("share", "observed")}
        assert bands | MEASURES.keys() <= cells.keys()


@pytest.mark.parametrize(
    ("shown", "covered", "said"),
    [
        (1000, 950, "95.0"),
        (1000, 925, "92.5"),  # below 93, but by less than the error of 0.8
        (1000, 910, "91.0 -"),
        (1000, 980, "98.0 +"),
        (600, 570, "95.0 (of 600)"),
        (200, 100, "50.0 - (of 200)"),
        (199, 100, "shown in 199"),
        (0, 0, "not shown"),
    ],
)
def test_a_cell_marks_a_coverage_outside_the_aim_by_more_than_its_error(shown: int, covered: int, said: str) -> None:
    cell, interval = Cell(), Metric(value=0.5, low=0.4, high=0.6)
    for place in range(1000):
        cell.add(interval if place < shown else Metric(value=None, reason="too few"), 0.5 if place < covered else 0.7)
    assert str(cell) == said
