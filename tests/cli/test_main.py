"""Tests how the command ends after each kind of error."""

import sys
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from wardround.cli.main import COMMANDS, run, wardround
from wardround.errors import SourceDataError


def ended(monkeypatch, error: Exception) -> object:
    """Returns the exit code of a command that raises this error."""

    @click.command
    def command() -> None:
        raise error

    monkeypatch.setitem(COMMANDS, "broken", "Raises.")
    monkeypatch.setitem(sys.modules, "wardround.cli.broken", SimpleNamespace(command=command))
    monkeypatch.setattr(sys, "argv", ["wardround", "broken"])
    with pytest.raises(SystemExit) as caught:
        run()
    return caught.value.code


def test_a_wardround_error_ends_with_one_line_and_its_exit_code(monkeypatch, capsys) -> None:
    assert ended(monkeypatch, SourceDataError("a.csv: is missing")) == 4
    assert capsys.readouterr().err == "wardround: a.csv: is missing\n"


def test_a_fault_of_the_program_is_reported_with_its_origin_but_not_its_message(monkeypatch, capsys) -> None:
    foreign = ValueError("could not convert string to float: 'PRIVATE'")
    foreign.__cause__ = KeyError("PRIVATE")
    assert ended(monkeypatch, foreign) == 1
    said = capsys.readouterr().err
    assert "PRIVATE" not in said
    assert "raise error" in said
    assert "wardround: ValueError in command, line" in said


def test_an_unusable_path_is_not_reported_as_a_fault_of_the_program(monkeypatch, capsys) -> None:
    assert ended(monkeypatch, PermissionError(13, "Permission denied", "/full/out")) == 1
    said = capsys.readouterr().err
    assert said.startswith("wardround: /full/out: cannot be read or written (PermissionError in ")
    assert said.count("\n") == 1
    ended(monkeypatch, FileNotFoundError("no name, as pyarrow raises it"))
    assert capsys.readouterr().err.startswith("wardround: a file: cannot be read or written (FileNotFoundError in ")


@pytest.mark.parametrize("group", ["model", "runs"])
def test_the_commands_of_a_group_are_explained_in_whole_sentences(group: str) -> None:
    listed = CliRunner().invoke(wardround, [group, "--help"]).stdout.partition("Commands:")[2]
    assert listed
    assert "..." not in listed
