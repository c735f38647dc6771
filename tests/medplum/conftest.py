"""Medplum's FHIR router, a server that others wrote, installed by npm into a folder of its own."""

import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from wardround.settings import PROJECT

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
OLDEST_NODE = 20
PATIENCE = 240.0  # seconds; it takes five
# What npm calls it when nobody answers; whatever else fails is a fault of the lock.
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH")


@pytest.fixture(scope="session")
def medplum_modules() -> Path:
    """The folder with node_modules, made anew when the lock changes; skips without Node or npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node is not installed: what is written was not tested against Medplum's router")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Node {version} is too old for Medplum's router, expected {OLDEST_NODE} or newer")
    folder = PROJECT / "var" / "tests" / f"medplum-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        _install(npm, folder)
    return folder


def _install(npm: str, folder: Path) -> None:
    # Moved into place when it is whole, so that a test that was killed leaves no half of it.
    making = folder.with_name(f"{folder.name}.part-{secrets.token_hex(4)}")
    making.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, making)
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=making, capture_output=True, text=True, check=False, timeout=PATIENCE)
        why = None if done.returncode == 0 else done.stderr
    except subprocess.TimeoutExpired:
        why = "ETIMEDOUT"
    if why is not None:
        shutil.rmtree(making)
        if any(code in why for code in UNREACHABLE):
            pytest.skip("no package registry is reachable: what is written was not tested against Medplum's router")
        pytest.fail(f"npm cannot install Medplum's router as tests/medplum/package-lock.json says:\n{why}")
    making.rename(folder)


@pytest.fixture
def medplum(medplum_modules: Path) -> Iterator[str]:
    """Base URL of an empty Medplum repository, which ends with the test."""
    # Modules are looked for beside the program.
    shutil.copy(HERE / "server.mjs", medplum_modules)
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with subprocess.Popen(
        ["node", "server.mjs"], cwd=medplum_modules, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        base_url = process.stdout.readline().decode().strip()
        if not base_url:
            pytest.fail("Medplum's router did not start; its message is above")
        yield base_url
        process.stdin.close()
