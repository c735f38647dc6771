"""Answers a search with a searchset Bundle as bytes; stored resources are copied into it without parsing."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from wardround.demo.fhir_server.criteria import Condition, condition_of
from wardround.demo.fhir_server.paging import Place, place_of, token_of
from wardround.demo.fhir_server.problems import invalid, operation_outcome
from wardround.demo.fhir_server.query import DEFAULT_CAP, Pair, Query, parsed
from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES, ResourceType
from wardround.demo.fhir_server.schema import key_in_many
from wardround.demo.fhir_server.session import Session
from wardround.demo.fhir_server.subset import subset

_SORTABLE = ("date", "quantity", "string")
_LOWEST = -(2**63)


class _SortKey(NamedTuple):
    sql: str
    descending: bool


class _Match(NamedTuple):
    keys: tuple[Any, ...]
    id: str
    body: bytes

    @property
    def pk(self) -> int:
        return int(self.keys[-1])


def search(
    session: Session,
    resource_type: ResourceType,
    pairs: Sequence[Pair],
    base: str,
    strict: bool,
    cap: int = DEFAULT_CAP,
) -> bytes:
    """Returns one page of a search, with included resources, its total and the link to the next page."""
    place = _place(session, pairs)
    query = parsed(place.pairs, resource_type, cap)
    if query.ignored and strict:
        raise invalid(f"{resource_type.name}: unknown search parameter {query.ignored[0][:40]!r}", "not-supported")
    found = condition_of(session, resource_type, query.criteria, base)
    if query.count_only:
        return _bundle(base, resource_type, place._replace(total=_total(session, resource_type, found)), [], None)
    matches = _matches(session, resource_type, query, found, place)
    more = len(matches) > query.count
    matches = matches[: query.count]
    if place.after is None and query.total != "none":
        place = place._replace(total=_total(session, resource_type, found) if more else len(matches))
    entries = [*_matched(base, resource_type, query, matches), *_included(session, base, resource_type, query, matches)]
    entries += [_warning(name) for name in query.ignored]
    return _bundle(base, resource_type, place, entries, matches[-1].keys if more else None)


def matching(session: Session, resource_type: ResourceType, pairs: Sequence[Pair], base: str) -> list[str]:
    """Returns the ids, at most two, that match the criteria of a conditional request.

    Raises a Problem for a request without criteria or with unknown ones.
    """
    query = parsed(pairs, resource_type)
    if query.ignored or not query.criteria:
        raise invalid(f"{resource_type.name}: a conditional request with unknown or no criteria", "not-supported")
    found = condition_of(session, resource_type, query.criteria, base)
    sql = f"SELECT id FROM resource WHERE pk IN (SELECT pk FROM search_{resource_type.name} WHERE {found.sql} LIMIT 2)"
    return [row[0] for row in session.connection.execute(sql, found.binds)]


def _place(session: Session, pairs: Sequence[Pair]) -> Place:
    for name, value in pairs:
        if name == "_page":
            return place_of(value)
    return Place(tuple(pairs), None, session.newest_pk(), None)


def _total(session: Session, resource_type: ResourceType, found: Condition) -> int:
    sql = f"SELECT count(*) FROM search_{resource_type.name} WHERE {found.sql}"
    return int(session.connection.execute(sql, found.binds).fetchone()[0])


def _matches(
    session: Session, resource_type: ResourceType, query: Query, found: Condition, place: Place
) -> list[_Match]:
    """Returns the matches of a page, and one more if there is one."""
    keys = [*_sort_keys(resource_type, query), _SortKey("pk", descending=False)]
    wheres, binds = [found.sql, "pk <= ?"], [*found.binds, place.newest]
    if place.after is not None:
        beyond = _beyond(keys, place.after)
        wheres.append(beyond.sql)
        binds += beyond.binds
    named = ", ".join(f"{key.sql} AS key{at}" for at, key in enumerate(keys))
    order = ", ".join(f"key{at}{' DESC' if key.descending else ''}" for at, key in enumerate(keys))
    page = (
        f"SELECT {named} FROM search_{resource_type.name}"
        f" WHERE {' AND '.join(wheres)} ORDER BY {order} LIMIT {query.count + 1}"
    )
    pk = f"key{len(keys) - 1}"
    sql = f"SELECT resource.id, body, page.* FROM ({page}) AS page CROSS JOIN resource ON resource.pk = {pk}"
    rows = session.connection.execute(sql, binds)
    return [_Match(row[2:], row[0], row[1]) for row in rows]


def _sort_keys(resource_type: ResourceType, query: Query) -> Iterator[_SortKey]:
    """Yields the sort keys. Missing values sort first, in descending order last."""
    for name, descending in query.sort:
        parameter = resource_type.parameters.get(name)
        if name == "_lastUpdated":
            yield _SortKey("updated", descending)
        elif name == "_id":
            yield _SortKey(f"(SELECT id FROM resource WHERE pk = search_{resource_type.name}.pk)", descending)
        elif parameter is not None and parameter.kind in _SORTABLE:
            column = f'"{parameter.store_name}"'
            text = parameter.kind == "string"
            yield _SortKey(f"coalesce(folded({column}), '')" if text else f"coalesce({column}, {_LOWEST})", descending)
        else:
            raise invalid(
                f"{resource_type.name}: _sort by {name[:40]!r} is not supported, expected a date, text or number"
            )


def _beyond(keys: list[_SortKey], after: tuple[Any, ...]) -> Condition:
    """Returns the condition for rows that sort after the keys `after`.

    The first key is greater, or the first is equal and the second is greater, and so on.
    """
    if len(after) != len(keys):
        raise invalid("_page: does not fit its search")
    steps: list[str] = []
    binds: list[Any] = []
    for at, key in enumerate(keys):
        equal = [f"{before.sql} = ?" for before in keys[:at]]
        steps.append(" AND ".join([*equal, f"{key.sql} {'<' if key.descending else '>'} ?"]))
        binds += after[: at + 1]
    return Condition(f"({' OR '.join(f'({step})' for step in steps)})", tuple(binds))


def _matched(base: str, resource_type: ResourceType, query: Query, matches: list[_Match]) -> Iterator[dict[str, Any]]:
    cut = query.elements or query.summary in ("true", "data", "text")
    mode = {"mode": "match"}
    for match in matches:
        body = subset(match.body, resource_type, query.elements, query.summary) if cut else match.body
        yield {
            "fullUrl": f"{base}/{resource_type.name}/{match.id}",
            "resource": orjson.Fragment(body),
            "search": mode,
        }


def _included(
    session: Session, base: str, resource_type: ResourceType, query: Query, matches: list[_Match]
) -> Iterator[dict[str, Any]]:
    """Returns what the matches refer to (_include) and what refers to them (_revinclude), without duplicates."""
    if not matches or not (query.includes or query.revincludes):
        return
    pks = [match.pk for match in matches]
    wanted: set[int] = set()
    for text in query.includes:
        wanted.update(_referred(session, resource_type, text, pks))
    for text in query.revincludes:
        wanted.update(_referring(session, text, pks))
    listed = ",".join(map(str, sorted(wanted.difference(pks))))
    sql = f"SELECT type, id, body FROM resource WHERE pk IN ({listed}) AND body IS NOT NULL"
    for type_name, resource_id, body in session.connection.execute(sql):
        yield {
            "fullUrl": f"{base}/{type_name}/{resource_id}",
            "resource": orjson.Fragment(body),
            "search": {"mode": "include"},
        }


def _referred(session: Session, resource_type: ResourceType, text: str, pks: list[int]) -> Iterator[int]:
    source, parameters, target = _inclusion(text, "_include")
    if source.name != resource_type.name:
        return
    listed = ",".join(map(str, pks))
    for parameter in parameters:
        if parameter.many:
            key = key_in_many(source, parameter)
            inner = f"SELECT value FROM many WHERE parameter = '{key}' AND pk IN ({listed})"
        else:
            inner = f'SELECT "{parameter.store_name}" FROM search_{source.name} WHERE pk IN ({listed})'
        yield from _of_types(session, inner, (target,) if target else parameter.targets)


def _referring(session: Session, text: str, pks: list[int]) -> Iterator[int]:
    source, parameters, _ = _inclusion(text, "_revinclude")
    listed = ",".join(map(str, pks))
    for parameter in parameters:
        if parameter.many:
            key = key_in_many(source, parameter)
            sql = f"SELECT pk FROM many WHERE parameter = '{key}' AND value IN ({listed})"
        else:
            sql = f'SELECT pk FROM search_{source.name} WHERE "{parameter.store_name}" IN ({listed})'
        yield from (row[0] for row in session.connection.execute(sql))


def _of_types(session: Session, pks: str, types: Iterable[str]) -> Iterator[int]:
    names = ", ".join(f"'{name}'" for name in types if name in RESOURCE_TYPES)
    of_types = f" AND type IN ({names})" if names else ""
    yield from (row[0] for row in session.connection.execute(f"SELECT pk FROM resource WHERE pk IN ({pks}){of_types}"))


def _inclusion(text: str, word: str) -> tuple[ResourceType, list[Any], str]:
    """Parses `Encounter:subject:Patient`, or `Encounter:*` for every reference: type, parameters and target type."""
    type_name, _, rest = text.partition(":")
    name, _, target = rest.partition(":")
    source = RESOURCE_TYPES.get(type_name)
    references = [one for one in source.parameters.values() if one.kind == "reference"] if source else []
    chosen = [one for one in references if name in (one.name, "*")]
    if source is None or not chosen:
        raise invalid(f"{word}: expected <type>:<reference parameter>", "not-supported")
    return source, chosen, target


def _warning(name: str) -> dict[str, Any]:
    text = f"unknown search parameter {name[:40]!r} was ignored"
    outcome = operation_outcome("warning", "not-supported", text)
    return {"resource": orjson.Fragment(outcome), "search": {"mode": "outcome"}}


def _bundle(
    base: str, resource_type: ResourceType, place: Place, entries: list[dict[str, Any]], last: tuple[Any, ...] | None
) -> bytes:
    # The self link leaves out the criteria: they may contain identifiers, and links end up in logs.
    links = [{"relation": "self", "url": f"{base}/{resource_type.name}"}]
    if last is not None:
        token = token_of(place._replace(after=last))
        links.append({"relation": "next", "url": f"{base}/{resource_type.name}?_page={token}"})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if place.total is not None:
        bundle["total"] = place.total
    if entries:
        bundle["entry"] = entries
    return orjson.dumps(bundle)
