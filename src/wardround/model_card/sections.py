"""The sections of a model card's page: their names in its address, and their headings."""

from typing import Final

SECTIONS: Final = {
    "summary": "Summary",
    "use": "What it is for, and what it is not for",
    "data": "Where the stays went",
    "task": "What is predicted",
    "development": "How it was made",
    "inputs": "Inputs, and how much each moves a score",
    "performance": "How well it ranks",
    "calibration": "How far a score means what it says",
    "thresholds": "Thresholds, alerts and lead time",
    "subgroups": "Subgroups",
    "gates": "Gates against leakage",
    "onset": "Other definitions of onset",
    "comparison": "Against the live model",
    "hti1": "Source attributes by US rule HTI-1",
    "tripod": "TRIPOD+AI",
    "provenance": "Provenance",
}
