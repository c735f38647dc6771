"""Reads the feedback of an EHR: what clinicians did with cards.

A card without a suggestion can only be overridden; what is accepted are its suggestions. A comment is free text of a
clinician's: it goes to whoever keeps it, and nowhere else.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, cast
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from wardround.cds.hook_request import decoded
from wardround.cds.keeping import Feedback
from wardround.cds.problems import Problem

_MOST: Final = 1_000  # in one body
_Code = Annotated[str, Meta(min_length=1, max_length=1_000)]


class _Coding(Struct, frozen=True):
    code: _Code
    system: _Code | None = None


class _OverrideReason(Struct, frozen=True, rename="camel"):
    reason: _Coding | None = None
    user_comment: Annotated[str, Meta(max_length=20_000)] | None = None


class _Suggestion(Struct, frozen=True):
    id: _Code


class _One(Struct, frozen=True, rename="camel"):
    card: UUID
    outcome: Annotated[str, Meta(pattern="^(accepted|overridden)$")]
    outcome_timestamp: Annotated[datetime, Meta(tz=True)]
    accepted_suggestions: list[_Suggestion] | None = None
    override_reason: _OverrideReason | None = None


class _Body(Struct, frozen=True):
    feedback: Annotated[list[_One], Meta(min_length=1, max_length=_MOST)]


_BODY: Final = msgspec.json.Decoder(_Body)


def feedback_in(body: bytes) -> list[Feedback]:
    """Returns the feedback in a body. Raises Problem (400) if any of it breaks a rule of CDS Hooks."""
    read: _Body = decoded(_BODY, body, "the body")
    return [_feedback(one, f"feedback[{place}]") for place, one in enumerate(read.feedback)]


def _feedback(one: _One, where: str) -> Feedback:
    if (one.outcome == "accepted") != bool(one.accepted_suggestions):
        raise Problem(
            400,
            f"{where}: acceptedSuggestions belongs to the outcome accepted, which cannot be without; a card that has no"
            " suggestion can only be overridden",
        )
    if one.override_reason is not None and one.outcome != "overridden":
        raise Problem(400, f"{where}: overrideReason belongs to the outcome overridden; leave it out")
    try:
        at = one.outcome_timestamp.astimezone(UTC)
    except OverflowError:
        raise Problem(400, f"{where}: outcomeTimestamp is outside the years 1 to 9999; send the time in UTC") from None
    override = one.override_reason or _OverrideReason()
    reason = override.reason
    return Feedback(
        card=str(one.card),
        outcome=cast(Literal["accepted", "overridden"], one.outcome),
        suggestions=tuple(suggestion.id for suggestion in one.accepted_suggestions or ()),
        reason=None if reason is None else (reason.system or "", reason.code),
        at=at,
        comment=override.user_comment or "",
    )
