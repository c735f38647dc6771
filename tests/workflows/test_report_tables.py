"""The tables of a run open correctly in a spreadsheet: columns of known names, UTF-8, and no formula."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from wardround.report.downloads import AGGREGATES_COLUMNS, IDENTIFIERS, WORKLIST_COLUMNS
from wardround.workflows.report import report

MANUAL = Path(__file__).parents[2] / "docs" / "operations" / "reports.md"


def table(ward: Any, name: str) -> list[dict[str, str]]:
    content = ward.folder().read_bytes(name)
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_the_worklist_goes_from_the_highest_score_to_those_without_one(ward: Any) -> None:
    report(ward.screen(60), ward.settings)
    lines = table(ward, "worklist.csv")
    assert tuple(lines[0]) == WORKLIST_COLUMNS
    assert [line["place"] for line in lines] == [str(place) for place in range(1, 61)]
    states = list(dict.fromkeys(line["band"] or line["outcome"] for line in lines))
    assert states == ["high", "moderate", "low", "indeterminate", "failed", "excluded"]
    scores = [float(line["score"]) for line in lines if line["score"]]
    assert scores == sorted(scores, reverse=True)
    assert lines[0]["reasons"].count(" | ") == 4
    assert {line["why"] for line in lines if line["outcome"] == "failed"} == {
        "The server did not accept the RiskAssessment: http 422"
    }


def test_identifiers_come_first_where_they_are_asked_for(ward: Any) -> None:
    report(ward.screen(20), ward.settings, identified_table=True)
    assert tuple(table(ward, "worklist.csv")[0]) == (*IDENTIFIERS, *WORKLIST_COLUMNS)


def test_the_aggregates_add_up_to_the_ledger(ward: Any) -> None:
    ward.screen(60, seed=2, run="sepsis-20260101T050000Z-a1b2c3", as_of="2026-01-01T05:00:00Z")
    report(ward.screen(60), ward.settings)
    lines = table(ward, "aggregates.csv")
    ledger = ward.folder().read_frame("ledger.parquet")
    assert tuple(lines[0]) == AGGREGATES_COLUMNS
    assert {line["run"] for line in lines} == {ward.run}

    def value(of: str, name: str, measure: str) -> float:
        [line] = [one for one in lines if (one["table"], one["name"], one["measure"]) == (of, name, measure)]
        return float(line["value"])

    assert value("stays", "found", "stays") == 60
    assert value("bands", "high", "stays") == (ledger["band"] == "high").sum()
    found = [float(one["value"]) for one in lines if (one["table"], one["measure"]) == ("units", "found")]
    assert sum(found) == 60
    moves = sum(float(one["value"]) for one in lines if one["table"] == "moves")
    assert moves + value("change", "in", "stays") == (ledger["outcome"] != "excluded").sum()
    assert [one["name"] for one in lines if one["table"] == "history"][::2] == [
        "2026-01-01T05:00:00+00:00",
        "2026-01-02T05:00:00+00:00",
    ]
    assert 0.2 < value("inputs", "lactate", "share_known") < 0.9


def test_an_empty_ward_has_tables_with_their_columns(ward: Any) -> None:
    report(ward.screen(0), ward.settings)
    assert ward.folder().read_text("worklist.csv").removeprefix("\ufeff") == ",".join(WORKLIST_COLUMNS) + "\r\n"
    assert {line["value"] for line in table(ward, "aggregates.csv") if line["table"] == "stays"} == {"0"}


@pytest.mark.parametrize(
    "unit",
    ['=HYPERLINK("http://x/","y")', "+1+1", "-2+3", "@SUM(A1)", " =1+1", "\uff1d1+1", "|cmd"],
)
def test_no_text_of_a_source_is_a_formula(ward: Any, unit: str) -> None:
    report(ward.screen(20, units=(unit,)), ward.settings)
    for name, column in (("worklist.csv", "unit"), ("aggregates.csv", "name")):
        cells = [line[column] for line in table(ward, name) if line.get("table", "units") == "units"]
        assert set(cells) == {f"'{unit}"}


@pytest.mark.parametrize(("unit", "shown"), [("\t=1", r"\t=1"), ("\r=1", r"\r=1"), ("\x1b=1+1", r"\x1b=1+1")])
def test_invisible_characters_are_written_out_and_hide_no_formula(ward: Any, unit: str, shown: str) -> None:
    report(ward.screen(20, units=(unit,)), ward.settings)
    assert {line["unit"] for line in table(ward, "worklist.csv")} == {shown}


def test_a_text_keeps_its_quotes_commas_and_letters(ward: Any) -> None:
    unit = 'Überwachung, "Süd"; 3. Stock'
    report(ward.screen(20, units=(unit,)), ward.settings)
    assert {line["unit"] for line in table(ward, "worklist.csv")} == {unit}
    read = pd.read_csv(io.BytesIO(ward.folder().read_bytes("worklist.csv")))
    assert (read.columns[0], set(read["unit"])) == ("place", {unit})


def test_every_column_and_every_table_is_in_the_docs(ward: Any) -> None:
    ward.screen(60, seed=2, run="sepsis-20260101T050000Z-a1b2c3", as_of="2026-01-01T05:00:00Z")
    report(ward.screen(60), ward.settings)
    named = set(re.findall(r"`(\w+)`", MANUAL.read_text(encoding="utf-8")))
    tables = {line["table"] for line in table(ward, "aggregates.csv")}
    assert tables | {*IDENTIFIERS, *WORKLIST_COLUMNS, *AGGREGATES_COLUMNS} <= named
