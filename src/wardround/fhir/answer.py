"""Turns the response to a request into an Answer, or raises an error that names what came instead."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests

from wardround.errors import FhirError, FhirRefused
from wardround.fhir.json_object import is_cut, json_object
from wardround.fhir.lost import Busy
from wardround.fhir.page import dicts
from wardround.fhir.request import Request

# http://hl7.org/fhir/R4/valueset-issue-type.html
_ISSUE_CODE: Final = re.compile(
    "invalid|structure|required|value|invariant|security|login|unknown|expired|forbidden|suppressed|processing|"
    "not-supported|duplicate|multiple-matches|not-found|deleted|too-long|code-invalid|extension|too-costly|"
    "business-rule|conflict|transient|lock-error|no-store|exception|timeout|incomplete|throttled|informational"
)

_CONTENT_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]{1,60}|nothing")


@dataclass(frozen=True)
class Answer:
    """A JSON object that a server answered.

    `url` may be shown in messages; `complaint` is what to say if the answer is not a success. `body` is the object as a
    dict; the body of a success is what the request's `read` made of it.
    """

    url: str
    status: int
    body: Any
    complaint: str
    headers: Mapping[str, str]

    @property
    def retry_after(self) -> float | None:
        """Returns the seconds after which the server wants to be asked again; None if it does not say."""
        return retry_after(self.headers.get("Retry-After"))


def answer_of(response: requests.Response, request: Request) -> Answer:
    """Returns and raises what `Transport.send` does; `url` may be shown in messages. Raises Busy for truncated JSON."""
    status, url, accept = response.status_code, request.where, request.accept
    if status in (401, 403):
        raise FhirRefused(f"{url}: answered {status}, expected access; check the sign-in and its permissions")
    if 300 <= status < 400:
        raise FhirError(f"{url}: answered {status}, expected FHIR; use the base URL that it redirects to")
    # `read` is for what was asked for; the body of an error is read as a plain JSON object.
    body = (request.read if status < 400 else json_object)(response.content)
    issue = _issue(body) if status >= 400 else ""
    complaint = f"{url}: answered {status}{issue}, expected success; check the base URL and the server's log"
    if status >= 400 and status not in accept:
        raise FhirError(complaint)
    if body is None and status < 400 and status not in accept:
        kind = response.headers.get("Content-Type", "nothing").partition(";")[0]
        if "json" in kind and is_cut(response.content):
            raise Busy(url, "sent truncated JSON")
        if "json" in kind:
            raise FhirError(
                f"{url}: answered with something other than a JSON object, expected FHIR as JSON; check the server"
            )
        what = kind if _CONTENT_TYPE.fullmatch(kind) else "something"
        raise FhirError(f"{url}: answered {what}, expected FHIR as JSON; check the base URL")
    return Answer(url, status, body or {}, complaint, response.headers)


def _issue(body: dict[str, Any] | None) -> str:
    """Returns the code of an OperationOutcome's first issue; the issue's text may name patients."""
    issues = (body or {}).get("issue")
    first = issues[0] if isinstance(issues, list) and issues and isinstance(issues[0], dict) else {}
    return f" ({issue_code(first)})" if "code" in first else ""


def error_codes(issues: Any) -> list[str]:
    """Returns the codes of an OperationOutcome's issues that are errors; the others are warnings and hints."""
    return [issue_code(issue) for issue in dicts(issues) if issue.get("severity") in ("error", "fatal")]


def issue_code(issue: Mapping[str, Any]) -> str:
    """Returns the code of an issue if it is one of R4's; a server may write anything there."""
    code = issue.get("code")
    return code if isinstance(code, str) and _ISSUE_CODE.fullmatch(code) else "a code unknown to R4"


def retry_after(header: str | None) -> float | None:
    """Returns the seconds to wait, from either form of the header; None if the header is missing or unusable."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # a year of twenty digits
        return None
    now = datetime.now(UTC) if until.tzinfo else datetime.now(UTC).replace(tzinfo=None)
    return max(0.0, (until - now).total_seconds())
