"""Prepares what a card states to programs: uses, limitations, the source attributes and the items of TRIPOD+AI."""

from typing import Any

from wardround.model_card.hti1 import RULE, source_attributes
from wardround.model_card.scope import limitations, out_of_scope
from wardround.model_card.tripod import reported_items
from wardround.training.model import ModelCard


def statements(card: ModelCard) -> dict[str, Any]:
    """Returns JSON values. An item has the `section` of the page that answers it, or a text, or both."""
    return {
        "out_of_scope": list(out_of_scope(card)),
        "limitations": list(limitations(card)),
        "source_attributes": {
            "rule": RULE,
            "attributes": [
                {"paragraph": answer.paragraph, "group": group, "name": answer.name, "text": answer.text}
                for group, answers in source_attributes(card).items()
                for answer in answers
            ],
        },
        "tripod_ai": [
            {"item": answer.number, "name": answer.name, "section": answer.section or None, "text": answer.text or None}
            for answer in reported_items(card)
        ],
    }
