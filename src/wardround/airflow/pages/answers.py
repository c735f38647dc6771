"""Every answer of the pages: HTML from a template or a file of a run, with the headers that keep it to its reader."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment

from wardround.adapters.html.report import templates_in
from wardround.core.run_overview import STATES
from wardround.core.run_summary import COUNTS

_TEMPLATES: Final = Path(__file__).parent / "templates"
_STYLE: Final = (_TEMPLATES / "pages.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# The frame that Airflow shows pages in runs scripts and has the session, so that nothing here may run any.
_STRICT: Final = "default-src 'none'; script-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
OURS: Final = f"{_STRICT}; style-src 'sha256-{_STYLE_HASH}'"
REPORT: Final = f"{_STRICT}; style-src 'unsafe-inline'; img-src data:"
"""Reports and cards draw their charts with styles of their own."""


def headers(policy: str) -> dict[str, str]:
    """What every answer carries: nothing of it is kept, guessed at, run or framed elsewhere."""
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def page(request: Request, template: str, status: int = 200, **content: Any) -> Response:
    """A page of ours; links in it begin with where the pages lie."""
    root = request.scope["root_path"]
    text = _environment().get_template(f"{template}.html.j2").render(root=root, style=_STYLE, **content)
    return HTMLResponse(text, status, headers(OURS))


def message(request: Request, status: int, title: str, text: str, more: Mapping[str, str] | None = None) -> Response:
    """A page that says what is wrong; `more` are headers that belong to the status."""
    answer = page(request, "message", status, title=title, text=text)
    answer.headers.update(more or {})
    return answer


def file(content: bytes, media_type: str, download_as: str | None = None) -> Response:
    """A file of a run, as it is; under a name, it is saved and not shown."""
    answer = Response(content, media_type=media_type, headers=headers(REPORT))
    if download_as:
        answer.headers["Content-Disposition"] = f'attachment; filename="{download_as}"'
    return answer


@cache
def _environment() -> Environment:
    templates = templates_in(_TEMPLATES)
    templates.globals.update(states=STATES, count_names=COUNTS)
    templates.filters.update(minute=_minute, count=_count)
    return templates


def _minute(time: datetime | None) -> str:
    """`2026-01-02 05:00`, of a time in UTC."""
    return f"{time:%Y-%m-%d %H:%M}" if time else "–"


def _count(value: int | None) -> str:
    """With thin spaces between thousands."""
    return "–" if value is None else f"{value:,}".replace(",", "\u202f")
