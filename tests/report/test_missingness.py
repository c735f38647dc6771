"""The grid of unknown features follows from the spec."""

from pathlib import Path

from wardround.report.missingness import unknown_grid
from wardround.spec.loading import load_condition


def test_the_grid_has_a_row_per_variable_and_window_and_a_share_per_feature(schemas: Path) -> None:
    sepsis = load_condition("sepsis", schemas)
    unknown = {**dict.fromkeys(sepsis.columns, 0), "lactate__last_24h": 3, "age": 1}
    grid = unknown_grid(unknown, 4, sepsis)
    shares = {
        (row.display, summary): share
        for row in grid.variables
        for summary, share in zip(grid.summaries, row.shares, strict=True)
    }
    windows = {(feature.variable, feature.window) for feature in sepsis.feature_list}
    assert len(grid.variables) == len(windows)
    assert (shares["Lactate", "last"], shares["Lactate", "lowest"], shares["Lactate", "trend"]) == (0.75, 0.0, None)
    assert grid.demographics == (
        ("Age", 0.25),
        ("Sex", 0.0),
        ("Time in the unit", 0.0),
        ("Time in the hospital", 0.0),
    )


def test_columns_that_the_run_did_not_have_are_left_blank(schemas: Path) -> None:
    grid = unknown_grid({"lactate__last_24h": 1}, 1, load_condition("sepsis", schemas))
    known = [share for row in grid.variables for share in row.shares if share is not None]
    assert (known, grid.demographics) == ([1.0], ())
