"""A model card in, one self-contained HTML page out: no script, no network."""

from wardround.adapters.report_html import environment
from wardround.core.evaluation.comparison import Comparison
from wardround.core.model import ModelCard
from wardround.core.model_report.view import card_page


def render_card(card: ModelCard, comparison: Comparison | None = None) -> str:
    """The page, with how the model compares with the live one, if that is given.

    The same card and comparison give the same page; everything but the charts is escaped here.
    """
    return environment().get_template("card.html.j2").render(card=card_page(card, comparison))
