"""docker-compose.yaml by the Compose specification's own JSON schema, which check-jsonschema brings along."""

import subprocess
from pathlib import Path

import pytest
from tests.environments import environment

from wardround.settings import PROJECT

pytestmark = pytest.mark.slow

FILE = PROJECT / "docker-compose.yaml"


@pytest.fixture(scope="module")
def check():
    python = environment("compose", Path(__file__).parent / "requirements.txt")

    def checked(file: Path) -> "subprocess.CompletedProcess[str]":
        command = [python.parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return checked


def test_the_file_is_valid(check):
    done = check(FILE)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("    stop_grace_period: 2m\n", "    stop_grace_time: 2m\n"),
        ("  timeout: 20s\n", "  timeout: [20]\n"),
        ("      condition: service_healthy\n", "      condition: service_well\n"),
    ],
    ids=["key", "type", "value"],
)
def test_a_mistake_is_found(check, tmp_path, right, wrong):
    text = FILE.read_text()
    assert right in text
    (tmp_path / FILE.name).write_text(text.replace(right, wrong, 1))

    assert check(tmp_path / FILE.name).returncode == 1
