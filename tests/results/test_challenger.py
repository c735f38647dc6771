"""How a challenger compares with the live model, counted from a ledger."""

import pandas as pd
import pytest

from wardround.core import run_files
from wardround.core.events import frame_of
from wardround.core.ledger import LEDGER_COLUMNS
from wardround.results.challenger import agreement, with_challenger

NAN = float("nan")
LIVE = {"a": (0.9, "high"), "b": (0.6, "high"), "c": (0.2, "low"), "d": (NAN, "indeterminate"), "e": (NAN, "")}
THEIRS = {"a": (0.95, "high"), "b": (0.3, "moderate"), "c": (0.25, "low"), "d": (0.5, "high")}


def ledger() -> pd.DataFrame:
    return frame_of(LEDGER_COLUMNS, [_row(stay, *said) for stay, said in LIVE.items()])


def _row(stay: str, score: float, band: str) -> dict[str, object]:
    about = {"stay_id": stay, "patient_id": f"p-{stay}", "unit": "", "chunk": 1, "outcome": "scored", "reason": ""}
    return {**about, "score": score, "band": band, "written": False}


def scores(said: dict[str, tuple[float, str]]) -> pd.DataFrame:
    rows = [
        {"stay_id": stay, "challenger_score": score, "challenger_band": band} for stay, (score, band) in said.items()
    ]
    return frame_of(run_files.CHALLENGER_COLUMNS, rows)


def test_scores_are_joined_by_stay_and_a_stay_that_the_challenger_was_not_asked_about_stays() -> None:
    shuffled = scores(dict(reversed(THEIRS.items())))
    joined = with_challenger(ledger(), shuffled)
    assert joined["stay_id"].tolist() == list("abcde")
    assert joined["challenger_score"].tolist()[:4] == [0.95, 0.3, 0.25, 0.5]
    assert joined["challenger_band"].tolist() == ["high", "moderate", "low", "high", ""]
    assert joined[list(LEDGER_COLUMNS)].equals(ledger())


def test_what_both_scored_is_compared_and_each_models_alerts_are_counted_at_its_own_threshold() -> None:
    assert agreement(with_challenger(ledger(), scores(THEIRS))) == {
        "scored": {"live": 3, "challenger": 4},
        "alerts": {"live": 2, "challenger": 2},
        "alerts_of_both": 1,
        "compared": 3,
        "same_band": 2,
        "median_difference": 0.05,
        "largest_difference": -0.3,
        "bands": {"high": {"high": 1, "moderate": 1}, "indeterminate": {"high": 1}, "low": {"low": 1}},
    }


def test_a_challenger_without_a_score_is_compared_with_nobody() -> None:
    counted = agreement(with_challenger(ledger(), scores({})))
    assert (counted["compared"], counted["median_difference"], counted["largest_difference"]) == (0, None, None)
    assert (counted["alerts"], counted["bands"]) == ({"live": 0, "challenger": 0}, {})


def test_each_models_alerts_are_its_own() -> None:
    theirs = {"a": (0.95, "high"), "b": (0.3, "moderate"), "c": (0.25, "low")}
    counted = agreement(with_challenger(ledger(), scores(theirs)))
    assert (counted["alerts"], counted["alerts_of_both"]) == ({"live": 2, "challenger": 1}, 1)


def test_differences_have_four_digits() -> None:
    # Of the differences 0.0333444, 0.1111 and 0.2222666, and then of the first two alone.
    theirs = {"a": (0.9333444, "high"), "b": (0.7111, "high"), "c": (0.4222666, "low")}
    counted = agreement(with_challenger(ledger(), scores(theirs)))
    assert (counted["median_difference"], counted["largest_difference"]) == (0.1111, 0.2223)
    of_two = agreement(with_challenger(ledger(), scores({"a": theirs["a"], "b": (0.7112, "high")})))
    # Halfway between 0.0333 and 0.1112.
    assert of_two["median_difference"] in (0.0722, 0.0723)


def test_a_stay_that_is_scored_twice_is_an_error() -> None:
    with pytest.raises(pd.errors.MergeError):
        with_challenger(ledger(), pd.concat([scores(THEIRS), scores({"a": (0.1, "low")})]))
