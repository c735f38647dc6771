"""The page that a run leaves: complete, honest about what is missing, self-contained, and safe to open."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from wardround.adapters.model_store import ModelStore
from wardround.errors import RunNotFound
from wardround.workflows.report import report, report_page

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Tags and attributes of a page; fails on a tag that is not closed."""

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


def text_of(page: str) -> str:
    """What a reader sees, in one line."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_report_is_written_into_the_runs_folder(ward: Any) -> None:
    run = ward.screen(40)
    path = Path(report(run, ward.settings))
    assert path.name == "report.html"
    assert path.read_text(encoding="utf-8") == report_page(run, ward.settings)


def test_the_report_tells_what_ran_and_that_it_is_an_adjunct(ward: Any) -> None:
    page = text_of(report_page(ward.screen(40), ward.settings))
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
        "check quality",
    ):
        assert told in page


def test_the_worklist_holds_every_high_and_moderate_stay_highest_first(ward: Any) -> None:
    run = ward.screen(60)
    ledger = ward.folder().read_frame("ledger.parquet")
    expected = ledger[ledger["band"].isin(["high", "moderate"])].sort_values("score", ascending=False)["stay_id"]
    page = report_page(run, ward.settings)
    worklist = page[page.index('id="worklist"') : page.index('id="indeterminate"')]
    assert re.findall(r"stay-[0-9a-f-]+", worklist) == expected.tolist()
    assert "4.2 mmol/L" in worklist
    assert "1.3 h before" in worklist


def test_indeterminate_and_failed_stays_are_listed_with_their_reasons(ward: Any) -> None:
    run = ward.screen(60)
    ledger = ward.folder().read_frame("ledger.parquet")
    page = report_page(run, ward.settings)
    lists = page[page.index('id="indeterminate"') : page.index('id="scores"')]
    for stay in ledger[ledger["outcome"].isin(["indeterminate", "failed"])]["stay_id"]:
        assert stay in lists
    assert "3 of 8 known, 4 needed" in lists
    assert "The server did not take the RiskAssessment" in lists


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
    page = text_of(report_page(ward.screen(0), ward.settings))
    assert "No stays found. The source gave no intensive-care stay" in page
    assert "No stay was scored." in page


@pytest.mark.parametrize(("request_", "words"), [({"mode": "shadow"}, "Shadow run."), ({"dry_run": True}, "Dry run.")])
def test_a_run_that_writes_nothing_is_marked(ward: Any, request_: dict[str, Any], words: str) -> None:
    page = report_page(ward.screen(20, **request_), ward.settings)
    assert 'class="ribbon"' in page
    assert f"{words} Nothing was written to the source." in text_of(page)
    assert 'class="ribbon"' not in report_page(ward.screen(20), ward.settings)


def test_a_run_that_the_gate_stopped_is_reported_as_stopped(ward: Any) -> None:
    run = ward.screen(20)
    folder = ward.folder()
    folder.write_json("quality.json", ward.quality(rows=18, broken=9).model_dump(mode="json"))
    for name in ("ledger.parquet", "summary.json", "set_aside.json"):
        Path(folder.location(name)).unlink()
    page = text_of(report_page(run, ward.settings))
    assert "Stopped by data validation. 9 of 18 feature rows broke a rule" in page
    assert "age is between 18 and 130 years" in page
    assert "failed: the run ended before this stay was accounted for" not in page
    assert "The run ended before this stay was accounted for" in page


def test_a_run_that_only_just_began_is_reported_as_unfinished(ward: Any) -> None:
    run = ward.screen(0)
    for name in ward.folder().list():
        if name != "request.json":
            Path(ward.folder().location(name)).unlink()
    page = text_of(report_page(run, ward.settings))
    assert "Unfinished run." in page
    assert "were not validated" in page


def test_an_incomplete_run_is_reported_as_incomplete(ward: Any) -> None:
    run = ward.screen(20)
    summary = ward.folder().read_json("summary.json")
    ward.folder().write_json("summary.json", {**summary, "complete": False})
    assert "Incomplete run." in report_page(run, ward.settings)


def test_a_repeated_run_tells_how_much_was_on_the_server_already(ward: Any) -> None:
    run = ward.screen(20)
    summary = ward.folder().read_json("summary.json")
    ward.folder().write_json("summary.json", {**summary, "unchanged": 17})
    assert "The source held 17 of the RiskAssessments already" in report_page(run, ward.settings)


def test_an_old_run_keeps_its_report_when_its_model_is_gone(ward: Any) -> None:
    page = text_of(report_page(ward.screen(20, model_version="0.9.0-gone"), ward.settings))
    assert "The card of model 0.9.0-gone is not in the model store any more." in page


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
    assert f"<dt>Gates of promotion</dt><dd>{said}</dd>" in report_page(run, ward.settings)
