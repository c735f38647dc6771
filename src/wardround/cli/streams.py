"""Guards the process's output: control characters that a terminal would obey are printed as visible text instead."""

import re
import sys
from typing import Any, Final

from wardround.escaping import visible_lines

# What rich itself sends to a terminal: colours and styles (but not "conceal"), and cursor moves of a progress bar.
_OF_RICH: Final = re.compile(r"(\x1b\[(?:(?!8m)[0-9;]*m|[0-9]*[AGK]|\?25[lh])|\r)")


class SafeStream:
    """Wraps a text stream and makes control characters and bidirectional overrides visible."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if self._stream.isatty():
            parts = _OF_RICH.split(text)
            self._stream.write("".join(part if place % 2 else visible_lines(part) for place, part in enumerate(parts)))
        else:
            self._stream.write(visible_lines(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def print_safely() -> None:
    """Replaces this process's stdout and stderr with safe streams."""
    sys.stdout, sys.stderr = SafeStream(sys.stdout), SafeStream(sys.stderr)
