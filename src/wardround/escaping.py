"""Text that people, files and servers wrote in; the same text out as one kind of surface may show it.

Every surface has one place that escapes for it: the errors' `__str__`, the command line's streams (`cli/streams.py`),
the pages' templates (`adapters/html/report.py`), Markdown by `markdown`. Texts are kept as they were given.
"""

import re
import unicodedata
from typing import Final

# What moves the cursor, colours, reverses the order of letters or is no letter at all: control, format (bidi among
# them), surrogate, private, unassigned; the separators of lines and paragraphs.
_UNSEEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Markup, tables, HTML and its entities; at the beginning also headings and lists.
_MARKDOWN: Final = re.compile(r"[\\`*_{}\[\]<>|~&]|^[#+=-]|(?<=^\d)[.)]")


def visible(text: str, keep: str = "") -> str:
    """The text with everything that is not seen written out (`\\x1b`, `\\u202e`, `\\n`), but for what to `keep`."""
    if text.isprintable():
        return text
    return "".join(one if one in keep or unicodedata.category(one) not in _UNSEEN else _written(one) for one in text)


def visible_lines(text: str) -> str:
    """As `visible`, of a text of several lines."""
    return visible(text, keep="\n\t")


def markdown(text: str) -> str:
    """The text as one line of Markdown that shows it as it is: no markup, no HTML.

    An address may still become a link by itself, which then says where it leads.
    """
    return _MARKDOWN.sub(r"\\\g<0>", visible(" ".join(text.split())))


def markdown_code(text: str) -> str:
    """The text as code in Markdown: a name or a version that is copied."""
    return f"`{visible(text).replace('`', '')}`"


def _written(letter: str) -> str:
    return letter.encode("unicode_escape").decode()
