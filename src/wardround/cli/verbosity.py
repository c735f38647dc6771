"""Writes Wardround's log to stderr: warnings by default, also what each step did with -v, and each request with -vv."""

import logging
import sys
from typing import Final

import click

_LEVELS: Final = (logging.WARNING, logging.INFO, logging.DEBUG)
_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"


def say_on_stderr() -> None:
    """Sends warnings and errors to stderr; the logs of other libraries are not changed."""
    log = logging.getLogger("wardround")
    if not any(isinstance(handler, _ToStderr) for handler in log.handlers):
        log.addHandler(_ToStderr())
        log.setLevel(logging.WARNING)


def verbose() -> click.Option:
    """Returns the option, which may be given before or after the name of the command."""
    return click.Option(
        ["-v", "--verbose"],
        count=True,
        expose_value=False,
        callback=_say_more,
        help="Log on stderr what each step did; -vv logs each request as well.",
    )


def verbosity_now() -> list[str]:
    """Returns the options with which another process of Wardround says as much as this one."""
    level = logging.getLogger("wardround").getEffectiveLevel()
    times = sum(level <= more for more in _LEVELS[1:])
    return ["-" + times * "v"] if times else []


class _ToStderr(logging.Handler):
    """Writes to the current sys.stderr, which progress bars replace while they are shown."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


def _say_more(_context: click.Context, _option: click.Parameter, times: int) -> None:
    if times:
        say_on_stderr()
        logging.getLogger("wardround").setLevel(_LEVELS[min(times, len(_LEVELS) - 1)])
