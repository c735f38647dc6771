"""sekmet-fhir, a FHIR server that others wrote, in an environment of its own that is set up here."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.environments import environment

from wardround.demo.fhir_server.certificates import throw_away_certificate

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def sekmet_python() -> Path:
    """The Python of sekmet's environment."""
    return environment("sekmet", HERE / "requirements.txt")


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
