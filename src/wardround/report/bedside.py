"""Describes what the bedside door showed lately, and what clinicians did with it, for a section of the report.

There is no patient in it. What was done with few cards is not shown: it could tell what one clinician did.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from wardround.core.account import Account
from wardround.report.report_words import count
from wardround.results.bands import HIGH, MODERATE

DAYS: Final = 30
"""How many days before the prediction time of a run its report looks back."""
INFO: Final = "info"
"""Cards that alert nobody: a risk that was shown before, a low one, or why there is no score."""
ANOTHER_REASON: Final = "Another reason"
_ENOUGH: Final = 10  # cards
_GROUPS: Final = {HIGH: "High", MODERATE: "Moderate", INFO: "Info cards"}

Outcome = Literal["accepted", "overridden"]


class Given(Account):
    """The last feedback of some cards of a group.

    Attributes:
        group: high or moderate for alerts, or INFO.
        outcome: what was done with the cards.
        reason: why they were set aside, as the EHR shows it; "" if no reason was chosen.
        cards: how many.
    """

    group: str = ""
    outcome: Outcome = "overridden"
    reason: str = ""
    cards: int = 0


class BedsideUse(Account):
    """What was shown and heard at the bedside for a condition, in the days before a run.

    Attributes:
        shown: cards by group.
        given: feedback on them; each card counts once.
        unknown: feedback on cards that are not known.
    """

    shown: Mapping[str, int] = {}
    given: tuple[Given, ...] = ()
    unknown: int = 0


@dataclass(frozen=True)
class Row:
    """Cards of a group; what became of them is None where they are few."""

    group: str
    shown: int
    accepted: int | None
    reasoned: int | None
    dismissed: int | None


@dataclass(frozen=True)
class BedsideFacts:
    """The section. `reasons` are those of all groups that are broken down together, the most frequent first."""

    days: int
    rows: tuple[Row, ...]
    reasons: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]


def bedside_facts(use: BedsideUse) -> BedsideFacts:
    """Returns the section for a condition that was used at the bedside."""
    reasons: dict[str, int] = {}
    for one in use.given:
        # Reasons of a group that is not broken down could be found as the difference to those of the others.
        if one.reason and _is_enough(one.group, use):
            reasons[one.reason] = reasons.get(one.reason, 0) + one.cards
    enough = sum(reasons.values()) >= _ENOUGH
    return BedsideFacts(
        days=DAYS,
        rows=tuple(_row(group, use) for group in _GROUPS if use.shown.get(group)),
        reasons=tuple(sorted(reasons.items(), key=lambda one: (-one[1], one[0]))) if enough else (),
        notes=tuple(_notes(use, bool(reasons) and not enough)),
    )


def _row(group: str, use: BedsideUse) -> Row:
    if not _is_enough(group, use):
        return Row(_GROUPS[group], use.shown[group], None, None, None)
    given = [one for one in use.given if one.group == group]
    return Row(
        group=_GROUPS[group],
        shown=use.shown[group],
        accepted=sum(one.cards for one in given if one.outcome == "accepted"),
        reasoned=sum(one.cards for one in given if one.outcome == "overridden" and one.reason),
        dismissed=sum(one.cards for one in given if one.outcome == "overridden" and not one.reason),
    )


def _is_enough(group: str, use: BedsideUse) -> bool:
    return sum(one.cards for one in use.given if one.group == group) >= _ENOUGH


def _notes(use: BedsideUse, few_reasons: bool) -> Iterator[str]:
    yield (
        "Each card counts once, with the last that was said of it. A card without a suggestion cannot be accepted, and"
        f" one that was only read leaves no trace. What was said of fewer than {_ENOUGH} cards is not shown."
    )
    if few_reasons:
        yield f"Reasons were chosen for fewer than {_ENOUGH} cards, and are not shown."
    if use.unknown:
        messages = "1 message was" if use.unknown == 1 else f"{count(use.unknown)} messages were"
        yield f"{messages} about cards that are not known: they were shown while the database was down, or by others."
