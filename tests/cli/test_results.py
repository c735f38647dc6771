"""Tests that tables on a terminal never cut what people copy from them."""

import pytest
from rich.table import Column, Table

from wardround.cli.results import add_row, print_table, show

RUN = "sepsis-20260102T050000Z-91dd62"
PATH = "/data/wardround/runs/sepsis-20260102T050000Z-91dd62/report.html"


@pytest.mark.parametrize("columns", ["20", "40", "80", "200"])
def test_runs_and_paths_are_not_split_across_lines(monkeypatch, capsys, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    show({"run": RUN, "report": PATH, "durations": {"extract": 12.5}, "found": 1234}, as_json=False)
    shown = capsys.readouterr().out
    for text in ("run", RUN, "report", PATH, "extract", "12.5", "found", "1,234"):
        assert any(text in line.split() for line in shown.replace("│", " ").splitlines()), text


@pytest.mark.parametrize("columns", ["20", "60", "100"])
def test_prose_is_wrapped_between_words_and_nothing_is_lost(monkeypatch, capsys, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    table = Table(Column("version", no_wrap=True), "what was decided", "state")
    prose = "promoted despite its gates by somebody with a reason of many words"
    add_row(table, "2.0.0-b189ef0ecb80", prose, "indeterminate")
    add_row(table, "1.0.0", "", "live")
    print_table(table)
    cells = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    said = [" ".join(" ".join(row[place] for row in cells).split()) for place in range(3)]
    assert said == ["2.0.0-b189ef0ecb80 1.0.0", prose, "indeterminate live"]


def test_booleans_are_printed_as_yes_and_no(capsys) -> None:
    show({"complete": True, "loaded": False, "found": 1}, as_json=False)
    rows = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert rows == [["complete", "yes"], ["loaded", "no"], ["found", "1"]]
