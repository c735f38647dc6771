"""Translates search criteria to an SQL condition on a type's search table. No text of a request goes into the SQL."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from wardround.demo.fhir_server.dates import span
from wardround.demo.fhir_server.problems import invalid
from wardround.demo.fhir_server.query import Pair
from wardround.demo.fhir_server.references import targets_of_value
from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES, Parameter, ResourceType
from wardround.demo.fhir_server.schema import key_in_many
from wardround.demo.fhir_server.session import Session

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_MOST_VALUES = 30_000  # SQLite allows 32,766, and a page needs some itself
_MOST_STEPS = 3
_CUT = re.compile(r"(?<!\\),")


class Condition(NamedTuple):
    """An SQL expression and the values of its placeholders."""

    sql: str
    binds: tuple[object, ...] = ()


_NOTHING = Condition("0")


def condition_of(session: Session, resource_type: ResourceType, criteria: Iterable[Pair], base: str) -> Condition:
    """Returns all criteria as one condition on search_<Type>; raises a 400 Problem for criteria without a meaning."""
    found = _joined("AND", [_criterion(session, resource_type, name, value, base) for name, value in criteria])
    if len(found.binds) > _MOST_VALUES:
        raise invalid(f"search: more than {_MOST_VALUES} values, expected fewer at a time", "too-costly")
    return found


def _criterion(session: Session, resource_type: ResourceType, name: str, value: str, base: str) -> Condition:
    # Each step may lead to any type, so that a long chain means very many searches.
    if name.count(".") + name.count("_has:") > _MOST_STEPS:
        raise invalid(f"{resource_type.name}: more than {_MOST_STEPS} references to follow", "too-costly")
    if name.startswith("_has:"):
        return _has(session, name, value, base)
    if name == "_id":
        return _ids(session, resource_type, _cut(value))
    if name == "_lastUpdated":
        return _joined("OR", [_date("updated", "updated + 1000", part) for part in _cut(value)])
    stem, dot, rest = name.partition(".")
    stem, _, modifier = stem.partition(":")
    parameter = resource_type.parameters.get(stem)
    if parameter is None:
        raise invalid(f"{resource_type.name}: no search parameter {stem[:40]!r}", "not-supported")
    if dot:
        return _chain(session, resource_type, parameter, modifier, rest, value, base)
    return _plain(session, resource_type, parameter, modifier, value, base)


def _plain(
    session: Session, resource_type: ResourceType, parameter: Parameter, modifier: str, value: str, base: str
) -> Condition:
    where = f"{resource_type.name}?{parameter.name}"
    if modifier == "missing":
        return _missing(resource_type, parameter, value)
    parts = _cut(value)
    if modifier == "not" and parameter.kind in ("token", "identifier"):
        found = _plain(session, resource_type, parameter, "", value, base)
        return Condition(f"coalesce(NOT ({found.sql}), 1)", found.binds)
    if modifier and not _fits(modifier, parameter):
        raise invalid(f"{where}: the modifier {modifier[:40]!r} is not supported here", "not-supported")
    column = f'"{parameter.store_name}"'
    match parameter.kind:
        case "token":
            return _in(column, _token_sets(session, parts))
        case "identifier":
            return _joined("OR", [_identifier(resource_type, parameter, part) for part in parts])
        case "reference":
            return _reference(
                session, resource_type, parameter, (modifier,) if modifier else parameter.targets, parts, base
            )
        case "date":
            return _joined("OR", [_date(column, f'"{parameter.store_name}_end"', part) for part in parts])
        case "string":
            return _joined("OR", [_string(column, modifier, part) for part in parts])
        case "number":
            return _joined("OR", [_number(where, "value", part) for part in parts], _within(resource_type, parameter))
        case "quantity":
            return _joined("OR", [_quantity(session, where, parameter, part) for part in parts])


def _fits(modifier: str, parameter: Parameter) -> bool:
    if parameter.kind == "string":
        return modifier in ("exact", "contains")
    return parameter.kind == "reference" and modifier in (parameter.targets or RESOURCE_TYPES)


def _cut(value: str) -> list[str]:
    """Returns the alternatives of a value, which are separated by commas without a backslash before them."""
    return [re.sub(r"\\([,|$\\])", r"\1", part) for part in _CUT.split(value) if part]


def _joined(word: str, conditions: Sequence[Condition], frame: str = "{}") -> Condition:
    """Joins conditions with AND or OR as a balanced tree, because SQLite refuses an expression that is 1,000 deep."""
    if not conditions:
        return Condition("1" if word == "AND" else "0")
    level = list(conditions)
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [
            Condition(
                f"({f' {word} '.join(one.sql for one in pair)})", tuple(bind for one in pair for bind in one.binds)
            )
            for pair in pairs
        ]
    return Condition(frame.format(level[0].sql), level[0].binds)


def _in(column: str, numbers: Iterable[int]) -> Condition:
    listed = ",".join(map(str, sorted(set(numbers))))
    return Condition(f"{column} IN ({listed})") if listed else _NOTHING


def _within(resource_type: ResourceType, parameter: Parameter) -> str:
    """Returns the SQL around a condition on `value` in the table `many`."""
    return f"pk IN (SELECT pk FROM many WHERE parameter = '{key_in_many(resource_type, parameter)}' AND ({{}}))"


def _missing(resource_type: ResourceType, parameter: Parameter, value: str) -> Condition:
    if value not in ("true", "false"):
        raise invalid(f"{resource_type.name}?{parameter.name}:missing: expected true or false")
    if parameter.many or parameter.kind in ("identifier", "number"):
        present = _within(resource_type, parameter).format("1")
    else:
        present = f'"{parameter.store_name}" IS NOT NULL'
    return Condition(f"NOT ({present})" if value == "true" else present)


def _ids(session: Session, resource_type: ResourceType, ids: list[str]) -> Condition:
    return _in("pk", _pks(session, [(resource_type.name, one) for one in ids]))


def _pks(session: Session, targets: Iterable[tuple[str, str]]) -> list[int]:
    sql = "SELECT pk FROM resource WHERE id = ? AND type = ?"
    found = (session.connection.execute(sql, (one, name)).fetchone() for name, one in targets)
    return [row[0] for row in found if row]


def _token_sets(session: Session, parts: list[str]) -> list[int]:
    """Returns the sets with any of the tokens: `code`, `system|code`, `|code` (no system) or `system|` (any code)."""
    found: list[int] = []
    for part in parts:
        system, bar, code = part.rpartition("|")
        if not bar:
            rows = session.connection.execute("SELECT token_set FROM token WHERE code = ?", (code,))
        elif not code:
            rows = session.connection.execute("SELECT token_set FROM token WHERE system = ?", (system,))
        else:
            rows = session.connection.execute(
                "SELECT token_set FROM token WHERE code = ? AND system = ?", (code, system)
            )
        found += [row[0] for row in rows]
    return found


def _identifier(resource_type: ResourceType, parameter: Parameter, part: str) -> Condition:
    frame = _within(resource_type, parameter)
    if part.endswith("|"):
        return Condition(frame.format("value >= ? AND value < ?"), (part, f"{part[:-1]}}}"))
    return Condition(frame.format("value = ?"), (part if "|" in part else f"={part}",))


def _reference(
    session: Session,
    resource_type: ResourceType,
    parameter: Parameter,
    types: tuple[str, ...],
    parts: list[str],
    base: str,
) -> Condition:
    numbers = _pks(session, [target for part in parts for target in targets_of_value(part, types, base)])
    if parameter.many:
        found = _in("value", numbers)
        return Condition(_within(resource_type, parameter).format(found.sql))
    return _in(f'"{parameter.store_name}"', numbers)


def _prefixed(part: str) -> tuple[str, str]:
    match = _PREFIX.fullmatch(part)
    assert match is not None
    return match[1] or "eq", match[2]


def _date(start: str, end: str, part: str) -> Condition:
    """Returns the condition for a prefix (R4 search, 3.1.1.4.7) and a date, on half-open spans.

    `ge` and `le` are also true if the spans overlap.
    """
    prefix, text = _prefixed(part)
    try:
        # An unescaped "+" of a time zone arrives as a space.
        first, last = span(text.replace(" ", "+"), zone_needed=False)
    except ValueError:
        raise invalid("search: not a date, expected ISO 8601, as 2026-01-02T05:00:00Z", "value") from None
    rules: dict[str, Condition] = {
        "eq": Condition(f"({start} >= ? AND {end} <= ?)", (first, last)),
        "ne": Condition(f"({start} < ? OR {end} > ?)", (first, last)),
        "gt": Condition(f"{end} > ?", (last,)),
        "lt": Condition(f"{start} < ?", (first,)),
        "ge": Condition(f"{end} > ?", (first,)),
        "le": Condition(f"{start} < ?", (last,)),
        "sa": Condition(f"{start} >= ?", (last,)),
        "eb": Condition(f"{end} <= ?", (first,)),
        "ap": Condition(f"({start} < ? AND {end} > ?)", (last, first)),
    }
    return rules[prefix]


def _string(column: str, modifier: str, part: str) -> Condition:
    if modifier == "exact":
        return Condition(f"instr({column}, ?)", (f"\x1f{part}\x1f",))
    opening = "" if modifier == "contains" else "\x1f"
    return Condition(f"instr(folded({column}), folded(?))", (f"{opening}{part}",))


def _number(where: str, column: str, part: str) -> Condition:
    """Returns the condition on a number; eq, ne and ap use its implicit range (5.4 means 5.35 to 5.45)."""
    prefix, text = _prefixed(part)
    try:
        number = Decimal(text)
        half = Decimal(5).scaleb(int(number.as_tuple().exponent) - 1)
    except (InvalidOperation, TypeError, ValueError):
        raise invalid(f"{where}: not a number", "value") from None
    if prefix in ("eq", "ne", "ap"):
        half = max(half, abs(number) / 10) if prefix == "ap" else half
        inside = f"({column} >= ? AND {column} < ?)"
        return Condition(f"NOT {inside}" if prefix == "ne" else inside, (float(number - half), float(number + half)))
    sign = {"gt": ">", "lt": "<", "ge": ">=", "le": "<=", "sa": ">", "eb": "<"}[prefix]
    return Condition(f"{column} {sign} ?", (float(number),))


def _quantity(session: Session, where: str, parameter: Parameter, part: str) -> Condition:
    """Returns the condition for `[prefix]number`, `number|system|code` or `number||code`."""
    number, _, unit = part.partition("|")
    amount = _number(where, f'"{parameter.store_name}"', number)
    if not unit:
        return amount
    of_unit = _in(f'"{parameter.store_name}_unit"', _token_sets(session, [unit.removeprefix("|")]))
    return _joined("AND", [amount, of_unit])


def _chain(
    session: Session,
    resource_type: ResourceType,
    parameter: Parameter,
    modifier: str,
    rest: str,
    value: str,
    base: str,
) -> Condition:
    """Returns the condition for a chain such as `location.name=MICU` or `subject:Patient.gender=female`.

    It contains a search of the referenced type.
    """
    if parameter.kind != "reference":
        raise invalid(
            f"{resource_type.name}?{parameter.name}: not a reference, so it cannot be followed", "not-supported"
        )
    wanted = rest.partition(".")[0].partition(":")[0]
    names = (modifier,) if modifier else parameter.targets or tuple(RESOURCE_TYPES)
    types = [RESOURCE_TYPES[name] for name in names if name in RESOURCE_TYPES]
    types = [one for one in types if wanted in one.parameters or wanted in ("_id", "_lastUpdated")]
    if not types:
        raise invalid(f"{resource_type.name}?{parameter.name}.{wanted[:40]}: no such parameter there", "not-supported")
    column = "value" if parameter.many else f'"{parameter.store_name}"'
    frame = _within(resource_type, parameter) if parameter.many else "{}"
    found = []
    for target in types:
        inner = _criterion(session, target, rest, value, base)
        found.append(Condition(f"{column} IN (SELECT pk FROM search_{target.name} WHERE {inner.sql})", inner.binds))
    return _joined("OR", found, frame)


def _has(session: Session, name: str, value: str, base: str) -> Condition:
    """Returns the condition for resources that others refer to.

    `_has:Encounter:patient:status=x`: an Encounter with that status refers to the resource by `patient`.
    """
    parts = name.split(":", 3)
    source = RESOURCE_TYPES.get(parts[1]) if len(parts) == 4 else None
    link = source.parameters.get(parts[2]) if source else None
    if source is None or link is None or link.kind != "reference":
        raise invalid("_has: expected _has:<type>:<reference parameter>:<parameter>", "not-supported")
    inner = _criterion(session, source, parts[3], value, base)
    holders = f"SELECT pk FROM search_{source.name} WHERE {inner.sql}"
    if not link.many:
        return Condition(f'pk IN (SELECT "{link.store_name}" FROM search_{source.name} WHERE {inner.sql})', inner.binds)
    key = key_in_many(source, link)
    return Condition(f"pk IN (SELECT value FROM many WHERE parameter = '{key}' AND pk IN ({holders}))", inner.binds)
