"""Tests that messages of files are stored in order, once, and that a file that is none is named with its place."""

import json

import pytest
from click.testing import CliRunner
from tests.hl7.messages import message
from tests.stream.feeding import settings, settings_file, stored

from wardround.adapters.database.database import opened
from wardround.adapters.queue.queue import Queue
from wardround.cli.stream import command
from wardround.errors import SourceDataError, SpecError
from wardround.settings import database_in

ONE, TWO, THREE = (message(control_id=str(number)) for number in (1, 2, 3))


@pytest.fixture
def importing(tmp_path, monkeypatch):
    """importing(*contents) imports files with these contents; returns the counts, or raises what it raised."""
    monkeypatch.setenv("WARDROUND_DATABASE", database_in(tmp_path))
    monkeypatch.setenv("WARDROUND_STREAM", str(tmp_path / "stream.yaml"))
    main, tests = (settings(name, largest="4kB", processing=kind) for name, kind in (("main", "P"), ("tests", "T")))
    settings_file(tmp_path, main.model_copy(update={"sources": {**main.sources, **tests.sources}}))

    def run(*contents, source="main"):
        files = []
        for number, content in enumerate(contents):
            files.append(tmp_path / f"{number}.hl7")
            files[-1].write_bytes(content)
        arguments = ["import", "--source", source, "--json", *map(str, files)]
        done = CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
        if done.exception:
            raise done.exception
        return json.loads(done.stdout)

    return run


def bodies(folder):
    with opened(database_in(folder)) as database:
        return [body for _, body in stored(Queue(database))]


def test_messages_of_files_are_stored_in_order_and_once(importing, tmp_path):
    assert importing(ONE + TWO, THREE) == {"new": 3, "repeated": 0}
    assert importing(THREE, ONE) == {"new": 0, "repeated": 2}
    assert bodies(tmp_path) == [ONE, TWO, THREE]


def test_batches_and_recordings_of_connections_are_files_too(importing, tmp_path):
    batch = b"FHS|^~\\&\rBHS|^~\\&\r" + ONE + b"BTS|1\rFTS|1\r"
    assert importing(batch, b"\x0b" + TWO + b"\x1c\r\x0b" + THREE + b"\x1c\r") == {"new": 3, "repeated": 0}
    assert bodies(tmp_path) == [ONE, TWO, THREE]


def test_more_messages_than_one_commit_takes_are_stored_in_order(importing, tmp_path):
    many = [message(control_id=str(number)) for number in range(150)]
    assert importing(b"".join(many)) == {"new": 150, "repeated": 0}
    assert bodies(tmp_path) == many


def test_what_the_source_does_not_take_is_counted_and_not_stored(importing, tmp_path):
    acknowledgement = b"MSH|^~\\&|A|B|C|D|2026||ACK|9|P|2.5\rMSA|AA|1\r"
    counts = importing(message(processing="T") + ONE + acknowledgement)
    assert counts == {"new": 1, "repeated": 0, "other_processing_id": 1, "acknowledgement": 1}
    assert importing(message(processing="T"), source="tests") == {"new": 1, "repeated": 0}
    assert len(bodies(tmp_path)) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"MARKED\r", r"0\.hl7: line 1: belongs to no message, expected a file of HL7 messages"),
        (ONE + b"BTS|1\rMARKED|1\r", r"0\.hl7: line 5: belongs to no message"),
        (ONE + message("NTE|" + "MARKED" * 1_000), r"0\.hl7: line 5: the message is larger than 4,000 bytes; set"),
    ],
)
def test_a_file_that_cannot_be_cut_into_messages_is_named_with_its_place(importing, tmp_path, content, said):
    with pytest.raises(SourceDataError, match=said) as caught:
        importing(content)
    assert "MARKED" not in str(caught.value)
    assert bodies(tmp_path) == ([ONE] if content.startswith(ONE) else [])


def test_a_file_that_is_not_there_and_a_source_that_is_not_known_are_named(importing, tmp_path):
    with pytest.raises(SpecError, match="no source 'ward', expected one of: main, tests; correct --source"):
        importing(ONE, source="ward")
    missing = ["import", "--source", "main", str(tmp_path / "gone.hl7")]
    done = CliRunner().invoke(command, missing, standalone_mode=False)
    assert isinstance(done.exception, SourceDataError)
    assert "gone.hl7: cannot be read (No such file or directory)" in str(done.exception)
