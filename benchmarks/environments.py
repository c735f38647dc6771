"""Creates separate Python environments under var/bench, and again when their lock file has changed."""

import hashlib
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import DATA


def environment(name: str, lock: Path) -> Path:
    """Returns the Python of an environment with the packages that the lock file pins."""
    folder = DATA / f"venv-{name}"
    python, stamp = (
        folder / "bin" / "python",
        folder / f"installed-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}",
    )
    if not stamp.exists():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
        subprocess.run([*install, "--requirement", str(lock)], check=True)
        stamp.touch()
    return python
