"""The account of a run: every stay once, with a reason, and the counts add up."""

import pytest

from wardround.core.ledger import LEDGER_COLUMNS, OUTCOMES, counts, open_ledger
from wardround.errors import RunIncomplete


def entry(stay_id: str, outcome: str = "scored", reason: str = "", written: bool = False) -> dict[str, object]:
    about = {"stay_id": stay_id, "patient_id": "p", "unit": "MICU", "chunk": 1, "score": 0.5, "band": "low"}
    return {**about, "outcome": outcome, "reason": reason, "written": written}


def test_a_ledger_holds_every_stay_found_once_in_the_order_of_their_ids() -> None:
    ledger = open_ledger([entry("b"), entry("a")], ["a", "b"])
    assert ledger["stay_id"].tolist() == ["a", "b"]
    assert list(ledger.columns) == list(LEDGER_COLUMNS)


def test_a_ledger_of_a_hospital_is_of_the_same_types_and_order() -> None:
    stays = [f"{number:05}" for number in range(4_500)]  # more than become a frame together
    ledger = open_ledger((entry(stay, written=stay < "00100") for stay in reversed(stays)), stays)
    assert ledger["stay_id"].tolist() == stays
    assert ledger["written"].tolist() == [stay < "00100" for stay in stays]
    assert dict(ledger.dtypes) == dict(open_ledger([entry("a")], ["a"]).dtypes)


@pytest.mark.parametrize(
    ("entries", "doubtful"),
    [
        ([entry("a")], "Encounter/b"),
        ([entry("a"), entry("b"), entry("c")], "Encounter/c"),
        ([entry("a"), entry("b"), entry("b")], "Encounter/b"),
        ([], "Encounter/a, Encounter/b"),
    ],
    ids=["missing", "unknown", "twice", "empty"],
)
def test_a_stay_not_accounted_for_exactly_once_is_an_error(entries: list[dict[str, object]], doubtful: str) -> None:
    with pytest.raises(RunIncomplete, match=doubtful):
        open_ledger(entries, ["a", "b"])


def test_of_many_doubtful_stays_five_are_named_and_the_others_counted() -> None:
    named = "check Encounter/0, Encounter/1, Encounter/2, Encounter/3, Encounter/4"
    for stays, rest in ((5, ""), (6, " and 1 more"), (9, " and 4 more")):
        with pytest.raises(RunIncomplete, match=f"{named}{rest}$"):
            open_ledger([], [str(stay) for stay in range(stays)])


def test_a_ledger_with_an_outcome_of_no_kind_does_not_add_up() -> None:
    ledger = open_ledger([entry("a"), entry("b")], ["a", "b"]).assign(outcome=["scored", "lost"])
    with pytest.raises(RunIncomplete, match="outcomes add up to 1, expected 2"):
        counts(ledger)


@pytest.mark.parametrize(("outcome", "reason"), [("failed", ""), ("excluded", ""), ("indeterminate", ""), ("x", "y")])
def test_a_stay_that_was_not_scored_needs_a_known_outcome_and_a_reason(outcome: str, reason: str) -> None:
    with pytest.raises(RunIncomplete, match="Encounter/a"):
        open_ledger([entry("a", outcome, reason)], ["a"])


def test_the_outcomes_add_up_to_the_stays_found() -> None:
    entries = [entry(outcome, outcome, "" if outcome == "scored" else "why") for outcome in OUTCOMES]
    entries.append(entry("s9", written=True))
    ledger = open_ledger(entries, [str(one["stay_id"]) for one in entries])
    assert counts(ledger) == {"found": 5, "scored": 2, "indeterminate": 1, "excluded": 1, "failed": 1, "written": 1}


def test_an_empty_ward_has_an_empty_ledger() -> None:
    assert counts(open_ledger([], [])) == dict.fromkeys(["found", *OUTCOMES, "written"], 0)
