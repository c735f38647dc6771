"""A program that changes a model store in forked copies of itself, and kills them at a given step.

One JSON object a line: {"root": ..., "schemas": ..., "work": "promote", "version": ..., "kill_at": n} in,
{"status": exit code or minus signal} out. A step is a file of the store that is opened, made, written to the disk,
moved or removed; the fork ends before the n-th of them. In a store in S3, whose locks are in `database`, it is that an
object is about to be written or removed, or was. Without `kill_at` it goes on to its end. With `largest` no file may
have more bytes.
"""

import faulthandler
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wardround.candidates.logistic_regression  # noqa: F401 - what a model is loaded with, once for all forks
from wardround.adapters.models.store import ModelStore
from wardround.errors import StorageError
from wardround.spec.loading import load_condition
from wardround.training.model import ModelCard

STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}
FILES = {"model.ubj": b"a model"}
PATIENCE = 300.0
"""Seconds; a fork takes a tenth of one. One that hangs says where."""


class Steps:
    """Counts the steps, and kills the process at one of them."""

    def __init__(self, root: str, last: int | None) -> None:
        self._root, self._left = root, last
        self._to_disk = os.fsync

    def watch(self) -> None:
        if "://" in self._root:
            self.watch_requests()
        else:
            sys.addaudithook(self.note)
            os.fsync = self.fsync  # the interpreter has no event for it

    def watch_requests(self) -> None:
        from aiobotocore.client import AioBaseClient

        asked = AioBaseClient._make_api_call

        async def ask(client: Any, operation: str, parameters: Any) -> Any:
            changes = operation.startswith(("Put", "Delete"))
            if changes:
                self.step()
            answer = await asked(client, operation, parameters)
            if changes:
                self.step()
            return answer

        AioBaseClient._make_api_call = ask

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in STEPS and str(arguments[0]).startswith(self._root):
            self.step()

    def fsync(self, file: int) -> None:
        self.step()
        self._to_disk(file)

    def step(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def work(job: dict[str, Any]) -> None:
    root = job["root"]
    store = ModelStore(root if "://" in root else Path(root), job.get("database", ""))
    condition = load_condition(job.get("condition", "mortality"), Path(job["schemas"]))
    card = ModelCard.model_validate(job["card"])
    works: dict[str, Callable[[], object]] = {
        "save": lambda: store.save(condition.id, card.model_copy(update={"version": "c"}), FILES),
        "promote": lambda: store.promote(condition, job["version"], "ann", "better"),
        "rollback": lambda: store.rollback(condition, "bob", "worse"),
        "suspend": lambda: store.suspend(condition.id, "cat", "too many alarms"),
        "record": lambda: store.record(condition.id, "rejected", f"{os.getpid()}", "ann", "no"),
    }
    Steps(job["root"], job.get("kill_at")).watch()
    if "largest" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest"], job["largest"]))
    works[job["work"]]()


def serve() -> None:
    answers = sys.stdout
    for line in sys.stdin:
        job = json.loads(line)
        if "://" in job["root"]:
            import s3fs  # noqa: F401 - once for all forks
        pid = os.fork()
        if pid == 0:
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            status = 1
            try:
                work(job)
                status = 0
            except StorageError as error:
                status = error.exit_code
            finally:
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), file=answers, flush=True)


if __name__ == "__main__":
    serve()
