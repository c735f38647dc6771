"""schemathesis, in an environment of its own that is set up here: it is in no lock of the project."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from wardround.settings import PROJECT

LOCK = Path(__file__).parent / "requirements.txt"
ENVIRONMENT = PROJECT / ".venv-schemathesis"


@pytest.fixture(scope="session")
def schemathesis() -> Path:
    """The program, installed anew when its lock changes; skips where no package registry is reachable."""
    stamp = ENVIRONMENT / f"installed-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not stamp.exists():
        uv = Path(sys.executable).parent / "uv"
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, ENVIRONMENT])
        python = ENVIRONMENT / "bin" / "python"
        _run([uv, "pip", "install", "--quiet", "--python", python, "--requirement", LOCK])
        stamp.touch()
    return ENVIRONMENT / "bin" / "schemathesis"


def _run(command: list[object]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no package registry is reachable: schemathesis was not run\n{done.stderr}")
