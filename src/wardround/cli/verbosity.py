"""`-v` in, Wardround's log on stderr out: warnings without it, what each step did with it, requests with two."""

import logging
import sys
from typing import Final

import click

_LEVELS: Final = (logging.WARNING, logging.INFO, logging.DEBUG)
_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"


def say_on_stderr() -> None:
    """Sends warnings and worse to stderr; other libraries' logs are left as they are."""
    log = logging.getLogger("wardround")
    if not any(isinstance(handler, _ToStderr) for handler in log.handlers):
        log.addHandler(_ToStderr())
        log.setLevel(logging.WARNING)


def verbose() -> click.Option:
    """The option, which may stand before a command or after it."""
    return click.Option(
        ["-v", "--verbose"],
        count=True,
        expose_value=False,
        callback=_say_more,
        help="Say on stderr what each step did; -vv each request as well.",
    )


class _ToStderr(logging.Handler):
    """Writes to what is the standard error at the moment: progress bars put themselves in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


def _say_more(_context: click.Context, _option: click.Parameter, times: int) -> None:
    if times:
        say_on_stderr()
        logging.getLogger("wardround").setLevel(_LEVELS[min(times, len(_LEVELS) - 1)])
