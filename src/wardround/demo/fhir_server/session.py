"""Reads and writes resources in a session on the store, which is one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection
from typing import Any, Literal, NamedTuple

import orjson

from wardround.demo.fhir_server import extraction
from wardround.demo.fhir_server.dates import instant
from wardround.demo.fhir_server.references import Target
from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES, Parameter, ResourceType
from wardround.demo.fhir_server.schema import Plan, plan_of
from wardround.demo.fhir_server.validation import check

_PLANS = {name: plan_of(resource_type) for name, resource_type in RESOURCE_TYPES.items()}

# (position in the search row, value) of each column.
Cells = tuple[tuple[int, Any], ...]


class Row(NamedTuple):
    """One version of a resource; body is None if it was deleted (or, in version 0, was only referred to)."""

    pk: int
    version: int
    updated: int
    body: bytes | None


class Written(NamedTuple):
    """What a write did, and the version that is now current."""

    change: Literal["created", "updated", "unchanged"]
    id: str
    row: Row


class Numbers:
    """A cache, kept between transactions, of the numbers for tokens and targets in the search tables."""

    def __init__(self) -> None:
        self.token_sets: dict[tuple[extraction.Token, ...], int] = _Bounded()
        self.targets: dict[Target, int] = _Bounded()
        self.cells: dict[tuple[str, str, str, str | bytes], Cells] = _Bounded()

    def forget(self) -> None:
        """Empties the cache after a rollback, because some of the numbers may never have been stored."""
        self.token_sets.clear()
        self.targets.clear()
        self.cells.clear()


class _Bounded(dict[Any, Any]):
    """A dict that is emptied when it is full: large enough for a ward's codes and patients, but never large."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) >= 50_000:
            self.clear()
        super().__setitem__(key, value)


class Session:
    """Reads, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def row(self, type_name: str, resource_id: str) -> Row | None:
        """Returns the current version of a resource, deleted or not; None if there never was one."""
        sql = "SELECT pk, version, updated, body FROM resource WHERE id = ? AND type = ?"
        found = self.connection.execute(sql, (resource_id, type_name)).fetchone()
        return Row(*found) if found and found[1] else None

    def past(self, pk: int) -> list[Row]:
        """Returns the versions before the current one, newest first."""
        sql = "SELECT pk, version, updated, body FROM history WHERE pk = ? ORDER BY version DESC"
        return [Row(*found) for found in self.connection.execute(sql, (pk,))]

    def newest_pk(self) -> int:
        """Returns the greatest number given to a resource so far; later resources have greater ones."""
        return int(self.connection.execute("SELECT coalesce(max(pk), 0) FROM resource").fetchone()[0])


class WritingSession(Session):
    """Reads and writes, within one transaction that has the database's write lock from its start.

    `now`, in microseconds since 1970 UTC, is the lastUpdated of everything written in the transaction.
    """

    def __init__(self, connection: Connection, numbers: Numbers, now: int) -> None:
        super().__init__(connection)
        self._numbers = numbers
        self._now = now
        self._instant = instant(now)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A part of the transaction; if it raises, only this part is undone."""
        self.connection.execute("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK TO attempt")
            self._numbers.forget()
            raise
        finally:
            self.connection.execute("RELEASE attempt")

    def put(self, type_name: str, resource_id: str, resource: Any, base: str = "") -> Written:
        """Creates or updates; equal content creates no new version. Raises a Problem for an invalid resource.

        Nothing of an invalid resource is written, so that the caller may continue with the next one.
        """
        resource_type = RESOURCE_TYPES[type_name]
        check(resource, resource_type)
        before = self._any_row(type_name, resource_id)
        if before is not None and before.body is not None and _same(before.body, resource):
            return Written("unchanged", resource_id, before)
        row, repeated = self._indexed(resource_type, resource, base)
        if before is None and (type_name, resource_id) in self._numbers.targets:
            before = self._any_row(type_name, resource_id)  # the resource refers to itself
        version = before.version + 1 if before else 1
        body = orjson.dumps(self._stamped(resource, type_name, resource_id, version))
        if before is None:
            pk = self._insert(type_name, resource_id, version, body)
        else:
            pk = before.pk
            self._replace(before, version, body)
            if before.body is not None:  # else there is nothing to delete, and pk has no index while a store is filled
                self.connection.execute("DELETE FROM many WHERE pk = ?", (pk,))
        self.connection.execute(_PLANS[type_name].insert, [pk, *row])
        if repeated:
            many = [(key, value, pk) for key, value in repeated]
            self.connection.executemany("INSERT OR IGNORE INTO many VALUES (?, ?, ?)", many)
        created = before is None or before.body is None
        return Written("created" if created else "updated", resource_id, Row(pk, version, self._now, body))

    def delete(self, type_name: str, before: Row) -> Row:
        """Deletes a resource by adding a version without a body."""
        self._replace(before, before.version + 1, None)
        self.connection.execute(f"DELETE FROM search_{type_name} WHERE pk = ?", (before.pk,))
        self.connection.execute("DELETE FROM many WHERE pk = ?", (before.pk,))
        return Row(before.pk, before.version + 1, self._now, None)

    def _any_row(self, type_name: str, resource_id: str) -> Row | None:
        sql = "SELECT pk, version, updated, body FROM resource WHERE id = ? AND type = ?"
        found = self.connection.execute(sql, (resource_id, type_name)).fetchone()
        return Row(*found) if found else None

    def _stamped(self, resource: dict[str, Any], type_name: str, resource_id: str, version: int) -> dict[str, Any]:
        meta = {**resource.get("meta", {}), "versionId": str(version), "lastUpdated": self._instant}
        return {"resourceType": type_name, "id": resource_id, **resource, "meta": meta} | {"id": resource_id}

    def _insert(self, type_name: str, resource_id: str, version: int, body: bytes | None) -> int:
        sql = "INSERT INTO resource (type, id, version, updated, body) VALUES (?, ?, ?, ?, ?)"
        pk = self.connection.execute(sql, (type_name, resource_id, version, self._now, body)).lastrowid
        assert pk is not None
        return pk

    def _replace(self, before: Row, version: int, body: bytes | None) -> None:
        if before.version:
            self.connection.execute("INSERT INTO history VALUES (?, ?, ?, ?)", before)
        sql = "UPDATE resource SET version = ?, updated = ?, body = ? WHERE pk = ?"
        self.connection.execute(sql, (version, self._now, body, before.pk))

    def _indexed(
        self, resource_type: ResourceType, resource: dict[str, Any], base: str
    ) -> tuple[list[Any], list[tuple[str, Any]]]:
        """Returns the search row after its pk, and the rows for `many`, from the elements that are present."""
        plan = _PLANS[resource_type.name]
        row: list[Any] = [self._now, *plan.empty]
        for element in resource:
            if element in plan.readers:
                for place, value in self._cells(plan, element, resource, base):
                    row[place - 1] = value
        repeated = [
            (key, value)
            for element in plan.repeated.keys() & resource.keys()
            for key, parameter in plan.repeated[element]
            for value in self._repeated(resource, parameter, base)
        ]
        return row, repeated

    def _cells(self, plan: Plan, element: str, resource: dict[str, Any], base: str) -> Cells:
        """Returns an element's values for the search row; they are cached by its JSON text if it tends to repeat."""
        readers = plan.readers[element]
        if element not in plan.rememberable:
            return self._read_cells(readers, resource, base)
        value = resource[element]
        key = (plan.insert, base, element, value if isinstance(value, str) else orjson.dumps(value))
        cells = self._numbers.cells.get(key)
        if cells is None:
            cells = self._numbers.cells[key] = self._read_cells(readers, resource, base)
        return cells

    def _read_cells(self, readers: list[tuple[int, Parameter]], resource: dict[str, Any], base: str) -> Cells:
        return tuple(
            (place + at, value)
            for place, parameter in readers
            for at, value in enumerate(self._columns(resource, parameter, base))
        )

    def _columns(self, resource: dict[str, Any], parameter: Parameter, base: str) -> tuple[Any, ...]:
        """Returns the values of schema.columns(parameter), in that order."""
        match parameter.kind:
            case "token":
                return (self._token_set(extraction.tokens(resource, parameter)),)
            case "date":
                start, end = extraction.first_span(resource, parameter)
                return end, start
            case "reference" if not parameter.many:
                found = extraction.targets(resource, parameter, base)
                return (self._pk_of(found[0]) if found else None,)
            case "quantity":
                amount, units = extraction.quantity(resource, parameter)
                return amount, self._token_set(units)
            case "string":
                return (extraction.strings(resource, parameter),)
        return ()

    def _repeated(self, resource: dict[str, Any], parameter: Parameter, base: str) -> list[Any]:
        if parameter.kind == "identifier":
            return extraction.identifiers(resource, parameter)
        if parameter.kind == "number":
            return extraction.numbers(resource, parameter)
        return [self._pk_of(target) for target in extraction.targets(resource, parameter, base)]

    def _pk_of(self, target: Target) -> int:
        """Returns the number of a referenced resource; one that does not exist (yet) gets a row of version 0."""
        known = self._numbers.targets
        if target not in known:
            row = self._any_row(*target)
            known[target] = row.pk if row else self._insert(*target, 0, None)
        return known[target]

    def _token_set(self, members: tuple[extraction.Token, ...]) -> int | None:
        if not members:
            return None
        known = self._numbers.token_sets
        if members not in known:
            known[members] = self._stored_token_set(members)
        return known[members]

    def _stored_token_set(self, members: tuple[extraction.Token, ...]) -> int:
        text = orjson.dumps(members).decode()
        found = self.connection.execute("SELECT id FROM token_set WHERE members = ?", (text,)).fetchone()
        if found:
            return int(found[0])
        number = self.connection.execute("INSERT INTO token_set (members) VALUES (?)", (text,)).lastrowid
        assert number is not None
        rows = [(code, system, number) for system, code in members]
        self.connection.executemany("INSERT INTO token VALUES (?, ?, ?)", rows)
        return number


def _same(stored: bytes, resource: dict[str, Any]) -> bool:
    return _contents(orjson.loads(stored)) == _contents(resource)


def _contents(resource: dict[str, Any]) -> dict[str, Any]:
    """Returns what the client wrote, without id, versionId and lastUpdated, and without an empty meta."""
    meta = {key: value for key, value in resource.get("meta", {}).items() if key not in ("versionId", "lastUpdated")}
    rest = {key: value for key, value in resource.items() if key not in ("id", "meta")}
    return {**rest, "meta": meta} if meta else rest
