"""Tests the dry run of a source's settings from the command line."""

import json

import pytest
from click.testing import CliRunner
from tests.hl7.messages import message
from tests.stream.feeding import settings_file

from wardround.cli.stream import command
from wardround.stream.checking import NO_BRANCH, NOT_WATCHED


@pytest.fixture
def checking(tmp_path, monkeypatch):
    """checking(content, *options) returns what the command prints about a file with this content."""
    monkeypatch.setenv("WARDROUND_STREAM", str(tmp_path / "stream.yaml"))
    monkeypatch.setenv("WARDROUND_DATABASE", f"sqlite:///{tmp_path}/none.sqlite")
    settings_file(tmp_path)

    def run(content, *options):
        (tmp_path / "a.hl7").write_bytes(content)
        arguments = ["check", "--source", "main", *options, str(tmp_path / "a.hl7")]
        return CliRunner().invoke(command, arguments, catch_exceptions=False).stdout

    return run


def test_a_dry_run_counts_what_would_become_of_messages_and_stores_nothing(checking, tmp_path):
    elsewhere = message("PID|1||4711^^^HOSP", "PV1|1|I|WARD" + "|" * 16 + "V2^^^VISITS")
    said = json.loads(checking(message() + elsewhere, "--json"))
    place = f"{tmp_path}/a.hl7: message"
    assert said == {
        "messages": 2,
        "found": [
            {"outcome": "done", "why": NO_BRANCH, "messages": 1, "first": f"{place} 1"},
            {"outcome": "done", "why": NOT_WATCHED, "messages": 1, "first": f"{place} 2"},
        ],
    }
    table = checking(message() + elsewhere)
    assert "done" in table
    assert f"{place} 2" in table
    assert not (tmp_path / "none.sqlite").exists()


def test_each_message_can_be_asked_for_by_its_place(checking, tmp_path):
    lines = checking(message() + message(event="ADT^A31"), "--each").splitlines()
    assert lines[:2] == [
        f"{tmp_path}/a.hl7: message 1: A01 done: {NO_BRANCH}",
        f"{tmp_path}/a.hl7: message 2: A31 ignored: the event changes nothing",
    ]
    listed = checking(message(), "--each", "--json").splitlines()
    assert [json.loads(line).get("event") for line in listed] == ["A01", None]


def test_an_empty_file_holds_no_message(checking):
    assert checking(b"") == "The files hold no message.\n"
