"""The process's output: whatever is printed passes here, and what a terminal would obey is written out instead."""

import re
import sys
from typing import Any, Final

from wardround.escaping import visible_lines

# What rich itself writes to a terminal: colours and styles (but not "conceal"), the cursor of a progress bar.
_OF_RICH: Final = re.compile(r"(\x1b\[(?:(?!8m)[0-9;]*m|[0-9]*[AGK]|\?25[lh])|\r)")


class SafeStream:
    """A text stream before another one: control characters are written out, bidirectional overrides as well."""

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
    """From now on, for this process's stdout and stderr."""
    sys.stdout, sys.stderr = SafeStream(sys.stdout), SafeStream(sys.stderr)
