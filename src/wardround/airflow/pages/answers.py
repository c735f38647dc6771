"""Builds every response of the pages: HTML from a template, or a file of a run, with strict security headers."""

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
# Airflow shows the pages in a frame that may run scripts and has the user's session, so these forbid all scripts.
_STRICT: Final = "default-src 'none'; script-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
OURS: Final = f"{_STRICT}; style-src 'sha256-{_STYLE_HASH}'"
REPORT: Final = f"{_STRICT}; style-src 'unsafe-inline'; img-src data:"
"""Reports and cards contain inline styles, for their charts."""


def headers(policy: str) -> dict[str, str]:
    """Returns the headers of every response: no caching, no sniffing, no scripts, no frames on other sites."""
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def page(request: Request, template: str, status: int = 200, **content: Any) -> Response:
    """Returns a page from one of our templates; its links start at the path under which the pages are mounted."""
    root = request.scope["root_path"]
    text = _environment().get_template(f"{template}.html.j2").render(root=root, style=_STYLE, **content)
    return HTMLResponse(text, status, headers(OURS))


def message(request: Request, status: int, title: str, text: str, more: Mapping[str, str] | None = None) -> Response:
    """Returns a page that says what is wrong; `more` are further headers that go with the status."""
    answer = page(request, "message", status, title=title, text=text)
    answer.headers.update(more or {})
    return answer


def file(content: bytes, media_type: str, download_as: str | None = None) -> Response:
    """Returns a file of a run unchanged; with `download_as`, the browser saves it under that name."""
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
    """Formats a time in UTC as `2026-01-02 05:00`."""
    return f"{time:%Y-%m-%d %H:%M}" if time else "–"


def _count(value: int | None) -> str:
    """Formats a count with thin spaces between thousands."""
    return "–" if value is None else f"{value:,}".replace(",", "\u202f")
