"""A dry run of a source's settings on the messages of files: who would be flagged, and why the others are not.

Nothing is stored, and nothing that a message says is shown: only its place, rules, and names of branches.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from wardround.adt.admissions import Watch, Watches, is_watched
from wardround.adt.feed import Feed
from wardround.adt.known import Known
from wardround.adt.transitions import DEAD, DONE, IGNORED, LATE, Change, changes
from wardround.hl7.reader import read
from wardround.hl7.refused import Hl7Error
from wardround.spec.branches import Branch
from wardround.stream.files import FiledMessage

FLAGGED: Final = "flagged"
NO_BRANCH: Final = "newly admitted, but no branch asks about this unit and class"
NOT_WATCHED: Final = "the unit is not watched, or the class is not wanted"
THERE_ALREADY: Final = "in a watched unit already"
FIRST_SEEN: Final = "in a watched unit, but first named by an update"
OVER: Final = "the visit is over"
NO_MOVE: Final = "no visit is moved by it"
_WITHOUT_REMARK: Final = {IGNORED: "the event changes nothing", LATE: "it happened before what is known"}

# Who would be flagged by a branch that asks about everybody whom the source watches.
_ANY: Final = ""
_WATCHES_ALL: Final = {_ANY: Watch(Branch(id="any"), timedelta())}
_EVENT: Final = re.compile(r"[A-Z]\d\d")


class Finding(NamedTuple):
    """What would become of a message.

    Attributes:
        place: where it is, such as `a.hl7: message 3`.
        event: MSH-9.2 if that looks like an event, else "".
        outcome: flagged; done, late, ignored or dead as the flag stage says; refused if it is not taken at all.
        why: for whom it is flagged, or the rule and the place by which it is not; "" if the outcome says it.
    """

    place: str
    event: str
    outcome: str
    why: str


def findings(
    messages: Iterable[FiledMessage], feed: Feed, watches: Watches, charset: str | None, received: datetime
) -> Iterator[Finding]:
    """Yields what would become of each message, if they arrived now, one after the other, with nothing known before."""
    known = Known.nothing()
    for number, one in enumerate(messages, 1):
        if one.refusal:
            yield Finding(one.place, "", "refused", one.refusal)
            continue
        try:
            message = read(one.body, charset)
        except Hl7Error as error:
            yield Finding(one.place, "", DEAD, f"{error.rule} {error.place}")
            continue
        change = changes(message, known, feed, {**watches, **_WATCHES_ALL}, received, number)
        event = message.event if _EVENT.fullmatch(message.event) else ""
        yield Finding(one.place, event, *_said(change, feed, known))
        known.apply(change.visits, change.aliases)


def _said(change: Change, feed: Feed, known: Known) -> tuple[str, str]:
    branches = sorted({one.request.branch for one in change.admissions} - {_ANY})
    if branches:
        return FLAGGED, ", ".join(branches)
    if change.admissions:
        return DONE, NO_BRANCH
    if change.outcome == DONE:
        return DONE, _not_flagged(change, feed, known)
    return change.outcome, ", ".join(change.remarks) or _WITHOUT_REMARK.get(change.outcome, "")


def _not_flagged(change: Change, feed: Feed, known: Known) -> str:
    after = [one for one in change.visits.values() if one is not None]
    if not after:
        return NO_MOVE
    if not any(one.is_open for one in after):
        return OVER
    if not any(is_watched(one.location, one.visit_class, feed) for one in after):
        return NOT_WATCHED
    return THERE_ALREADY if any(known.visit(one.number) for one in after) else FIRST_SEEN


class Counted(NamedTuple):
    """Messages of which the same is to be said, and the place of the first."""

    messages: int
    first: str


def counted(found: Iterable[Finding]) -> Mapping[tuple[str, str], Counted]:
    """Returns how many messages became what, by outcome and reason; those of most messages first."""
    counts: dict[tuple[str, str], Counted] = {}
    for one in found:
        before = counts.get(one[2:], Counted(0, one.place))
        counts[one[2:]] = before._replace(messages=before.messages + 1)
    return dict(sorted(counts.items(), key=lambda item: -item[1].messages))
