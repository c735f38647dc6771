"""Python environments for what must not share ours: made under var/bench, anew when their lock changes."""

import hashlib
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import DATA


def environment(name: str, lock: Path) -> Path:
    """The Python of an environment that holds what the lock pins."""
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
