"""How a candidate compares with the live model, how the promotion gates judge it, and what the reader is shown."""

import numpy as np
import pandas as pd
import pytest

from wardround.evaluation.band_shares import band_shares
from wardround.evaluation.comparison import (
    SLOPE,
    Compared,
    Comparison,
    Judged,
    OnTest,
    Seen,
    ToJudge,
    compared,
    counted,
    judged,
)
from wardround.evaluation.comparison_text import as_markdown
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import BandShare
from wardround.evaluation.samples import Sample
from wardround.evaluation.tallies import Scores
from wardround.spec.promotion import Promotion

LIMITS = Promotion()


def _bands(**rows: int) -> tuple[BandShare, ...]:
    """So many patients with a prediction in each band."""
    score, n = np.repeat([0.1, 0.3, 0.5], list(rows.values())), sum(rows.values())
    return band_shares(np.zeros(n, dtype=int), Scores(score, 0.4), 0.2, Sample.by_chance(pd.Series(range(n))))


MANY = OnTest(rows=400, patients=200, patients_with_outcome=80)
BANDS = _bands(low=330, moderate=50, high=20)
UNDEFINED = Metric(value=None, reason="no stay reaches the threshold")


def figures(slope: float = 1.0, ppv: float | None = 0.5, difference: float | None = 0.0) -> dict[str, Compared]:
    """What the gates read."""
    against = None if difference is None else Metric(value=difference)
    return {
        SLOPE: Compared(candidate=Metric(value=slope)),
        "ppv": Compared(candidate=UNDEFINED if ppv is None else Metric(value=ppv)),
        "auroc": Compared(candidate=Metric(value=0.8), difference=against),
    }


def gates(counts: OnTest = MANY, limits: Promotion = LIMITS, **found: float | None) -> dict[str, bool | None]:
    both = ToJudge(figures(**found), counts)
    return {gate.name: gate.passed for gate in judged(both, both, BANDS, "none is live", limits)}


def test_a_calibrated_model_that_is_as_good_as_live_passes() -> None:
    assert gates() == {"calibration_slope": True, "ppv": True, "bands": True, "auroc_against_live": True}


@pytest.mark.parametrize(("slope", "passes"), [(0.69, False), (0.7, True), (1.4, True), (1.41, False)])
def test_a_model_that_is_far_too_bold_or_too_timid_fails(slope, passes) -> None:
    assert gates(slope=slope)["calibration_slope"] is passes


@pytest.mark.parametrize(("ppv", "passes"), [(0.049, False), (0.05, True), (None, False)])
def test_a_model_whose_alerts_are_rarely_right_or_that_never_alerts_fails(ppv, passes) -> None:
    assert gates(ppv=ppv)["ppv"] is passes


@pytest.mark.parametrize(("difference", "passes"), [(-0.021, False), (-0.02, True), (0.1, True)])
def test_a_model_that_loses_more_auroc_than_the_margin_fails(difference, passes) -> None:
    assert gates(difference=difference)["auroc_against_live"] is passes


def test_the_first_model_is_judged_by_everything_but_a_comparison() -> None:
    assert gates(difference=None) == {"calibration_slope": True, "ppv": True, "bands": True, "auroc_against_live": None}


@pytest.mark.parametrize("with_outcome", [49, 151])
def test_with_few_patients_with_or_without_the_outcome_no_gate_judges(with_outcome) -> None:
    few = MANY.model_copy(update={"patients_with_outcome": with_outcome})
    assert gates(few, slope=9.0) == dict.fromkeys(("calibration_slope", "ppv", "bands", "auroc_against_live"))


@pytest.mark.parametrize("with_outcome", [50, 150])
def test_just_enough_patients_with_and_without_the_outcome_are_judged(with_outcome) -> None:
    enough = MANY.model_copy(update={"patients_with_outcome": with_outcome})
    assert gates(enough, slope=9.0)["calibration_slope"] is False


def test_slope_and_ppv_are_judged_at_all_hours_and_the_difference_at_those_of_both_models() -> None:
    everywhere, common = figures(slope=9.0, ppv=0.01), figures(difference=-0.5)
    assert [gate.passed for gate in judged(ToJudge(everywhere, MANY), ToJudge(common, MANY), BANDS, None, LIMITS)] == [
        False,
        False,
        True,
        False,
    ]
    few = ToJudge(common, MANY.model_copy(update={"patients_with_outcome": 2}))
    found = {gate.name: gate for gate in judged(ToJudge(figures(), MANY), few, BANDS, None, LIMITS)}
    assert (found[SLOPE].passed, found["ppv"].passed, found["auroc_against_live"].passed) == (True, True, None)
    assert found["auroc_against_live"].message.startswith("too few to judge: 2 test patients with the outcome")


def _of_bands(counts: OnTest = MANY, **rows: int) -> Judged:
    both = ToJudge(figures(), counts)
    return judged(both, both, _bands(**rows) if rows else (), None, LIMITS)[2]


def test_a_model_with_a_band_that_is_of_no_use_fails_and_says_which_and_what_to_do() -> None:
    nobody, everybody = _of_bands(low=400, moderate=100, high=0), _of_bands(low=1, moderate=998, high=1)
    assert (nobody.passed, everybody.passed) == (False, False)
    assert nobody.message == (
        "no prediction of the test patients is high, 0 of 500 (0.0 to 0.8 %); change the policy or its target in the"
        " condition's `bands` and train again"
    )
    assert everybody.message.startswith("nearly all predictions of the test patients are moderate, 998 of 1,000 (99.")


def test_an_empty_band_of_few_patients_is_named_and_not_judged() -> None:
    few = MANY.model_copy(update={"patients_with_outcome": 4})
    for counts in (few, MANY):
        gate = _of_bands(counts, low=0, moderate=30, high=10)
        assert gate.passed is None
        assert gate.message.startswith("no prediction of the test patients is low, 0 of 40 (0.0 to 8.8 %): it may be")


def test_bands_that_are_of_use_are_shown_with_their_shares() -> None:
    gate = _of_bands(low=330, moderate=50, high=20)
    assert (gate.passed, gate.message) == (
        True,
        "predictions of the test patients: low 82.5 %, moderate 12.5 %, high 5.0 %",
    )


def test_bands_that_were_not_measured_are_not_judged() -> None:
    gate = _of_bands()
    assert (gate.passed, gate.message) == (None, "the shares of the bands were not measured")


def test_without_a_live_model_the_gate_gives_the_reason() -> None:
    alone = ToJudge(figures(difference=None), MANY)
    gate = judged(alone, alone, BANDS, "none is live", LIMITS)[-1]
    assert gate.message == "no live model to compare with: none is live"


def test_a_gate_says_if_its_figure_has_no_interval() -> None:
    few = {"reason": "too few patients with the outcome (3) for an interval"}
    found = {
        SLOPE: Compared(candidate=Metric(value=1.0, **few)),
        "ppv": Compared(candidate=Metric(value=0.5, low=0.2, high=0.8)),
        "auroc": Compared(candidate=Metric(value=0.8, **few), difference=Metric(value=0.01, **few)),
    }
    both = ToJudge(found, MANY)
    slope, ppv, _, auroc = (gate.message for gate in judged(both, both, BANDS, None, LIMITS))
    assert (
        slope == "calibration slope 1.00 (too few patients with the outcome (3) for an interval), expected 0.7 to 1.4"
    )
    assert ppv == "PPV 0.50, expected at least 0.05"
    assert auroc.startswith("AUROC +0.010 (too few patients with the outcome (3) for an interval) against the live")


def test_without_a_live_model_the_candidates_own_figures_stay() -> None:
    outcome, patients = np.arange(40) % 2, pd.Series([f"p{n}" for n in range(40)])
    candidate = Scores(np.where(outcome == 1, 0.8, 0.2) + np.arange(40) % 5 / 100, 0.5)
    found = compared(outcome, Sample.by_chance(patients), candidate, None)
    assert (found["auroc"].candidate.value, found["ppv"].candidate.value) == (1.0, 1.0)
    assert (set(found) >= {SLOPE, "ppv"}, found["auroc"].live, found["auroc"].difference) == (True, None, None)


def test_how_patients_were_drawn_decides_the_intervals_of_a_comparison() -> None:
    generator = np.random.default_rng(5)
    truth = generator.normal(-2.5, 1, size=300)
    outcome = (generator.random(300) < 1 / (1 + np.exp(-truth))).astype(int)
    patients = pd.Series([f"p{n}" for n in range(300)])
    # The outcome is rare and scores are low, so that the Brier score depends on how many have it.
    ours, theirs = (Scores(1 / (1 + np.exp(-seen)), 0.5) for seen in (truth, truth + 1))
    split, by_chance = (
        compared(outcome, sample, ours, theirs)["brier"]
        for sample in (Sample.of_each_class(outcome, patients, 0.25), Sample.by_chance(patients))
    )
    for name in ("candidate", "live", "difference"):
        known, unknown = (getattr(each, name) for each in (split, by_chance))
        assert known.value == unknown.value
        assert known.high - known.low < 0.9 * (unknown.high - unknown.low)


def test_patients_are_counted_once_however_many_rows_they_have() -> None:
    counts = counted(np.array([1, 1, 0, 0]), pd.Series(["a", "a", "a", "b"]))
    assert (counts.rows, counts.patients, counts.patients_with_outcome) == (4, 2, 1)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """A model that is three times overconfident, and a live model that discriminates less."""
    generator = np.random.default_rng(5)
    truth, noise = generator.normal(size=(2, 120))
    outcome = (generator.random(120) < 1 / (1 + np.exp(-truth))).astype(int)
    patients = pd.Series([f"p{n}" for n in range(120)])
    bold, dull = (Scores(1 / (1 + np.exp(-seen)), 0.5) for seen in (3 * truth, truth + noise))
    found, counts = compared(outcome, Sample.by_chance(patients), bold, dull), counted(outcome, patients)
    return Comparison(
        condition="sepsis",
        version="1.0.0-b",
        live="1.0.0-a",
        notes=("Mind the gap.",),
        test=counts,
        metrics=found,
        gates=judged(ToJudge(found, counts), ToJudge(found, counts), BANDS, None, LIMITS),
    )


def test_differences_are_candidate_minus_live_with_their_own_intervals(comparison) -> None:
    auroc = comparison.metrics["auroc"]
    assert auroc.difference.value == pytest.approx(auroc.candidate.value - auroc.live.value)
    assert auroc.difference.low < auroc.difference.value < auroc.difference.high


def test_the_reader_sees_both_models_with_intervals_the_gates_and_what_to_know(comparison) -> None:
    text = as_markdown(comparison)
    row = next(line for line in text.splitlines() if line.startswith("| AUROC"))
    assert "Candidate `1.0.0-b`, live `1.0.0-a`." in text
    assert (row.count("|"), row.count(" to ")) == (5, 3)
    assert "* **failed**: calibration slope 0." in text
    assert "against the live model, expected at least -0.02" in text
    assert "* Mind the gap." in text


BOTH_MODELS = Compared(
    candidate=Metric(value=0.8, low=0.75, high=0.85),
    live=Metric(value=0.81),
    difference=Metric(value=-0.01, low=-0.02, high=0.004),
)


def _small(*passed: bool | None, **changes: object) -> Comparison:
    """A comparison without a live model, with one gate for each verdict."""
    metrics = {
        name: Compared(candidate=Metric(value=0.5)) for name in ("auprc", "f1", "sensitivity", "brier", SLOPE)
    } | {"auroc": BOTH_MODELS, "ppv": Compared(candidate=UNDEFINED)}
    judgements = tuple(
        Judged(name=name, passed=each, message=f"{name} is told")
        for name, each in zip(("calibration_slope", "ppv", "auroc_against_live"), passed, strict=False)
    )
    fields = {"condition": "sepsis", "version": "1.0.0-b", "live": None, "test": MANY, "metrics": metrics}
    return Comparison(**{**fields, "gates": judgements, **changes})


def test_a_page_has_the_counts_the_figures_the_gates_and_no_notes_where_there_are_none() -> None:
    many = MANY.model_copy(update={"rows": 12_345})
    assert as_markdown(_small(True, False, None, test=many)).splitlines() == [
        "**No model is live, so the candidate is not compared.**",
        "",
        "Candidate `1.0.0-b`, live `none`.",
        "200 test patients, 80 with the outcome; 12,345 predictions.",
        "",
        "| on the same test patients | candidate | live | difference |",
        "| --- | --- | --- | --- |",
        "| AUROC | 0.800 (0.750 to 0.850) | 0.810 (no interval) | -0.010 (-0.020 to +0.004) |",
        "| AUPRC | 0.500 (no interval) |  |  |",
        "| F1 at the threshold | 0.500 (no interval) |  |  |",
        "| sensitivity at the threshold | 0.500 (no interval) |  |  |",
        "| PPV at the threshold | no stay reaches the threshold |  |  |",
        "| Brier score (lower is better) | 0.500 (no interval) |  |  |",
        "| calibration slope (1 is ideal) | 0.500 (no interval) |  |  |",
        "",
        "Gates:",
        "",
        "* passed: calibration\\_slope is told",
        "* **failed**: ppv is told",
        "* not judged: auroc\\_against\\_live is told",
    ]


def test_a_page_says_how_many_predictions_one_of_the_models_does_not_cover() -> None:
    some = MANY.model_copy(update={"not_covered": 1_100})
    assert as_markdown(_small(True, test=some)).splitlines()[4] == (
        "1,100 of 1,500 test predictions are left out for both models: they are at hours of a stay that one of the"
        " models does not cover, and is never asked about."
    )


def test_a_page_warns_where_no_gate_could_judge_and_ends_with_what_to_know() -> None:
    page = as_markdown(_small(None, notes=("Mind the gap.",), not_scored="too old")).splitlines()
    assert page[page.index("| calibration slope (1 is ideal) | 0.500 (no interval) |  |  |") + 1 :] == [
        "",
        "**No gate could judge this model**: that no gate stopped it says nothing about its quality.",
        "",
        "Gates:",
        "",
        "* not judged: calibration\\_slope is told",
        "",
        "Notes:",
        "",
        "* Mind the gap.",
        "* Not compared: too old.",
    ]


def test_a_live_model_that_cannot_be_scored_is_named_with_the_reason(comparison) -> None:
    alone = {name: each.model_copy(update={"live": None}) for name, each in comparison.metrics.items()}
    changes = {"metrics": alone, "not_scored": "trained for another spec", "notes": ()}
    assert "* Not compared: trained for another spec." in as_markdown(comparison.model_copy(update=changes))


def test_what_failed_is_said_in_one_line_and_nothing_if_all_passed(comparison) -> None:
    assert comparison.failed.startswith("calibration slope 0.")
    assert comparison.model_copy(update={"gates": comparison.gates[1:]}).failed == ""


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"live": None}, "No model is live"),
        ({"seen": Seen(answer="no")}, "The live model learned from none of these test patients."),
        (
            {"seen": Seen(answer="yes", patients=1_234)},
            "The live model learned from 1,234 of these 120 test patients, so it",
        ),
        ({"seen": Seen(answer="unknown")}, "It is not known whether the live model learned from these test patients"),
        ({"seen": None}, "It is not known whether the live model learned from these test patients"),
        ({"not_scored": "another spec"}, "The live model could not be scored here"),
    ],
)
def test_the_first_line_says_whether_the_live_model_has_seen_the_test_patients(comparison, changes, first) -> None:
    assert as_markdown(comparison.model_copy(update=changes)).splitlines()[0].startswith(f"**{first}")
