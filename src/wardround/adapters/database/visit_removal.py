"""Finds a patient among the visits and the merged numbers, and removes them, in the caller's transaction.

It sees patients' numbers; it never logs.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, delete, select

from wardround.adapters.database.tables import NOTIFICATION, STREAM_ALIAS, STREAM_VISIT
from wardround.adapters.database.visits import Alias
from wardround.adt.known import Kind
from wardround.adt.mentions import Person
from wardround.adt.visit import Visit
from wardround.core.identifier import Identifier

_IN_A_QUERY: Final = 500  # keys


class Forgotten(NamedTuple):
    """How many rows of each kind were removed."""

    visits: int
    merged_numbers: int
    lock_outs: int


def learn(connection: Connection, run: str, person: Person) -> None:
    """Adds to a person the numbers that were merged with theirs, and their visits by all numbers that these had."""
    aliases = [(source, one) for source, _, one in _rows(connection, STREAM_ALIAS, run, Alias)]
    person.numbers |= _joined(person.numbers, [one for _, one in aliases if one.kind is Kind.PATIENT])
    for source, _, visit in _rows(connection, STREAM_VISIT, run, Visit):
        if visit.patient in person.numbers:
            person.visits |= {(source, visit.number), *((source, one.visit) for one in visit.requests)}
    for source in {source for source, _ in person.visits}:
        of_source = [one for name, one in aliases if name == source and one.kind is Kind.VISIT]
        mine = {number for name, number in person.visits if name == source}
        person.visits |= {(source, number) for number in _joined(mine, of_source)}


def forget_person(connection: Connection, run: str, person: Person, told: Collection[str]) -> Forgotten:
    """Removes the visits of a person, the merges of their numbers, and what was last told under the keys `told`."""
    visits = [key for _, key, visit in _rows(connection, STREAM_VISIT, run, Visit) if visit.patient in person.numbers]
    numbers = {(Kind.PATIENT, one) for one in person.numbers} | {(Kind.VISIT, one) for _, one in person.visits}
    aliases = [
        key
        for _, key, one in _rows(connection, STREAM_ALIAS, run, Alias)
        if not numbers.isdisjoint({(one.kind, one.old), (one.kind, one.into)})
    ]
    return Forgotten(
        _removed(connection, STREAM_VISIT, STREAM_VISIT.c.key, visits, STREAM_VISIT.c.run == run),
        _removed(connection, STREAM_ALIAS, STREAM_ALIAS.c.key, aliases, STREAM_ALIAS.c.run == run),
        _removed(connection, NOTIFICATION, NOTIFICATION.c.stay, sorted(told)),
    )


def _joined(numbers: Collection[Identifier], aliases: Collection[Alias]) -> set[Identifier]:
    """Returns the numbers with all that were merged into them, or they into others, however often."""
    found = set(numbers)
    while more := {end for one in aliases if {one.old, one.into} & found for end in (one.old, one.into)} - found:
        found |= more
    return found


def _rows(connection: Connection, table: Table, run: str, kind: Any) -> Iterator[tuple[str, str, Any]]:
    """Yields source, key and content of each row."""
    decoder = msgspec.json.Decoder(kind)
    asked = select(table.c.source, table.c.key, table.c.body).where(table.c.run == run)
    for source, key, body in connection.execute(asked.execution_options(yield_per=1_000)):
        yield source, key, decoder.decode(body)


def _removed(connection: Connection, table: Table, column: Any, keys: list[str], *where: Any) -> int:
    portions = (keys[place : place + _IN_A_QUERY] for place in range(0, len(keys), _IN_A_QUERY))
    return sum(connection.execute(delete(table).where(*where, column.in_(some))).rowcount for some in portions)
