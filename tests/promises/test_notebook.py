"""Tests docs/examples/explore.ipynb: it runs from the first cell to the last, and what it shows is what it says."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from wardround.settings import PROJECT

NOTEBOOK = PROJECT / "docs" / "examples" / "explore.ipynb"


@pytest.fixture
def cells() -> list[dict[str, Any]]:
    return list(json.loads(NOTEBOOK.read_bytes())["cells"])


def source_of(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_it_is_kept_without_outputs_and_every_piece_of_code_is_explained(cells: list[dict[str, Any]]) -> None:
    code = [(before, cell) for before, cell in pairwise(cells) if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert [cell["id"] for _, cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    assert [cell["id"] for before, cell in code if before["cell_type"] != "markdown"] == []
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_its_links_lead_somewhere(cells: list[dict[str, Any]]) -> None:
    prose = [source_of(cell) for cell in cells if cell["cell_type"] == "markdown"]
    links = re.findall(r"\]\(([^)\s#]+)", "\n".join(prose))
    assert links
    assert [link for link in links if not (NOTEBOOK.parent / link).is_file()] == []


@pytest.mark.long
def test_it_runs_and_both_doors_say_the_same(
    cells: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Wherever a kernel starts, and with whatever settings, the notebook writes to a folder of its own.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARDROUND_MODELS", "/nowhere")
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile(source_of(cell), f"{NOTEBOOK.name}: {cell['id']}", "exec"), names)
    names["work"].cleanup()
    assert list(tmp_path.iterdir()) == []
    assert ("heart_rate", "Observation/typing-error") in zip(
        names["set_aside"].variable, names["set_aside"].source_ref, strict=True
    )
    assert names["at_the_bedside"] == names["in_the_screening"] == names["explained"].stated.score
    assert names["explained"].stated.band in ("moderate", "high")
    shown = capsys.readouterr().out
    assert f"Sepsis risk: {names['explained'].stated.band.upper()}" in shown
    assert '"resourceType": "RiskAssessment"' in shown
