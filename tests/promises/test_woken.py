"""Runs every `wardround` command of docs/operations/woken-at-three.md, in its order, on an installation."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.fixtures.icu import Icu
from tests.stream.feeding import settings as feed
from tests.stream.feeding import settings_file

from wardround.cli.main import wardround
from wardround.demo.fhir_server.running import running_server
from wardround.errors import ModelError
from wardround.settings import PROJECT, Settings, places_in_environment

PAGE = (PROJECT / "docs" / "operations" / "woken-at-three.md").read_text()
COMMANDS = list(
    dict.fromkeys(
        command.strip()
        for command in re.findall(r"^ {4,}wardround ([^#\n]+)|`wardround ([^`]+)`", PAGE, re.M)
        for command in command
        if command and command.strip() != "cds"  # the service, which is named and not called
    )
)
REFUSED = {
    "model rollback CONDITION --why TEXT": (ModelError, "no version was live before"),
    "stream dead retry NUMBER --why TEXT": (SystemExit, "4711"),
}
"""What this installation has nothing for: the command says so, and by its name."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    icu = Icu()
    for name in ("a", "b"):
        icu.stay(name)
    with running_server() as running:
        icu.upload(running.base_url)
        yield running.base_url


@pytest.fixture
def own(settings: Settings, tmp_path: Path, lactate_models: Path) -> Settings:
    """The installation with settings of the stream and a model store that a decision may change."""
    shutil.copytree(lactate_models, tmp_path / "models")
    return replace(
        settings, runs=str(tmp_path / "runs"), models=tmp_path / "models", stream=settings_file(tmp_path, feed("main"))
    )


def called(own: Settings, words: list[str]) -> Result:
    return CliRunner(env=places_in_environment(own)).invoke(wardround, words)


def test_every_command_of_the_page_does_what_it_is_there_for(own: Settings, server: str) -> None:
    screened = called(own, ["screen", "sepsis", "--source", server, "--as-of", "2026-01-02T04:00:00Z", "--json"])
    assert screened.exit_code == 0, screened.output
    filled = {
        "CONDITION": "sepsis",
        "NAME": server,
        "RUN": json.loads(screened.stdout)["run"],
        "TIME": "2026-01-02T05:00:00Z",
        "DAY": "2026-01-01",
        "TEXT": "tests",
        "NUMBER": "4711",
        "SOURCE": "main",
    }
    assert len(COMMANDS) > 20
    for command in COMMANDS:
        words = [re.sub(r"[A-Z]{3,}", lambda one: filled[one[0]], word) for word in shlex.split(command)]
        if words[:2] == ["runs", "prune"]:
            words.append("--yes")
        done = called(own, words)
        kind, said = REFUSED.get(command, (None, ""))
        if kind is None:
            assert done.exit_code == 0, (command, done.output, done.exception)
            if words[:2] == ["model", "suspend"]:
                assert called(own, ["model", "resume", "sepsis", "--why", "tests"]).exit_code == 0
        else:
            assert isinstance(done.exception, kind), (command, done.output, done.exception)
            assert said in done.output + str(done.exception), command


def test_every_alarm_of_prometheus_and_of_the_stream_is_on_the_page():
    rules = (PROJECT / "deploy" / "watch" / "alerts.yaml").read_text()
    alarms = re.findall(r"- alert: (\w+)", rules)
    stream = (PROJECT / "docs" / "stream.md").read_text()
    alarms += re.findall(r"^\| `(\w+)(?::[A-Z]+)?` \|", stream.partition("| alarm | raised when |")[2], re.M)[:7]
    assert len(alarms) >= 13
    assert [name for name in alarms if not re.search(rf"`{name}\b", PAGE)] == []


def test_every_page_of_the_night_is_linked_from_it_and_leads_back():
    for page in ("when-a-run-fails.md", "backup.md", "secrets.md", "upgrade.md"):
        assert f"({page}" in PAGE
    assert "(woken-at-three.md)" in (PROJECT / "docs" / "operations" / "when-a-run-fails.md").read_text()
