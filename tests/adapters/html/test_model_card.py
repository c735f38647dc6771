"""Tests that the model card's page is self-contained and complete, and contains nothing about individual patients."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from wardround.adapters.html.model_card import PAGE, STATEMENTS, files_beside, render_card
from wardround.adapters.models.store import ModelStore
from wardround.errors import ModelError
from wardround.evaluation.by_time import ByTime
from wardround.evaluation.comparison import MEASURES, Compared, Comparison, Judged, OnTest
from wardround.evaluation.gates import GateResult
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import Evaluation
from wardround.model_card.sections import SECTIONS
from wardround.spec.conditions import Label
from wardround.spec.model_card import ModelCardTexts
from wardround.training.model import ModelCard

EVIL = '<script>alert("x")</script>'


def text_of(page: str) -> str:
    """Returns the visible text of the page, with ordinary spaces and minus signs."""
    return unescape(re.sub(r"<[^>]+>", " ", page.partition("</head>")[2])).replace("\u202f", " ").replace("\u2212", "-")


def _rows_of(page: str, section: str) -> list[list[str]]:
    """The cells of the rows in a section's tables."""
    content = page.partition(f'<section id="{section}">')[2].partition("</section>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", content.replace("\n", " "))
    return [[" ".join(text_of(f"</head>{cell}").split()) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]


def numbered(found: Any, start: Iterator[int]) -> Any:
    """Returns the evaluation with figures that all differ, so that a missing one is noticed."""
    if isinstance(found, dict):
        return {
            key: next(start) / 10_000 if is_figure(key, value) else numbered(value, start)
            for key, value in found.items()
        }
    return [numbered(each, start) for each in found] if isinstance(found, list) else found


def figures(found: Any) -> Iterator[float]:
    """Yields all figures of an evaluation, or of a part of it, in the form of card.json."""
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in inner:
        yield from [value] if is_figure(key, value) else figures(value)


def is_figure(key: object, value: object) -> bool:
    return key in ("value", "low", "high", "mean_absolute") and value is not None


@pytest.fixture(scope="module")
def page(evaluated_card: ModelCard) -> str:
    return render_card(evaluated_card)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Returns a candidate that is worse than the live model and below the smallest allowed PPV."""
    ours, theirs = Metric(value=0.81, low=0.75, high=0.87), Metric(value=0.83, low=0.77, high=0.89)
    apart = Metric(value=-0.02, low=-0.05, high=0.01)
    return Comparison(
        condition="sepsis",
        version="1.0.0-0123456789ab",
        live="1.0.0-ba9876543210",
        notes=("the live model may have learned from some of these patients",),
        test=OnTest(rows=240, patients=110, patients_with_outcome=21),
        metrics={name: Compared(candidate=ours, live=theirs, difference=apart) for name in MEASURES},
        gates=(
            Judged(name="ppv", passed=False, message="PPV 0.08, expected at least 0.1"),
            Judged(name="auroc_against_live", passed=True, message="AUROC -0.020 against the live model"),
        ),
    )


def test_nothing_is_fetched_from_a_network(page: str) -> None:
    assert re.findall(r"(?i)https?://|//[a-z]|@import|url\(|<script|<link|<img|<iframe|src=", page) == []
    assert {target[0] for target in re.findall(r'href="([^"]*)"', page)} == {"#"}


def test_every_section_is_there_and_every_link_leads_to_one(page: str) -> None:
    found = re.findall(r'<section id="([a-z0-9]+)"', page)
    assert found == list(SECTIONS)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(found)


def test_ids_are_unique(page: str) -> None:
    found = re.findall(r'\bid="([^"]+)"', page)
    assert len(found) == len(set(found))


def test_every_figure_of_the_evaluation_is_on_the_page(evaluated_card: ModelCard, evaluation: Evaluation) -> None:
    different = numbered(evaluation.model_dump(mode="json"), iter(range(1001, 9999, 7)))
    changed = evaluated_card.model_copy(update={"evaluation": Evaluation.model_validate(different)})
    text = text_of(render_card(changed))
    calibration = different["calibration"]
    places = {
        **dict.fromkeys(figures([different["lead_time"], different["alerts_per_100_patient_days"]]), 1),
        **dict.fromkeys(figures([calibration["slope"], calibration["intercept"]]), 2),
    }
    found = list(figures(different))
    assert len(found) == len(set(found)) > 100
    for value in found:
        assert f"{value:.{places.get(value, 3)}f}" in text or f"{value:.4f}" in text


def test_curves_and_counts_are_on_the_page(page: str, evaluated_card: ModelCard) -> None:
    text = text_of(page)
    for kind in ("roc", "precision-recall", "calibration", "decision", "data-flow"):
        assert re.search(rf'<svg class="chart [^"]*\b{kind}"', page), kind
    excluded = ("500", "Younger than the cohort's", "Stay shorter than 4 h", "A bound such as “<0.5”")
    chosen = (
        "slope 1.070, intercept 0.130",
        "sensitivity of at least 0.80",
        "31.00 %",
        "31 had a score in the high band",
    )
    for words in (*excluded, *chosen):
        assert words in text, words
    assert len(re.findall(r'<tr class="attribute">', page)) == 31
    assert len(re.findall(r'<tr class="item">', page)) == 52


def test_which_predictions_were_judged_stands_where_the_figures_stand(judged_card: ModelCard) -> None:
    page = " ".join(unescape(render_card(judged_card)).split())
    ranks = page[page.index('<section id="performance">') : page.index('<section id="calibration">')]
    assert "all times at risk (each full hour), as a screening scores them" in ranks
    assert "How the choice of hours changes the figures" in ranks
    assert ["AUROC", "0.700 0.600 to 0.800", "0.500 0.400 to 0.600"] in _rows_of(page, "performance")
    alerts = page[page.index('<section id="thresholds">') : page.index('<section id="subgroups">')]
    assert "What people would be told" in alerts
    assert "40 alerts on 120 stays, 10 of them true" in alerts
    assert "Hours covered" in page[page.index('<section id="task">') : page.index('<section id="development">')]


def test_a_card_of_an_earlier_release_says_what_it_was_judged_on(page: str) -> None:
    told = " ".join(unescape(page).split())
    assert "by an earlier release. On all hours of a unit the outcome is rarer" in told
    assert "How the choice of hours changes the figures" not in told
    assert "Alerts with a lock-out were not measured" in told


def test_how_reasons_are_chosen_is_stated_with_how_many_were_left_out(page: str) -> None:
    assert "compared with the average patient of the training data" in page
    assert "it contradicts what is clinically expected" in page
    assert "Over 240 predictions of the test set 60 of 1\u202f200 were left out (5.0\u202f%)." in page


def by_time() -> ByTime:
    figures = iter(range(501, 999, 7))
    metrics = [
        {
            name: Metric(**{part: next(figures) / 1000 for part in ("low", "value", "high")})
            for name in ("auroc", "auprc")
        }
        for _ in range(3)
    ]
    shown = dict(zip(("all_inputs", "without_time", "time_alone"), metrics, strict=True))
    return ByTime(columns=("hours_in_unit",), rows=1234, **shown)


def test_what_the_ranking_owes_to_time_is_on_the_page(page: str, evaluated_card: ModelCard) -> None:
    found = by_time()
    timed = text_of(render_card(evaluated_card.model_copy(update={"by_time": found})))
    part = timed.partition("What it owes to the time since the stay began")[2].partition("How well it ranks")[0]
    lines = {
        "All inputs": found.all_inputs,
        "Without this time": found.without_time,
        "This time alone": found.time_alone,
    }
    for words, metrics in lines.items():
        shown = " ".join(part.partition(words)[2].split())
        auroc, auprc = (
            f"{metric.value:.3f} {metric.low:.3f} to {metric.high:.3f}"
            for metric in (metrics["auroc"], metrics["auprc"])
        )
        assert shown.startswith(f"{auroc} {auprc}"), words
    assert "1 234 predictions of the training set" in part
    assert "What it owes to the time" not in page, "an earlier release measured nothing of the kind"


def test_a_card_says_if_the_ranking_rests_on_time(evaluated_card: ModelCard) -> None:
    gate = GateResult(
        name="dominant_feature", passed=True, found=0.1, limit=0.05, message="A clock", clocks=("hours_in_unit",)
    )
    text = text_of(render_card(evaluated_card.model_copy(update={"gates": (gate,)})))
    assert "Rests on the time since the stay began" in text
    assert "Rests on single features" not in text
    assert "which says when patients are at risk and nothing of how this one is" in text


def test_a_suppressed_group_leaves_how_many_and_no_figure(page: str, evaluated_card: ModelCard) -> None:
    age = page.partition("<h3>Age</h3>")[2].partition("<h3>")[0]
    assert evaluated_card.evaluation is not None
    shown = next(each for each in evaluated_card.evaluation.subgroups if each.attribute == "age_band")
    assert [cell.group for cell in shown.cells] == re.findall(r'scope="rowgroup"[^>]*>(.+?) <', age)
    assert "3 groups are not shown" in age


def test_the_adjunct_banner_is_at_the_top_and_few_patients_are_said_to_prove_nothing(page: str) -> None:
    text = text_of(page)
    assert text.index("Adjunct only: never the sole basis") < text.index("Summary")
    assert "Needs validation on local patients" in text
    assert "they support no claim about accuracy" in text


def test_a_model_from_elsewhere_has_a_page_that_claims_nothing(elsewhere: ModelCard) -> None:
    page = render_card(elsewhere)
    text = text_of(page)
    assert "Trained elsewhere" in text
    assert re.findall(r"\bNone\b", text) == []
    assert "AUROC" not in text.partition("Subgroups")[0]
    assert len(re.findall(r'<tr class="attribute">', page)) == 31


def test_what_the_page_states_is_stated_to_programs_too(page: str, evaluated_card: ModelCard) -> None:
    stated = json.loads(files_beside(evaluated_card)[STATEMENTS])
    text = " ".join(text_of(page).split())
    attributes = stated["source_attributes"]["attributes"]
    assert len(attributes) == 31
    for attribute in attributes:
        said = " ".join(attribute["text"].replace("\u202f", " ").split())
        assert said
        assert f"{attribute['paragraph']} {attribute['name']} {said}" in text
    assert [item["item"] for item in stated["tripod_ai"] if not (item["section"] or item["text"])] == []


def test_texts_are_escaped(evaluated_card: ModelCard) -> None:
    stated = ModelCardTexts(developer=EVIL, out_of_scope=(EVIL,), bias=EVIL)
    about = evaluated_card.about.model_copy(update={"stated": stated, "description": EVIL})
    page = render_card(evaluated_card.model_copy(update={"about": about, "title": EVIL}))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_has_no_part_in_the_model_s_version(evaluated_card: ModelCard) -> None:
    before = evaluated_card.content_version("1.0.0")
    render_card(evaluated_card)
    assert evaluated_card.content_version("1.0.0") == before
    assert "card.html" not in evaluated_card.files


def test_the_same_card_gives_the_same_page(page: str, evaluated_card: ModelCard) -> None:
    assert render_card(ModelCard.model_validate_json(evaluated_card.model_dump_json())) == page


def test_the_comparison_with_the_live_model_has_both_models_the_difference_and_the_gates(
    evaluated_card: ModelCard, comparison: Comparison
) -> None:
    section = render_card(evaluated_card, comparison).partition('id="comparison"')[2].partition("</section>")[0]
    text = unescape(re.sub(r"<[^>]+>", " ", section)).replace("\u2212", "-")
    for words in ("The live model was 1.0.0-ba9876543210", "0.810 (0.750 to 0.870)", "0.830 (0.770 to 0.890)",
                  "-0.020 (-0.050 to +0.010)", "failed", "PPV 0.08, expected at least 0.1."):  # fmt: skip
        assert words in text, words


def test_whether_the_live_model_has_seen_the_test_patients_stands_before_the_figures(
    evaluated_card: ModelCard, comparison: Comparison
) -> None:
    section = render_card(evaluated_card, comparison).partition('id="comparison"')[2].partition("</section>")[0]
    assert comparison.fairness in section.partition("<table")[0]


def test_where_no_model_was_live_there_is_nothing_beside_this_one(
    evaluated_card: ModelCard, comparison: Comparison
) -> None:
    alone = {name: Compared(candidate=both.candidate) for name, both in comparison.metrics.items()}
    changed = comparison.model_copy(update={"live": None, "metrics": alone})
    section = render_card(evaluated_card, changed).partition('id="comparison"')[2].partition("</section>")[0]
    assert "No model was live when this one was trained" in section
    assert "Live model" not in section
    assert "Promotion gates" in section


def test_without_a_comparison_the_page_says_how_to_get_one(page: str, evaluated_card: ModelCard) -> None:
    section = text_of("</head>" + page.partition('id="comparison"')[2].partition("</section>")[0])
    assert f"wardround model show {evaluated_card.condition} {evaluated_card.version} --html FILE" in section


def test_the_store_keeps_the_page_and_its_digest_and_shows_the_latest_comparison(
    evaluated_card: ModelCard, comparison: Comparison, page: str, tmp_path: Path
) -> None:
    store = ModelStore(tmp_path)
    version = store.save("sepsis", evaluated_card, {"model.ubj": b"", **files_beside(evaluated_card)})
    assert store.page("sepsis", version) == page
    store.keep_comparison(comparison)
    assert store.page("sepsis", version) == render_card(evaluated_card, comparison)
    stored = tmp_path / "sepsis" / version / PAGE
    stored.write_text(stored.read_text().replace("never the sole basis", "the sole basis"))
    with pytest.raises(ModelError, match="the file was changed"):
        store.page("sepsis", version)
    with pytest.raises(ModelError, match="the file was changed"):
        store.card("sepsis", version)


def test_a_model_that_was_stored_without_a_page_has_one_made(
    evaluated_card: ModelCard, page: str, tmp_path: Path
) -> None:
    store = ModelStore(tmp_path)
    assert store.page("sepsis", store.save("sepsis", evaluated_card, {"model.ubj": b""})) == page


def test_the_card_counts_the_stays_that_each_definition_of_onset_leaves_to_predict(evaluated_card: ModelCard) -> None:
    own, other = [row for row in _rows_of(render_card(evaluated_card), "onset") if len(row) == 6]
    assert own[0] == "The hour in which SOFA reaches 2 (this card) any specimen sent to microbiology"
    assert own[1:] == ["620", "310", "0", "20", "290"]
    assert other[0] == "The time at which infection is suspected any specimen sent to microbiology"
    assert other[1:] == ["–"] * 5, "an earlier release did not count stays"


@pytest.mark.parametrize(
    ("label", "said", "unsaid"),
    [
        (Label(rule="sepsis3", onset="sofa_time"), "many stays are septic on arrival", "A rise of SOFA"),
        (
            Label(rule="sepsis3", onset="sofa_rise"),
            "A rise of SOFA may be one of knowledge",
            "With a baseline SOFA of 0",
        ),
        (
            Label(rule="sepsis3", onset="sofa_rise", suspicion="without_screening_cultures"),
            "without a rise taught the model nothing",
            "MRSA screen, counts as a culture",
        ),
        (Label(rule="sepsis3", onset="sofa_time"), "MRSA screen, counts as a culture", "Diagnosis codes are"),
    ],
)
def test_the_card_says_what_is_wrong_with_its_definition_of_sepsis(evaluated_card, label, said, unsaid) -> None:
    text = text_of(render_card(evaluated_card.model_copy(update={"label": label})))
    assert said in text
    assert unsaid not in text
