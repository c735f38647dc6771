"""Runs a command as the init of a container does: python -I init.py [--user UID:GID] COMMAND...

It passes SIGTERM on to the command and reaps what its processes leave behind. When the command has ended, no process
that it started lives on, whatever sessions and groups they made. When standard input ends, all are killed at once: so
a container is killed, and nothing outlives the program that started it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
KILLED = 128 + signal.SIGKILL


def descendants(process: int) -> list[int]:
    """Returns the children, their children and so on."""
    found: list[int] = []
    with suppress(OSError):
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


def kill_all() -> None:
    """Kills until nothing is left; each is stopped first, so that none starts another meanwhile."""
    while left := [process for process in descendants(os.getpid()) if is_alive(process)]:
        for wanted in (signal.SIGSTOP, signal.SIGKILL):
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process, wanted)


def is_alive(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def killed_with_input() -> None:
    while os.read(0, 1):
        pass
    kill_all()


def pass_on(processes: list[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)


def main(words: list[str]) -> int:
    """Returns the exit code of the command."""
    user: dict[str, object] = {}
    if words[0] == "--user":
        user_id, group_id = map(int, words[1].split(":"))
        user, words = {"user": user_id, "group": group_id, "extra_groups": []}, words[2:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number) or pass_on(started))
    started: list[int] = []
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, **user)  # type: ignore[call-overload]
    started.append(child.pid)
    if asked:  # before there was a child
        pass_on(started)
    threading.Thread(target=killed_with_input, daemon=True).start()
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == child.pid:
            break
    kill_all()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    # Not sys.exit: the thread that reads must not hold the end up.
    os._exit(main(sys.argv[1:]))
