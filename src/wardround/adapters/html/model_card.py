"""Makes the files beside a model card, for people and for programs: one page without script or network."""

import json
from typing import Final

from wardround.adapters.html.report import environment
from wardround.evaluation.comparison import Comparison
from wardround.model_card.card_view import card_page
from wardround.model_card.statements import statements
from wardround.training.model import ModelCard

PAGE: Final = "card.html"
STATEMENTS: Final = "statements.json"


def files_beside(card: ModelCard) -> dict[str, bytes]:
    """Returns, by name, the files in the model folder beside card.json and the model.

    The version does not depend on them.
    """
    stated = json.dumps(statements(card), indent=2, ensure_ascii=False) + "\n"
    return {PAGE: render_card(card).encode(), STATEMENTS: stated.encode()}


def render_card(card: ModelCard, comparison: Comparison | None = None) -> str:
    """Returns the page, with how the model compares with the live one if that is given.

    The same card and comparison give the same page; everything but the charts is escaped here.
    """
    return environment().get_template("card.html.j2").render(card=card_page(card, comparison))
