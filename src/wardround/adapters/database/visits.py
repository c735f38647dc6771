"""Keeps where visits lie, and merged numbers, in the caller's transaction: by keyed hash; only bodies name people.

What is read for some messages is what these need: their visits, and the numbers that their numbers were merged into. It
sees patients' numbers; it never logs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, delete, select

from wardround.adapters.database.kept import Place, Row
from wardround.adapters.database.tables import STREAM_ALIAS, STREAM_VISIT
from wardround.adt.known import Kind, Known, Name
from wardround.adt.visit import Visit
from wardround.core.identifier import Identifier

_IN_A_QUERY: Final = 500  # keys
_DEEPEST: Final = 1_000  # merges of merges


class Keys(NamedTuple):
    """Where the visits of a source are kept: in a run, under keyed hashes that `hashed` makes."""

    run: str
    source: str
    hashed: Callable[[str, str, Identifier], str]

    def of(self, name: Name) -> str:
        """Returns the key of a visit or a number of this source."""
        return self.hashed(self.source, name.kind.value, name.identifier)

    def place(self, table: Table, name: Name) -> Place:
        """Returns where the row of a visit or a number of this source is kept."""
        return Place(table, (self.run, self.of(name)))


class Alias(msgspec.Struct, frozen=True):
    """A number that was merged into another one."""

    kind: Kind
    old: Identifier
    into: Identifier


_VISIT: Final = msgspec.json.Decoder(Visit)
_ALIAS: Final = msgspec.json.Decoder(Alias)


def known_of(connection: Connection, keys: Keys, names: Iterable[Name]) -> Known:
    """Returns what is known of these names, of all that they were merged into, and of the patients of their visits."""
    aliases: dict[Name, Identifier | None] = {}
    wanted = set(names)
    _follow(connection, keys, wanted, aliases)
    numbers = {name for name in wanted | _targets(aliases) if name.kind is Kind.VISIT}
    bodies = _bodies(connection, STREAM_VISIT, keys, numbers)
    visits: dict[Identifier, Visit | None] = {visit.number: visit for visit in map(_VISIT.decode, bodies)}
    patients = {Name(Kind.PATIENT, visit.patient) for visit in visits.values() if visit}
    _follow(connection, keys, patients - wanted - _targets(aliases), aliases)
    return Known(visits, aliases, {})


def kept(
    keys: Keys,
    visits: Mapping[Identifier, Visit | None],
    aliases: Mapping[Name, Identifier | None],
    changed: datetime,
) -> dict[Place, Row | None]:
    """Returns the rows of what a message changed, None for what it removed; `changed` is when it was received."""
    common = {"source": keys.source, "changed": changed}
    rows: dict[Place, Row | None] = {}
    for number, visit in visits.items():
        body = {"is_open": visit.is_open, "body": msgspec.json.encode(visit)} if visit is not None else None
        rows[keys.place(STREAM_VISIT, Name(Kind.VISIT, number))] = body and {**common, **body}
    for name, into in aliases.items():
        merge = {"body": msgspec.json.encode(Alias(name.kind, name.identifier, into))} if into is not None else None
        rows[keys.place(STREAM_ALIAS, name)] = merge and {**common, **merge}
    return rows


def census_of(connection: Connection, run: str, source: str) -> Known:
    """Returns the visits of a source that go on, and the merges of its patients."""
    visit, alias = STREAM_VISIT.c, STREAM_ALIAS.c
    going_on = select(visit.body).where(visit.run == run, visit.source == source, visit.is_open)
    merges = select(alias.body).where(alias.run == run, alias.source == source)
    visits = (_VISIT.decode(body) for body in connection.execute(going_on).scalars())
    found = (_ALIAS.decode(body) for body in connection.execute(merges).scalars())
    return Known(
        {one.number: one for one in visits},
        {Name(one.kind, one.old): one.into for one in found if one.kind is Kind.PATIENT},
        {},
    )


def forget(connection: Connection, before: datetime) -> int:
    """Removes visits that are over and that no message changed since `before`; returns how many.

    A later message about one of them is taken for the first of its visit. Merges are kept: systems go on writing an old
    number for years.
    """
    visit = STREAM_VISIT.c
    return connection.execute(delete(STREAM_VISIT).where(visit.changed < before, ~visit.is_open)).rowcount


def has_foreign_keys(connection: Connection, keys: Keys) -> bool:
    """Returns whether visits of this source were kept under the hashes of another installation's key."""
    visit = STREAM_VISIT.c
    asked = select(visit.key, visit.body).where(visit.run == keys.run, visit.source == keys.source).limit(1)
    found = connection.execute(asked).first()
    return found is not None and keys.of(Name(Kind.VISIT, _VISIT.decode(found.body).number)) != found.key


def _follow(connection: Connection, keys: Keys, names: set[Name], aliases: dict[Name, Identifier | None]) -> None:
    """Adds the merges of these names, and of what they lead to."""
    seen, asked = set(names), set(names)
    for _ in range(_DEEPEST):
        if not asked:
            return
        found = [_ALIAS.decode(body) for body in _bodies(connection, STREAM_ALIAS, keys, asked)]
        aliases |= {Name(one.kind, one.old): one.into for one in found}
        asked = {Name(one.kind, one.into) for one in found} - seen
        seen |= asked


def _targets(aliases: Mapping[Name, Identifier | None]) -> set[Name]:
    return {Name(name.kind, into) for name, into in aliases.items() if into is not None}


def _bodies(connection: Connection, table: Table, keys: Keys, names: Iterable[Name]) -> Iterator[bytes]:
    hashes = sorted(keys.of(name) for name in names)
    for place in range(0, len(hashes), _IN_A_QUERY):
        mine = (table.c.run == keys.run, table.c.key.in_(hashes[place : place + _IN_A_QUERY]))
        yield from connection.execute(select(table.c.body).where(*mine)).scalars()
