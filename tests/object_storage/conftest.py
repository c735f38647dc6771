"""An S3 server that others wrote (moto), in an environment of its own that is set up here.

It is in no lock of the project, because it brings 40 packages that nothing else needs.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.environments import environment
from tests.object_storage.access import access_to
from tests.object_storage.stays import STAYS

from wardround.demo.fhir_server.running import running_server

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def moto_python() -> Path:
    """The Python of moto's environment."""
    return environment("moto", HERE / "requirements.txt")


@pytest.fixture(scope="session")
def s3_server(moto_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server, which ends with the session."""
    log = tmp_path_factory.mktemp("moto") / "moto.log"
    with (
        log.open("w") as said,
        subprocess.Popen(
            [moto_python, HERE / "launch.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
        ) as process,
    ):
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, log.read_text()
        yield address
        process.communicate()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket, whose store and credentials are in the environment as S3's libraries read them."""
    for name, value in access_to(s3_server).items():
        monkeypatch.setenv(name, value)
    requests.post(f"{s3_server}/moto-api/reset", timeout=60).raise_for_status()
    requests.put(f"{s3_server}/ward", timeout=60).raise_for_status()
    return "s3://ward"


@pytest.fixture
def server(icu: Any) -> Iterator[str]:
    """The address of a FHIR server with STAYS stays."""
    for place in range(STAYS):
        icu.stay(f"s{place}", lactate=0.5 + place)
    with running_server() as one:
        icu.upload(one.base_url)
        yield one.base_url
