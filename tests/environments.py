"""Python environments of their own: for programs that others wrote, and for locks beside the one of the tests."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from wardround.adapters.files.file_lock import locked
from wardround.settings import PROJECT

UV = Path(sys.executable).parent / "uv"


def environment(name: str, lock: Path) -> Path:
    """Returns the Python of an environment with what a lock file pins; it is made anew when the file changes.

    The test fails if it cannot be set up. Others wait meanwhile.
    """
    folder = PROJECT / f".venv-{name}"
    python = folder / "bin" / "python"
    stamp = folder / f"installed-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    with locked(PROJECT / f".venv-{name}.lock"):
        if not stamp.exists():
            _run([UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder], lock)
            _run([UV, "pip", "install", "--quiet", "--python", python, "--requirement", lock], lock)
            stamp.touch()
    return python


def _run(command: list[object], lock: Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(
            f"the environment of {lock.relative_to(PROJECT)} cannot be set up;"
            f" is the package registry reachable?\n{done.stderr}"
        )
