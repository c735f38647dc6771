"""Tests `wardround report`: where it writes the page, and its error for a mistyped run."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from wardround.adapters.files.run_folder import RunFolder
from wardround.cli.report import command
from wardround.cli.results import show
from wardround.errors import RunNotFound

RUN = "mortality-20260102T050000Z-00ff00"


@pytest.fixture(autouse=True)
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was opened but has not done anything yet."""
    monkeypatch.setenv("WARDROUND_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("WARDROUND_MODELS", str(tmp_path / "models"))
    content = {
        "condition": "mortality",
        "source_url": "http://127.0.0.1:1/fhir",
        "as_of": "2026-01-02T05:00:00Z",
        "look_back": None,
        "mode": "live",
        "condition_version": "1.0.0",
        "spec_digest": "0" * 64,
        "model_version": "1.0.0-000000000000",
        "software_version": "0.1.0",
    }
    RunFolder.of(str(tmp_path / "runs"), RUN).write_json("request.json", content)


def test_the_path_of_the_page_is_printed(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [RUN, "--json"], catch_exceptions=False)
    printed = json.loads(result.stdout)
    assert printed == {"run": RUN, "report": str(tmp_path / "runs" / RUN / "report.html")}
    assert "In-hospital death" in Path(printed["report"]).read_text(encoding="utf-8")


def test_the_page_is_written_to_the_given_file(tmp_path: Path) -> None:
    out = tmp_path / "new" / "page.html"
    result = CliRunner().invoke(command, [RUN, "--no-identifiers", "--out", str(out), "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["report"] == str(out)
    assert "Contains no identifiers of patients or stays" in out.read_text(encoding="utf-8")
    assert not (tmp_path / "runs" / RUN / "report.html").exists()


@pytest.mark.parametrize(
    ("option", "page", "columns"),
    [
        ([], "report.html", "place"),
        (["--identifiers"], "report.html", "patient_id,stay_id,place"),
        (["--no-identifiers"], "report-no-identifiers.html", "place"),
    ],
)
def test_by_default_only_the_page_has_identifiers(tmp_path: Path, option: list[str], page: str, columns: str) -> None:
    CliRunner().invoke(command, [RUN, *option], catch_exceptions=False)
    folder = tmp_path / "runs" / RUN
    assert [path.name for path in folder.glob("report*.html")] == [page]
    assert (folder / "worklist.csv").read_text(encoding="utf-8-sig").startswith(f"{columns},")


def test_an_unknown_run_is_an_error_that_names_similar_runs() -> None:
    with pytest.raises(RunNotFound, match=f"did you mean {RUN}"):
        CliRunner().invoke(command, [RUN.replace("00ff00", "00ff01")], catch_exceptions=False)


def test_a_result_is_printed_literally_even_if_it_looks_like_markup(capsys) -> None:
    show({"run": "[/b] [red]x[/red]", "inner": {"a": "[link=y]z", "b": 1200}}, as_json=False)
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("[/b] [red]x[/red]", "[link=y]z", "1,200"))
