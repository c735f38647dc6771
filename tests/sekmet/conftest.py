"""sekmet-fhir, a FHIR server that others wrote, in an environment of its own that is set up here."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wardround.demo.fhir_server.certificates import throw_away_certificate
from wardround.settings import PROJECT

HERE = Path(__file__).parent
LOCK = HERE / "requirements.txt"
ENVIRONMENT = PROJECT / ".venv-sekmet"


@pytest.fixture(scope="session")
def sekmet_python() -> Path:
    """The Python of sekmet's environment, which is made anew when its lock changes."""
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / f"installed-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not stamp.exists():
        uv = Path(sys.executable).parent / "uv"
        run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, ENVIRONMENT])
        run([uv, "pip", "install", "--quiet", "--python", python, "--requirement", LOCK])
        stamp.touch()
    return python


def run(command: list[object]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(
            f"the environment of the independent FHIR server (tests/sekmet/requirements.txt) cannot be set up;"
            f" is the package registry reachable?\n{done.stderr}"
        )


@pytest.fixture
def sekmet_server(sekmet_python: Path, tmp_path: Path) -> Iterator[str]:
    """Base URL of an empty sekmet server, which ends with the test."""
    with sekmet(sekmet_python, tmp_path) as base_url:
        yield base_url


@pytest.fixture
def guarded_sekmet(sekmet_python: Path, tmp_path: Path, key_pair) -> Iterator[tuple[str, Path]]:
    """Base URL and folder of an empty sekmet server with TLS and SMART Backend Services; see launch.py."""
    folder = tmp_path / "sekmet"
    folder.mkdir()
    throw_away_certificate(folder)
    (folder / "client.pem").write_text(key_pair.public)
    with sekmet(sekmet_python, folder) as base_url:
        yield base_url, folder


@contextmanager
def sekmet(python: Path, folder: Path) -> Iterator[str]:
    log = (folder / "sekmet.log").open("w")
    with log, subprocess.Popen([python, HERE / "launch.py", folder], stdout=subprocess.PIPE, stderr=log) as process:
        try:
            base_url = process.stdout.readline().decode().strip()
            if not base_url:
                pytest.fail(f"sekmet did not start:\n{(folder / 'sekmet.log').read_text()}")
            yield base_url
        finally:
            process.terminate()
