"""Text from people, files and servers is shown literally on every kind of surface."""

import pytest

from wardround.errors import FhirError
from wardround.escaping import markdown, markdown_code, visible, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ward 4 West, 37\u00a0°C, 1\u202f000, ü, \u2212 and 心", None),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31mred", r"\x9b31mred"),
        ("a\u202eb\u2066c\u200bd", r"a\u202eb\u2066c\u200bd"),
        ("one\ntwo\ttabs\r", r"one\ntwo\ttabs\r"),
        ("one\u2028two\u2029", r"one\u2028two\u2029"),
        ("half \ud83d letter", r"half \ud83d letter"),
        ("[red]<b>=1+1", None),
    ],
)
def test_invisible_characters_are_written_out_and_the_rest_stays(text, shown) -> None:
    assert visible(text) == (text if shown is None else shown)


def test_line_breaks_of_a_text_of_several_lines_stay() -> None:
    assert visible_lines("one\n\ttwo\x1b") == "one\n\ttwo\\x1b"


def test_an_error_quotes_a_server_with_invisible_characters_written_out() -> None:
    assert str(FhirError("http://s/fhir: answered 500: \x1b]0;mine\x07 \u202egood\nnext")) == (
        "http://s/fhir: answered 500: \\x1b]0;mine\\x07 \\u202egood\nnext"
    )


HOSTILE = (
    "[click](http://evil)", "![x](http://evil/x.png)", "<script>alert(1)</script>", "http://evil.example/a_b",
    "# heading", "* item", "- item", "1. item", "| a | b |", "**bold** _it_ ~~no~~", "`code`", "&lt;b&gt;", "\x1b[31m",
    "one\n\n# two", "= under", "<http://evil>", "a\\[b](http://x)", "> quote", "***", "+ item", "<!-- gone -->",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_a_text_literally_without_markup(text) -> None:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    shown = " ".join(visible(" ".join(text.split())).split())
    (opening, inline, closing) = reader.parse(markdown(text))
    assert (opening.type, closing.type) == ("paragraph_open", "paragraph_close")
    assert {child.type for child in inline.children} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children) == shown


def test_a_name_as_code_stays_one_piece_of_code() -> None:
    assert markdown_code("1.0.0-a`; **x** `\x1b") == r"`1.0.0-a; **x** \x1b`"
