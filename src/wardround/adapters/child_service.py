"""Runs a service of ours in a child process that ends with this one, and tells when it is ready."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from wardround.errors import WardroundError

_STOP_SECONDS: Final = 15


@dataclass(frozen=True)
class ChildService:
    """A command that serves, in a child process: what it said when it was ready, and its process id."""

    said: dict[str, Any]
    pid: int


@contextmanager
def child_process(
    arguments: list[str], environment: Mapping[str, str] | None = None, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `wardround` with these arguments until the block ends; it must stop when its standard input ends."""
    command = [sys.executable, "-P", "-m", "wardround", *arguments]
    child = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=stdout)
    assert child.stdin is not None
    try:
        yield child
    finally:
        child.stdin.close()
        _wait(child)
        if child.stdout is not None:
            child.stdout.close()


@contextmanager
def child_service(
    arguments: list[str], failure: WardroundError, environment: Mapping[str, str] | None = None
) -> Iterator[ChildService]:
    """Runs the same; yields when it has printed one JSON object.

    Raises `failure` if it ends before; its own message is on stderr.
    """
    with child_process(arguments, environment, subprocess.PIPE) as child:
        assert child.stdout is not None
        first_line = child.stdout.readline()
        if not first_line:
            raise failure
        yield ChildService(json.loads(first_line), child.pid)


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
