"""Prints what the tests of promises report at the end."""

from typing import Any

import pytest

_SEEN = pytest.StashKey[list[tuple[str, ...]]]()


@pytest.fixture(scope="session")
def hostile_table(pytestconfig: pytest.Config) -> list[tuple[str, ...]]:
    """Collects the rows of test_hostile_server.py: what the server did, to what, what was expected, what was seen."""
    return pytestconfig.stash.setdefault(_SEEN, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    seen = config.stash.get(_SEEN, [])
    if seen and config.get_verbosity() > 0:
        table = [("what the server does", "to", "expected", "seen"), *seen]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        terminalreporter.section("a hostile server")
        for row in table:
            terminalreporter.line(
                "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            )
