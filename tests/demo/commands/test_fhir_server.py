"""Tests what `wardround fhir-server` reports about the folder that it loads."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from wardround.demo.commands.fhir_server import command
from wardround.errors import SourceDataError


def patient(key: str, **more: Any) -> str:
    return json.dumps({"resourceType": "Patient", "id": key, **more})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a patient, two that cannot be stored, an export's error, and a file of another kind."""
    folder = tmp_path / "data"
    folder.mkdir()
    lines = [patient("a"), patient("b", gender="zz-secret-zz"), "{", '{"resourceType": "OperationOutcome"}']
    (folder / "[red]all.ndjson").write_text("\n".join(lines))
    (folder / "note\x1b[2J.txt").write_text("")
    return folder


def said(*options: str) -> tuple[str, str]:
    """Returns what the command prints until it is ready, on both streams."""
    words = [sys.executable, "-m", "wardround", "fhir-server", "--port", "0", "--until-eof", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stdout is not None
        out = ""
        while "http" not in out:
            line = child.stdout.readline()
            assert line, "it ended before it was ready"
            out += line
        _, errors = child.communicate(timeout=300)
    return out, errors


def test_what_is_not_loaded_is_listed_with_file_line_and_reason_and_the_rest_is_counted(data: Path) -> None:
    out, errors = said("--json", "--data", str(data))
    ready = json.loads(out)
    assert (ready["loaded"], ready["refused"]) == ({"Patient": 1}, 2)
    assert (ready["operation_outcomes"], ready["files_passed_over"]) == (1, 1)
    refused = [line for line in errors.splitlines() if "not loaded" in line]
    assert refused == [
        f"fhir-server: not loaded: {data}/[red]all.ndjson, line 3: not a resource in JSON; copy the file again",
        f"fhir-server: not loaded: {data}/[red]all.ndjson, line 2: Patient.gender: unknown code, expected one of "
        "female, male, other, unknown",
    ]
    assert r"note\x1b[2J.txt" in errors
    assert "secret" not in errors
    assert "\x1b[2J" not in errors


def test_the_text_output_has_the_same_information_as_the_json(data: Path) -> None:
    out, _ = said("--data", str(data))
    assert "2 could not be loaded" in out
    assert "files passed over" in out


def test_with_strict_the_server_does_not_start(data: Path) -> None:
    result = CliRunner().invoke(command, ["--port", "0", "--data", str(data), "--strict"])
    assert isinstance(result.exception, SourceDataError)
    assert "2 resources or files cannot be used" in str(result.exception)
    assert result.stderr.count("not loaded") == 2
