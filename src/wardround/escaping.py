"""Escapes text from people, files and servers for the surface that shows it.

Text is kept as it was given. Each surface escapes it in one place: the errors' `__str__`, the command line's streams
(`cli/streams.py`), the pages' templates (`adapters/html/report.py`), and `markdown` for Markdown.
"""

import re
import unicodedata
from typing import Final

# Characters that move the cursor, change colours, reverse the order of letters or are not letters: control, format
# (which includes bidi), surrogate, private use, unassigned, and the separators of lines and paragraphs.
_UNSEEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_NO_BREAK: Final = re.compile("[\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]")
# Markup, tables, HTML and its entities; at the start of a line also headings and lists.
_MARKDOWN: Final = re.compile(r"[\\`*_{}\[\]<>|~&]|^[#+=-]|(?<=^\d)[.)]")


def visible(text: str, keep: str = "") -> str:
    """Returns the text with invisible characters written out (`\\x1b`, `\\u202e`, `\\n`), except those in `keep`."""
    # Python calls spaces that do not break lines unprintable too, and pages have one before most units.
    if text.isprintable() or _NO_BREAK.sub(" ", text).isprintable():
        return text
    return "".join(one if one in keep or unicodedata.category(one) not in _UNSEEN else _written(one) for one in text)


def visible_lines(text: str) -> str:
    """Does the same as `visible` for a text of several lines."""
    return visible(text, keep="\n\t")


def markdown(text: str) -> str:
    """Returns the text as one line of Markdown that displays it literally: no markup, no HTML.

    A web address may still become a link, but one that shows where it leads.
    """
    return _MARKDOWN.sub(r"\\\g<0>", visible(" ".join(text.split())))


def markdown_code(text: str) -> str:
    """Returns the text as inline code in Markdown, for a name or a version that people copy."""
    return f"`{visible(text).replace('`', '')}`"


def _written(letter: str) -> str:
    return letter.encode("unicode_escape").decode()
