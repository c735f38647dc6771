"""Defines the SQLite tables, derived from the table of resource types.

resource      one row per (type, id) that exists, existed (body NULL, version > 0) or is only referred to (version 0)
history       the versions before the current one
search_<Type> one row per resource: its parameters' values, as integers if possible; narrow, so that scans are fast
token_set     each distinct combination of codings once; a token column contains its number. token: its members
many          values that repeat within a resource, or are unique to it: references, identifiers, numbers
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES, Parameter, ResourceType

TABLES = """
CREATE TABLE IF NOT EXISTS resource (
    pk INTEGER PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, updated INTEGER NOT NULL,
    body BLOB, UNIQUE (id, type));
CREATE TABLE IF NOT EXISTS history (
    pk INTEGER NOT NULL, version INTEGER NOT NULL, updated INTEGER NOT NULL, body BLOB,
    PRIMARY KEY (pk, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token_set (id INTEGER PRIMARY KEY, members TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS token (
    code TEXT NOT NULL, system TEXT NOT NULL, token_set INTEGER NOT NULL,
    PRIMARY KEY (code, system, token_set)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS many (
    parameter TEXT NOT NULL, value NOT NULL, pk INTEGER NOT NULL,
    PRIMARY KEY (parameter, value, pk)) WITHOUT ROWID;
"""


def columns(parameter: Parameter) -> tuple[str, ...]:
    """Returns a parameter's columns in its type's search table; none if `many` or another one's columns store it."""
    name = f'"{parameter.store_name}"'
    if parameter.stored or parameter.many or parameter.kind in ("identifier", "number"):
        return ()
    if parameter.kind == "date":
        # End before start: see the indexes of Observation.
        return f'"{parameter.store_name}_end"', name
    if parameter.kind == "quantity":
        return name, f'"{parameter.store_name}_unit"'
    return (name,)


def create_tables() -> str:
    """Returns the script that creates every missing table."""
    made = [TABLES]
    for resource_type in RESOURCE_TYPES.values():
        names = ["pk INTEGER PRIMARY KEY", "updated INTEGER NOT NULL", *_all_columns(resource_type)]
        made.append(f"CREATE TABLE IF NOT EXISTS search_{resource_type.name} ({', '.join(names)});")
    return "\n".join(made)


def create_indexes() -> str:
    """Returns the script that creates every missing index; run after a bulk load, because sorting once is faster."""
    made = [f"CREATE INDEX IF NOT EXISTS {name} ON {place};" for name, place in _indexes()]
    return "\n".join(made)


def drop_indexes() -> str:
    """Returns the script that removes what create_indexes() creates."""
    return "\n".join(f"DROP INDEX IF EXISTS {name};" for name, _ in _indexes())


@dataclass(frozen=True)
class Plan:
    """How a resource becomes a row of its search table.

    Attributes:
        insert: the statement; its placeholders are pk, updated and the columns.
        empty: the columns of a resource without any searchable element.
        readers: element -> the parameters that read it, each with the position of its first column in the whole row.
        repeated: element -> the parameters whose values go into `many`, each with its key there.
        rememberable: elements that determine their columns alone and tend to repeat, so that these can be cached.
    """

    insert: str
    empty: tuple[None, ...]
    readers: dict[str, list[tuple[int, Parameter]]]
    repeated: dict[str, list[tuple[str, Parameter]]]

    @cached_property
    def rememberable(self) -> frozenset[str]:
        return frozenset(
            element
            for element, readers in self.readers.items()
            if all(parameter.kind in ("token", "reference", "date") for _, parameter in readers)
        )


def plan_of(resource_type: ResourceType) -> Plan:
    """Returns the plan of a type."""
    readers: dict[str, list[tuple[int, Parameter]]] = {}
    repeated: dict[str, list[tuple[str, Parameter]]] = {}
    place = 2
    for parameter in resource_type.parameters.values():
        width = len(columns(parameter))
        for element in {path[0] for path in parameter.paths}:
            if width:
                readers.setdefault(element, []).append((place, parameter))
            else:
                repeated.setdefault(element, []).append((key_in_many(resource_type, parameter), parameter))
        place += width
    marks = ", ".join("?" * place)
    insert = f"INSERT OR REPLACE INTO search_{resource_type.name} VALUES ({marks})"
    return Plan(insert, (None,) * (place - 2), readers, repeated)


def key_in_many(resource_type: ResourceType, parameter: Parameter) -> str:
    """Returns the key of a parameter in the table `many`."""
    return f"{resource_type.name}.{parameter.store_name}"


def _all_columns(resource_type: ResourceType) -> list[str]:
    return [column for parameter in resource_type.parameters.values() for column in columns(parameter)]


def _indexes() -> Iterator[tuple[str, str]]:
    """Yields name and place (table and columns) of each index."""
    yield "many_pk", "many (pk, parameter)"
    for resource_type in RESOURCE_TYPES.values():
        for names in (("updated",), *resource_type.indexes):
            of_index = [column for name in names for column in _indexed(resource_type, name)]
            label = "_".join([resource_type.name, *(column.strip('"') for column in of_index)])
            yield f'"{label}"', f"search_{resource_type.name} ({', '.join(of_index)})"


def _indexed(resource_type: ResourceType, name: str) -> tuple[str, ...]:
    return columns(resource_type.parameters[name]) if name in resource_type.parameters else (name,)
