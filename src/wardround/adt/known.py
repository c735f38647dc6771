"""What is known before a message: the visits and the numbers that it names, and what one message changes of them."""

from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self

from wardround.adt.visit import Visit
from wardround.core.identifier import Identifier


class Kind(StrEnum):
    """What a number names. A patient and a visit may have the same one."""

    PATIENT = "patient"
    VISIT = "visit"


class Name(NamedTuple):
    """A number of a patient or a visit."""

    kind: Kind
    identifier: Identifier


Visits = MutableMapping[Identifier, Visit | None]
Aliases = MutableMapping[Name, Identifier | None]


class Known:
    """Visits by number, and what numbers were merged into; None where there is nothing any more.

    `scores` says of a branch's request (message, branch) the prediction time of its last score.
    """

    def __init__(self, visits: Visits, aliases: Aliases, scores: Mapping[tuple[int, str], datetime]) -> None:
        self.visits = visits
        self.aliases = aliases
        self.scores = scores

    @classmethod
    def nothing(cls) -> Self:
        """Returns what is known before the first message."""
        return cls({}, {}, {})

    def draft(self) -> "Draft":
        """Returns the same, to be changed by one message without changing this."""
        return Draft(self)

    def remaining(self, kind: Kind, identifier: Identifier) -> Identifier:
        """Returns the number that is used now for one that may have been merged, however often."""
        seen = {identifier}
        while (after := self.aliases.get(Name(kind, identifier))) is not None and after not in seen:
            identifier = after
            seen.add(after)
        return identifier

    def visit(self, number: Identifier) -> Visit | None:
        """Returns the state of a visit, also by an earlier number."""
        return self.visits.get(self.remaining(Kind.VISIT, number))

    def is_same_patient(self, one: Identifier, other: Identifier) -> bool:
        """Returns whether two numbers are one patient's."""
        return self.remaining(Kind.PATIENT, one) == self.remaining(Kind.PATIENT, other)

    def apply(self, visits: Visits, aliases: Aliases) -> None:
        """Makes the changes of a message known to the next one."""
        self.visits.update(visits)
        self.aliases.update(aliases)


class Draft(Known):
    """What is known while one message changes it; `changed_visits` and `changed_aliases` are its changes."""

    def __init__(self, known: Known) -> None:
        self.changed_visits: dict[Identifier, Visit | None] = {}
        self.changed_aliases: dict[Name, Identifier | None] = {}
        super().__init__(
            ChainMap(self.changed_visits, known.visits),
            ChainMap(self.changed_aliases, known.aliases),
            known.scores,
        )

    def keep(self, visit: Visit) -> None:
        """Keeps a state under the visit's number."""
        self.visits[visit.number] = visit

    def merge(self, kind: Kind, old: Identifier, new: Identifier) -> bool:
        """Makes `old` another name of `new`; returns False if it is one already, or the same.

        Where `new` was itself merged into `old` before, the later message counts: `new` remains.
        """
        if old == new or self.aliases.get(Name(kind, old)) == new:
            return False
        if self.remaining(kind, new) == old:
            self.aliases[Name(kind, new)] = None
        if self.remaining(kind, old) == self.remaining(kind, new):
            return False
        self.aliases[Name(kind, old)] = new
        return True
