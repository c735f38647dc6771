"""Prints the comparison of a candidate with the live model on a terminal."""

from rich.console import Console
from rich.markdown import Markdown

from wardround.evaluation.comparison import Comparison
from wardround.evaluation.comparison_text import as_markdown


def show_comparison(comparison: Comparison) -> None:
    """Prints the same comparison that Airflow shows to the person who approves."""
    Console().print(Markdown(as_markdown(comparison)))
