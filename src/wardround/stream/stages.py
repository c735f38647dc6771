"""Which processes the stream has, and the order of its stages. Each is imported only where it runs, for its memory."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Final

from wardround.adapters.queue.intake import Intake
from wardround.adapters.queue.queue import Queue
from wardround.settings import Settings
from wardround.spec.stream import StreamSettings
from wardround.stream.metrics import Metrics
from wardround.stream.stage import Stage

_OpensStage = Callable[[Settings, Queue], AbstractContextManager[Stage]]
_OpensListener = Callable[[Settings, Intake, Metrics], AbstractContextManager[Callable[[], str]]]

LISTEN: Final = "listen"
STAGES: Final = ("flag", "query", "predict", "notify")
"""The stages with queues, in the order in which a message passes them; each is the module of its name."""
RESOLVE: Final = "resolve"
"""The stage before them for what FHIR Subscriptions announce; it runs where a source has one."""
WATCH: Final = "watch"
QUEUES: Final = (RESOLVE, *STAGES)
"""All stages that have a queue."""
PROCESSES: Final = (LISTEN, *STAGES, RESOLVE, WATCH)


def processes_of(stream: StreamSettings) -> tuple[str, ...]:
    """Returns the processes that these settings need."""
    return tuple(name for name in PROCESSES if name != RESOLVE or stream.subscriptions)


def at_work(found: Collection[str]) -> tuple[str, ...]:
    """Returns the stages that figures are about: `resolve` only where something of it was found."""
    return QUEUES if RESOLVE in found else STAGES


def opened_stage(name: str, settings: Settings, queue: Queue) -> AbstractContextManager[Stage]:
    """Returns the stage, ready for work inside the block: `opened(settings, queue)` of the module of its name.

    Raises WardroundError if it cannot be prepared.
    """
    opened: _OpensStage = import_module(f"wardround.stream.{name}").opened
    return opened(settings, queue)


def opened_listener(settings: Settings, intake: Intake, metrics: Metrics) -> AbstractContextManager[Callable[[], str]]:
    """Returns the listener, which takes messages in inside the block: `opened(settings, intake, metrics)` of `listen`.

    It gives what returns why it cannot work now, "" if it can. At the end of the block it accepts nothing more and
    finishes the answers in hand. Raises WardroundError if it cannot be prepared.
    """
    opened: _OpensListener = import_module("wardround.stream.listen").opened
    return opened(settings, intake, metrics)
