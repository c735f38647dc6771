"""Tests `wardround ehr`, which `make sandbox` calls: what it starts, and that nothing of it stays behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from wardround.adapters.sockets import listen

pytestmark = pytest.mark.long
SECONDS = 120


@contextmanager
def command(port: int, var: Path, home: Path) -> Iterator["subprocess.Popen[str]"]:
    """Runs the command with a small ward."""
    environment = {**os.environ, "WARDROUND_VAR": str(var), "WARDROUND_HOME": str(home)}
    arguments = [sys.executable, "-m", "wardround", "ehr", "--stays", "3", "--port", str(port)]
    with subprocess.Popen(
        arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.fixture
def var(tmp_path: Path, lactate_models: Path) -> Path:
    """A folder that an earlier start has left, with its model and its ward."""
    shutil.copytree(lactate_models, tmp_path / "ehr" / "models")
    (tmp_path / "ehr" / "fhir").mkdir()
    (tmp_path / "ehr" / "fhir" / "earlier.ndjson").write_text("")
    return tmp_path


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=SECONDS).ok
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_page_server_and_door_are_and_a_signal_stops_all_of_them(
    var: Path, small_home: Path, number: signal.Signals
) -> None:
    with command(0, var, small_home) as child:
        assert child.stdout is not None
        page, fhir, cds = (re.findall(r"http://\S+", child.stdout.readline())[0] for _ in range(3))
        places = requests.get(f"{page}places.json", timeout=SECONDS).json()
        assert places == {"fhir": fhir, "cds": cds.removesuffix("/cds-services")}
        assert all(map(answers, (page, f"{fhir}/metadata", cds)))
        family = psutil.Process(child.pid).children(recursive=True)
        child.send_signal(number)
        _, told = child.communicate(timeout=SECONDS)
        assert (child.returncode, told.splitlines()[-1]) == (0, "Stopped")
        assert psutil.wait_procs(family, timeout=SECONDS)[1] == []
        assert not any(map(answers, (page, f"{fhir}/metadata", cds)))


def test_a_taken_port_is_reported_and_the_ward_of_the_other_one_is_left_alone(var: Path, small_home: Path) -> None:
    with listen("127.0.0.1", 0, "ehr") as taken:
        port = taken.getsockname()[1]
        with command(port, var, small_home) as child:
            _, told = child.communicate(timeout=SECONDS)
    assert child.returncode == 1
    assert f"ehr: cannot listen on 127.0.0.1 port {port}" in told
    assert (var / "ehr" / "fhir" / "earlier.ndjson").is_file()
