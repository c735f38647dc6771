"""The page of a run is complete, honest about what is missing, self-contained, and safe to open."""

import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from wardround.adapters.models.store import ModelStore
from wardround.errors import RunNotFound
from wardround.workflows.report import report, report_page

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Collects tags and attributes of a page; fails on a tag that is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


FILES = ("report.html", "aggregates.html", "model-card.html", "worklist.csv", "aggregates.csv")


def links_of(page: str) -> list[str]:
    """Returns the addresses that a page links to, except places in the page itself."""
    hrefs = [attributes.get("href") or "#" for name, attributes in Page(page).tags if name == "a"]
    return [href for href in hrefs if not href.startswith("#")]


def test_the_report_and_its_files_are_written_into_the_runs_folder(ward: Any) -> None:
    run = ward.screen(40)
    path = Path(report(run, ward.settings))
    assert path == Path(ward.folder().location("report.html"))
    assert set(FILES) <= set(ward.folder().list())


def test_pages_link_to_the_files_beside_them_and_aggregates_never_to_patients(ward: Any) -> None:
    report(ward.screen(40), ward.settings)
    page, counted = (ward.folder().read_text(name) for name in ("report.html", "aggregates.html"))
    assert set(links_of(page)) == {"aggregates.html", "model-card.html", "worklist.csv", "aggregates.csv"}
    assert set(links_of(counted)) == {"model-card.html", "aggregates.csv"}


def test_a_page_that_is_served_elsewhere_has_no_links(ward: Any) -> None:
    assert links_of(report_page(ward.screen(40), ward.settings)) == []


def test_the_card_beside_a_report_stays_as_it_was(ward: Any) -> None:
    run = ward.screen(20)
    report(run, ward.settings)
    kept = ward.folder().read_text("model-card.html")
    assert kept == ModelStore(ward.settings.models).page("sepsis", ward.card.version)
    shutil.rmtree(ward.settings.models)
    report(run, ward.settings)
    assert ward.folder().read_text("model-card.html") == kept
    assert "model-card.html" in links_of(ward.folder().read_text("report.html"))


def test_without_a_card_no_page_leads_to_one(ward: Any) -> None:
    report(ward.screen(20, model_version="0.9.0-gone"), ward.settings)
    assert not ward.folder().exists("model-card.html")
    assert "model-card.html" not in links_of(ward.folder().read_text("aggregates.html"))


@pytest.mark.parametrize("stays", [1, 4, 60])
def test_aggregates_contain_no_id_and_no_text_by_people_or_servers(ward: Any, stays: int) -> None:
    ward.screen(stays, seed=3, run="sepsis-20260101T050000Z-a1b2c3", as_of="2026-01-01T05:00:00Z")
    run = ward.screen(stays, cohort={"kind": "patients", "patients": ["patient-7"]})
    folder = ward.folder()
    ledger = folder.read_frame("ledger.parquet")
    marked = "write:the server said MARK of Patient/MARK"
    ledger["reason"] = ledger["reason"].where(ledger["outcome"] == "scored", marked)
    folder.write_frame("ledger.parquet", ledger)
    retraction = {"retracted": 1, "at": "2026-01-02T06:00:00Z", "why": "MARK was in the wrong bed"}
    folder.write_json("summary.json", {**folder.read_json("summary.json"), "retraction": retraction})
    ModelStore(ward.settings.models).suspend("sepsis", "ward", "MARK")
    report(run, ward.settings)
    told = folder.read_text("aggregates.html") + folder.read_text("aggregates.csv")
    ids = [*ledger["stay_id"], *ledger["patient_id"]]
    assert len(ids) == 2 * stays
    assert [one for one in (*ids, "MARK", "patient-7") if one in told] == []
    assert "MARK" in folder.read_text("report.html")
    assert any(one in folder.read_text("report.html") for one in ids) or stays == 1


def test_units_of_few_stays_are_counted_together_in_the_aggregates_alone(ward: Any) -> None:
    run = ward.screen(60, units=(*["Large unit"] * 19, "Small unit"))
    report(run, ward.settings)
    small = int((ward.folder().read_frame("ledger.parquet")["unit"] == "Small unit").sum())
    assert 0 < small < 5
    assert "Small unit" in ward.folder().read_text("report.html")
    assert "Small unit" not in ward.folder().read_text("aggregates.html") + ward.folder().read_text("aggregates.csv")


def test_the_table_of_the_worklist_has_every_stay_found_and_no_identifier_unless_asked(ward: Any) -> None:
    run = ward.screen(60)
    ledger = ward.folder().read_frame("ledger.parquet")
    report(run, ward.settings)
    table = ward.folder().read_text("worklist.csv")
    assert re.findall(r"(?:stay|patient)-[0-9a-f]{8}", table) == []
    assert len(pd.read_csv(io.StringIO(table.removeprefix("\ufeff")))) == len(ledger)
    report(run, ward.settings, identified_table=True)
    named = pd.read_csv(io.StringIO(ward.folder().read_text("worklist.csv").removeprefix("\ufeff")))
    assert sorted(named["stay_id"]) == sorted(ledger["stay_id"])
    together = named.merge(ledger, on="stay_id", suffixes=("", "_of_ledger"))
    assert (together["patient_id"] == together["patient_id_of_ledger"]).all()
    assert together["score"].equals(together["score_of_ledger"])


def test_a_chart_is_one_click_away_if_the_source_has_a_pattern(ward: Any) -> None:
    run = ward.screen(60, chart_url="https://ehr.example/p/{patient_id}?enc={encounter_id}")
    ledger = ward.folder().read_frame("ledger.parquet")
    some = ledger[ledger["band"] == "high"].iloc[0]
    address = f"https://ehr.example/p/{some['patient_id']}?enc={some['stay_id']}"
    assert address in links_of(report_page(run, ward.settings))
    assert links_of(report_page(run, ward.settings, identifiers=False)) == []


def test_the_low_band_is_listed_and_closed(ward: Any) -> None:
    run = ward.screen(60)
    ledger = ward.folder().read_frame("ledger.parquet")
    page = report_page(run, ward.settings)
    low = page[page.index('<h3 class="low">') : page.index('id="indeterminate"')]
    assert "<details><summary>Show the low band" in low
    assert '<p class="note paper">The stays are printed only if they are expanded' in low
    assert all(stay in low for stay in ledger[ledger["band"] == "low"]["stay_id"])


@pytest.mark.parametrize(("hours", "loud", "quiet"), [(0.5, False, False), (14.0, True, False), (700.0, False, True)])
def test_a_late_run_gets_a_warning_and_one_that_looks_back_does_not(
    ward: Any, hours: float, loud: bool, quiet: bool
) -> None:
    run = ward.screen(20)
    summary = ward.folder().read_json("summary.json")
    ward.folder().write_json("summary.json", {**summary, "hours_after_as_of": hours})
    page = report_page(run, ward.settings)
    assert ("Late scores" in page, "This run looks back" in page) == (loud, quiet)


def test_how_many_reasons_are_not_shown_is_counted_over_all_stays(ward: Any) -> None:
    run = ward.screen(20)
    assert "not shown" not in ward.text_of(report_page(run, ward.settings))
    [name] = [name for name in ward.folder().list() if name.endswith("/scores.parquet")]
    scores = ward.folder().read_frame(name)
    left_out = "Not shown: 2 inputs that move the score against what is clinically expected"
    scores["reasons"] = [[*texts, left_out] if len(texts) else texts for texts in scores["reasons"]]
    ward.folder().write_frame(name, scores)
    number = 2 * sum(len(texts) > 0 for texts in scores["reasons"])
    page = ward.text_of(report_page(run, ward.settings))
    assert f"{number} inputs are not shown, because they move a score against what is clinically expected" in page
    assert left_out in page


JARGON = ("__", "platt", "rule icd", "recognise", "expect_column", "feature rows", "NaN", "None,", "nan %")


@pytest.mark.parametrize("stays", [0, 60])
def test_no_internal_name_is_on_the_pages(ward: Any, stays: int) -> None:
    run = ward.screen(stays)
    summary = ward.folder().read_json("summary.json")
    ward.folder().write_json("summary.json", {**summary, "durations": {**summary["durations"], "recognise": 0.1}})
    report(run, ward.settings)
    for name in ("report.html", "aggregates.html", "model-card.html"):
        text = ward.text_of(ward.folder().read_text(name))
        text = re.sub(r"\b\w+__\w+\b", "", text) if name == "model-card.html" else text  # there beside their words
        assert [word for word in JARGON if word in text] == [], name


def test_the_report_shows_what_ran_and_that_it_is_an_adjunct(ward: Any) -> None:
    page = ward.text_of(report_page(ward.screen(40), ward.settings))
    for told in (
        "Sepsis",
        "2 January 2026, 05:00 UTC",
        "http://127.0.0.1:8080/fhir",
        "1.0.0-0123456789ab",
        "sepsis-20260102T050000Z-a1b2c3",
        "adjunct only",
        "validation on local patients",
        "0.741 to 0.876",
        "high from 32.0 %",
        "Checking the values",
    ):
        assert told in page


def test_the_worklist_holds_every_scored_stay_by_band_highest_first(ward: Any) -> None:
    run = ward.screen(60)
    ledger = ward.folder().read_frame("ledger.parquet")
    expected = ledger[ledger["outcome"] == "scored"].sort_values("score", ascending=False)["stay_id"]
    page = report_page(run, ward.settings)
    worklist = page[page.index('id="worklist"') : page.index('id="indeterminate"')]
    assert re.findall(r"stay-[0-9a-f-]+", worklist) == expected.tolist()
    assert "4.2 mmol/L" in worklist
    assert "1.3\u00a0h before" in worklist


def test_indeterminate_and_failed_stays_are_listed_with_their_reasons(ward: Any) -> None:
    run = ward.screen(60)
    ledger = ward.folder().read_frame("ledger.parquet")
    page = report_page(run, ward.settings)
    lists = page[page.index('id="indeterminate"') : page.index('id="scores"')]
    for stay in ledger[ledger["outcome"].isin(["indeterminate", "failed"])]["stay_id"]:
        assert stay in lists
    assert "3 of 8 known, 4 needed" in lists
    assert "The server did not accept the RiskAssessment" in lists


def test_a_broken_rule_is_described_in_words(ward: Any) -> None:
    run = ward.screen(40)
    ledger = ward.folder().read_frame("ledger.parquet")
    failed = ledger["outcome"] == "failed"
    rule = "quality:lactate__max_24h is between 0 and 50 mmol/L"
    ward.folder().write_frame("ledger.parquet", ledger.assign(reason=ledger["reason"].where(~failed, rule)))
    report(run, ward.settings)
    told = "Broke a validation rule: “Lactate, highest of the last 24 h” is between 0 and 50 mmol/L"
    for name in ("report.html", "aggregates.html", "worklist.csv", "aggregates.csv"):
        content = ward.folder().read_text(name)
        assert told in content, name
        assert "lactate__max" not in content, name


def test_without_identifiers_no_patient_and_no_stay_is_named(ward: Any) -> None:
    run = ward.screen(60)
    path = Path(report(run, ward.settings, identifiers=False))
    page = path.read_text(encoding="utf-8")
    assert path.name == "report-no-identifiers.html"
    assert re.findall(r"(?:stay|patient)-[0-9a-f]{8}", page) == []
    assert "4.2 mmol/L" in page


@pytest.mark.parametrize("stays", [0, 1, 60])
def test_the_page_is_well_formed_accessible_and_self_contained(ward: Any, stays: int) -> None:
    page = report_page(ward.screen(stays), ward.settings)
    tags = Page(page).tags
    names = {name for name, _ in tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    assert {value for _, attributes in tags for key, value in attributes.items() if key in ("src", "href")} <= {
        f"#{attributes['id']}" for _, attributes in tags if "id" in attributes
    }
    assert "url(" not in page
    assert "@import" not in page
    assert all("scope" in attributes for name, attributes in tags if name == "th")
    assert all("aria-labelledby" in attributes for name, attributes in tags if name == "svg")


def test_a_hostile_unit_name_is_shown_and_does_nothing(ward: Any) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    page = report_page(ward.screen(60, units=(evil,)), ward.settings)
    assert {"script", "img"} & {name for name, _ in Page(page).tags} == set()
    assert "&lt;script&gt;alert(1)" in page


def test_a_hostile_source_condition_or_reason_does_nothing(ward: Any) -> None:
    evil = "<script>alert(1)</script>"
    run = ward.screen(60, source_url=f"http://{evil}", model_version=evil)
    ledger = ward.folder().read_frame("ledger.parquet")
    ledger.loc[ledger["outcome"] != "scored", "reason"] = evil
    ward.folder().write_frame("ledger.parquet", ledger)
    assert "<script" not in report_page(run, ward.settings)


def test_an_empty_ward_gets_a_report_that_says_so(ward: Any) -> None:
    page = ward.text_of(report_page(ward.screen(0), ward.settings))
    assert "No stays found. The source returned no ICU stay" in page
    assert "No stay was scored." in page


@pytest.mark.parametrize("request_", [{"mode": "shadow"}, {"dry_run": True}], ids=["shadow", "of an earlier release"])
def test_a_run_that_writes_nothing_is_labelled(ward: Any, request_: dict[str, Any]) -> None:
    page = report_page(ward.screen(20, **request_), ward.settings)
    assert 'class="ribbon"' in page
    assert "Shadow run. Nothing was written to the source." in ward.text_of(page)
    assert 'class="ribbon"' not in report_page(ward.screen(20), ward.settings)


def test_a_run_that_the_gate_stopped_is_reported_as_stopped(ward: Any) -> None:
    run = ward.screen(20)
    folder = ward.folder()
    folder.write_json("quality.json", ward.quality(rows=18, broken=9).model_dump(mode="json"))
    for name in ("ledger.parquet", "summary.json", "set_aside.json"):
        Path(folder.location(name)).unlink()
    page = ward.text_of(report_page(run, ward.settings))
    assert "Stopped by data validation. 9 of 18 feature rows broke a rule" in page
    assert "age is between 18 and 130 years" in page
    assert "failed: the run ended before this stay was accounted for" not in page
    assert "The run ended before this stay was accounted for" in page


def test_a_run_that_only_just_began_is_reported_as_unfinished(ward: Any) -> None:
    run = ward.screen(0)
    for name in ward.folder().list():
        if name != "request.json":
            Path(ward.folder().location(name)).unlink()
    page = ward.text_of(report_page(run, ward.settings))
    assert "Unfinished run." in page
    assert "were not validated" in page


def test_an_incomplete_run_is_reported_as_incomplete(ward: Any) -> None:
    run = ward.screen(20)
    summary = ward.folder().read_json("summary.json")
    ward.folder().write_json("summary.json", {**summary, "complete": False})
    assert "Incomplete run." in report_page(run, ward.settings)


def test_a_repeated_run_shows_how_much_was_on_the_server_already(ward: Any) -> None:
    run = ward.screen(20)
    summary = ward.folder().read_json("summary.json")
    ward.folder().write_json("summary.json", {**summary, "unchanged": 17})
    assert "17 of the RiskAssessments were at the source already" in report_page(run, ward.settings)


def test_an_old_run_keeps_its_report_when_its_model_is_gone(ward: Any) -> None:
    page = ward.text_of(report_page(ward.screen(20, model_version="0.9.0-gone"), ward.settings))
    assert "The card of model 0.9.0-gone is no longer in the model store." in page


def test_a_mistyped_run_is_answered_with_the_runs_that_are_close(ward: Any) -> None:
    run = ward.screen(1)
    with pytest.raises(RunNotFound, match=f"did you mean {run}"):
        report(run[:-1] + "f", ward.settings)
    with pytest.raises(RunNotFound):
        report("../../etc", ward.settings)


def test_the_same_run_gives_the_same_page(ward: Any) -> None:
    run = ward.screen(40)
    assert report_page(run, ward.settings) == report_page(run, ward.settings)


@pytest.mark.parametrize(
    ("decided", "said"),
    [(None, "not judged"), ("gates_not_judged", "not judged"), ("gates_passed", "passed"), ("gates_failed", "failed")],
)
def test_a_report_says_whether_the_model_passed_its_gates(ward: Any, decided: Any, said: str) -> None:
    run = ward.screen(3)
    if decided:
        ModelStore(ward.settings.models).record("sepsis", decided, ward.card.version, by="gates", why="as they say")
    assert f"<dt>Checks before it went live</dt><dd>{said}</dd>" in report_page(run, ward.settings)


def test_what_was_shown_at_the_bedside_is_in_the_report_and_without_it_there_is_no_section(ward: Any) -> None:
    run = ward.screen(20)
    assert 'id="bedside"' not in report_page(run, ward.settings)
    given = [{"group": "high", "outcome": "overridden", "reason": "Known <b>", "cards": 12}]
    ward.folder().write_json("bedside.json", {"shown": {"high": 40, "info": 3}, "given": given, "unknown": 2})
    report(run, ward.settings)
    for name in ("report.html", "aggregates.html"):
        page = ward.folder().read_text(name)
        Page(page)
        assert '<a href="#bedside">' in page
        assert "<td>Known &lt;b&gt;</td>" in page
        assert '<th scope="row">Info cards</th><td class="n">3</td><td class="n">–</td>' in page
        assert "2 messages were about cards that are not known" in page
    lines = ward.folder().read_text("aggregates.csv").splitlines()
    assert [line.split(",", 5)[5] for line in lines if ",bedside,high," in line] == [
        *("bedside,high,shown,40", "bedside,high,accepted,0", "bedside,high,reasoned,12", "bedside,high,dismissed,0")
    ]
    assert any(line.endswith("bedside,info cards,accepted,") for line in lines)
