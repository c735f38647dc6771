"""Tests the whole circle in Chromium: a chart is opened, the bedside door called, a card shown, feedback kept."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.chromium import PROGRAM, WHY_NOT, Page, chromium
from tests.fixtures.icu import Icu

from wardround.adapters.sockets import listen, url_of
from wardround.demo.ehr.running import Ehr, running_ehr
from wardround.demo.ehr.serving import served
from wardround.demo.fhir_server.running import running_server
from wardround.settings import Settings, settings_from

pytestmark = [pytest.mark.long, pytest.mark.skipif(PROGRAM is None, reason=WHY_NOT)]

NOTHING = "Sepsis risk, when a chart is opened: nothing to say."
HOSTILE = "<img src=x onerror=\"document.title='taken'\">"
JOINED = """
    SELECT card.service, card.band, card.outcome, feedback.outcome, feedback.reason_code, comment.comment
    FROM bedside_feedback AS feedback JOIN bedside_card AS card ON card.uuid = feedback.card
    LEFT JOIN bedside_comment AS comment ON comment.feedback = feedback.id
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium() as page:
        yield page


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, small_home: Path, lactate_models: Path) -> Settings:
    """An installation with a small sepsis and its live model, made once for the tests of this file."""
    environment = {"WARDROUND_VAR": str(tmp_path_factory.mktemp("var")), "WARDROUND_MODELS": str(lactate_models)}
    return settings_from({"WARDROUND_HOME": str(small_home), **environment})


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Charts of now: p-a and p-d have a high risk, p-b, of a hostile name, a low one; p-c has left the unit."""
    icu = Icu(datetime.now(UTC).replace(microsecond=0))
    icu.stay("a", lactate=6.0)
    icu.stay("d", lactate=6.0)
    icu.stay("b", lactate=0.6)
    icu.stay("c", status="finished", period={"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T05:00:00Z"})
    names = {"p-a": "Ada", "p-b": HOSTILE, "p-c": "Cleo", "p-d": "Dora"}
    for one in icu.resources:
        if one["resourceType"] == "Patient":
            one["name"] = [{"given": [names[one["id"]]]}]
    folder = tmp_path_factory.mktemp("charts")
    entries: list[dict[str, Any]] = [{"resource": one} for one in icu.resources]
    (folder / "icu.json").write_bytes(orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return folder


@pytest.fixture(scope="module")
def ehr(settings: Settings, charts: Path) -> Iterator[Ehr]:
    with listen("127.0.0.1", 0, "ehr") as listening, running_ehr(settings, charts, listening) as running:
        yield running


def kept(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(settings.database.removeprefix("sqlite:///"))) as connection:
        return connection.execute(statement).fetchall()


def opened(browser: Page, ehr: Ehr, patient: str) -> None:
    """Opens the page, and in it the chart of a patient."""
    browser.open(ehr.page)
    browser.click(f'[data-patient="{patient}"]')
    browser.wait_for(f"document.getElementById('chart').dataset.about === '{patient}'")


def test_a_card_is_shown_set_aside_with_a_reason_and_the_feedback_joined_to_it(
    browser: Page, ehr: Ehr, settings: Settings
) -> None:
    opened(browser, ehr, "p-a")
    assert browser.text(".card.critical h3").startswith("Sepsis risk: HIGH (")
    detail = browser.text(".card .detail")
    assert "Lactate" in detail
    assert "6 mmol/L" in detail
    assert "**" not in detail
    browser.click(".card input[type=radio]")
    chosen = browser.text(".card label:has(input:checked)")
    browser.type(".card input[type=text]", "seen on the round")
    browser.click(".card fieldset button")
    browser.wait_for("document.querySelector('.card [role=status]').innerText")
    assert browser.text(".card [role=status]") == f"Received: set aside, “{chosen}”."
    [row] = kept(settings, f"{JOINED} WHERE feedback.outcome = 'overridden'")
    assert row[:4] == ("sepsis-risk", "high", "card", "overridden")
    assert row[4:] == ("already-treated", "seen on the round")


def test_a_suggestion_is_accepted(browser: Page, ehr: Ehr, settings: Settings) -> None:
    opened(browser, ehr, "p-d")
    assert browser.text(".card > button") == "Order a lactate"
    browser.click(".card > button")
    browser.wait_for("document.querySelector('.card [role=status]').innerText")
    assert browser.text(".card [role=status]") == "Received: accepted."
    assert kept(settings, f"{JOINED} WHERE feedback.outcome = 'accepted'") == [
        ("sepsis-risk", "high", "card", "accepted", "", None)
    ]


def test_a_low_risk_is_not_shown_as_a_failure_and_a_hostile_name_is_text(browser: Page, ehr: Ehr) -> None:
    opened(browser, ehr, "p-b")
    assert browser.text("#cards") == NOTHING
    assert browser.text("#chart h2") == HOSTILE
    assert browser.value("document.title") == "A small EHR"


def test_somebody_who_is_not_in_the_unit_gets_a_card_that_says_so(browser: Page, ehr: Ehr) -> None:
    opened(browser, ehr, "p-c")
    assert browser.text(".card.info h3") == "Sepsis risk: not for this patient"
    assert browser.value("document.querySelector('.card fieldset')") is None


def test_the_card_of_a_chart_that_was_left_is_not_shown_in_the_next(browser: Page, ehr: Ehr) -> None:
    browser.open(ehr.page)
    browser.wait_for("document.querySelector('[data-patient]')")
    browser.value("for (const id of ['p-a', 'p-b']) document.querySelector(`[data-patient=${id}]`).click()")
    browser.wait_for("document.getElementById('chart').dataset.about")
    assert browser.value("document.getElementById('chart').dataset.about") == "p-b"
    assert browser.text("#cards") == NOTHING


def test_a_door_that_does_not_answer_is_said_and_never_shown_as_nothing_to_say(browser: Page, charts: Path) -> None:
    with listen("127.0.0.1", 0, "ehr") as listening:
        page = url_of(listening)
        with (
            running_server(charts, origins=[page]) as server,
            served(listening, server.base_url, "http://127.0.0.1:9"),
        ):
            browser.open(f"{page}/")
            browser.click('[data-patient="p-b"]')
            assert browser.text("#cards [role=alert]").startswith("Cards: no answer")


def test_no_html_of_a_card_becomes_part_of_the_page(browser: Page, ehr: Ehr) -> None:
    browser.open(ehr.page)
    detail = f"**Bold {HOSTILE}**\n\n* {HOSTILE}\n* [a](javascript:alert(1))\n\n\\*no\\* *yes* `<b>`"
    shown = browser.value(
        "import('./markdown.js').then(({shown}) => { const all = document.createElement('div');"
        f" all.append(...shown({json.dumps(detail)})); return [[...all.querySelectorAll('*')].map(one => one.tagName),"
        " all.innerText]; })"
    )
    assert shown[0] == ["P", "STRONG", "UL", "LI", "LI", "P", "EM", "CODE"]
    assert HOSTILE in shown[1]
    assert "*no* yes <b>" in shown[1]
