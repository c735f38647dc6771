"""The digest of everything that decides a score: if it changes, models trained earlier are refused."""

import hashlib
import json
from typing import Any

from wardround.spec.conditions import Condition

# Keys that affect texts, schedules or limits, but neither features nor labels.
_WORDS_AND_LIMITS = (
    *("title", "description", "schedule", "catch_up_from", "quality", "outcome", "bands", "version", "cohort"),
    *(
        "minimum_data",
        "model_card",
        "leakage",
        "promotion",
        "retraining",
        "mode",
        "shadow_until",
        "time_zone",
        "sources",
        "high_band_group",
        "lock_out",
        "bedside",
        "stream",
    ),
)
_OF_VARIABLES: Any = {"typical": True, "risk_rises_with": True, "usual_range": True, "codes": {"__all__": {"display"}}}
_COSMETIC: Any = {**dict.fromkeys(_WORDS_AND_LIMITS, True), "variables": {"__all__": _OF_VARIABLES}}


def spec_digest(condition: Condition) -> str:
    """Returns the SHA-256 (hex) of a condition's features, variables, label and horizon, whatever the YAML's layout."""
    content = condition.model_dump(mode="json", exclude=_COSMETIC)
    for label in (content["label"], *content["other_labels"]):
        # Models trained before there was a choice remain valid for what they learned.
        if label["suspicion"] in (None, "any_culture"):
            del label["suspicion"]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
