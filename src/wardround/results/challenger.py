"""Compares a challenger's scores with those of the live model: counts and differences, without any patient."""

from typing import Any

import pandas as pd

from wardround.results.bands import HIGH


def with_challenger(ledger: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Returns the ledger with CHALLENGER_COLUMNS, joined by stay; stays that the challenger did not score are kept."""
    joined = ledger.merge(scores, on="stay_id", how="left", validate="one_to_one")
    return joined.assign(challenger_band=joined["challenger_band"].fillna(""))


def agreement(ledger: pd.DataFrame) -> dict[str, Any]:
    """Returns how the challenger compares with the live model on a run's stays.

    `scored` and `alerts` (the high band) for each; `compared`, the stays that both scored, and of these `same_band` and
    `alerts_of_both`; `median_difference` and `largest_difference` of the scores, challenger minus live model; `bands`,
    the stays by the band of the live model and then by that of the challenger.
    """
    asked = ledger[ledger["challenger_band"] != ""]
    both = asked[asked["score"].notna() & asked["challenger_score"].notna()]
    apart = (both["challenger_score"] - both["score"]).round(4)
    high, challenged = asked["band"] == HIGH, asked["challenger_band"] == HIGH
    return {
        "scored": {"live": _count(asked["score"].notna()), "challenger": _count(asked["challenger_score"].notna())},
        "alerts": {"live": _count(high), "challenger": _count(challenged)},
        "alerts_of_both": _count(high & challenged),
        "compared": len(both),
        "same_band": _count(both["band"] == both["challenger_band"]),
        "median_difference": round(float(apart.median()), 4) if len(both) else None,
        "largest_difference": float(apart[apart.abs().idxmax()]) if len(both) else None,
        "bands": {
            str(band): {str(name): int(number) for name, number in theirs.value_counts().sort_index().items()}
            for band, theirs in asked.groupby("band")["challenger_band"]
        },
    }


def _count(chosen: pd.Series) -> int:
    return int(chosen.sum())
