"""Every stay found is either written or lost for a reason, and the numbers add up."""

from itertools import pairwise

import pandas as pd

from wardround.core.events import frame_of
from wardround.core.ledger import LEDGER_COLUMNS
from wardround.report.stay_flow import Loss, Stage, losses_of, stages


def ledger(*rows: tuple[str, str, bool]) -> pd.DataFrame:
    """A ledger of (outcome, reason, written)."""
    named = [
        {"stay_id": f"s{place}", "chunk": 1, "outcome": outcome, "reason": reason, "written": written}
        for place, (outcome, reason, written) in enumerate(rows)
    ]
    return frame_of(LEDGER_COLUMNS, named)


def test_each_stage_is_the_one_before_without_its_losses() -> None:
    run = ledger(
        ("scored", "", True),
        ("scored", "", True),
        ("scored", "", False),
        ("indeterminate", "minimum_data", False),
        ("failed", "task:extract", False),
        ("excluded", "discharged", False),
        ("excluded", "discharged", False),
        ("excluded", "under_age", False),
    )
    result = stages(run, "Nothing is written in a shadow run")
    assert [(stage.name, stage.count) for stage in result] == [
        ("Found", 8),
        ("Eligible", 5),
        ("Scored", 3),
        ("Written", 2),
    ]
    for stage, following in pairwise(result):
        assert stage.count - sum(loss.count for loss in stage.losses) == following.count
    assert result[0].losses[0] == Loss("Discharged before the prediction time", 2)
    assert result[1].losses[1] == Loss("Failed: the step extract failed", 1)
    assert result[2].losses == (Loss("Nothing is written in a shadow run", 1),)


def test_an_empty_ledger_has_four_empty_stages() -> None:
    assert stages(ledger(), "") == tuple(Stage(name, 0, ()) for name in ("Found", "Eligible", "Scored", "Written"))


def test_reasons_that_are_equally_frequent_are_in_alphabetical_order() -> None:
    run = ledger(("excluded", "b", False), ("excluded", "a", False), ("excluded", "c", False))
    assert [loss.reason for loss in losses_of(run)] == ["a", "b", "c"]
