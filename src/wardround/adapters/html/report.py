"""Renders a run's report as one self-contained HTML page: no script, no network."""

from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wardround.escaping import visible_lines
from wardround.model_card.card_words import number
from wardround.report.report_view import RunReport
from wardround.report.report_words import count, percent, span

_TEMPLATES: Final = Path(__file__).parent / "templates"


def render(report: RunReport) -> str:
    """Returns the page. Everything is escaped here except the charts, which do their own escaping."""
    return environment().get_template("report.html.j2").render(report=report)


def prepare() -> None:
    """Compiles the templates, which takes a tenth of a second: call it while other work waits."""
    for name in environment().list_templates(extensions=["j2"]):
        environment().get_template(name)


def shown(value: object) -> object:
    """Returns what a page shows of a value, before escaping: no invisible characters."""
    return visible_lines(value) if type(value) is str else value


def templates_in(folder: Path) -> Environment:
    """Returns the templates of a folder, with the escaping that all our pages use."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=shown,
    )


@cache
def environment() -> Environment:
    """Returns the templates of reports and cards, and the filters that they use."""
    templates = templates_in(_TEMPLATES)
    templates.filters.update(count=count, percent=percent, span=span, figure=number)
    return templates
