"""Parses a query string: separates criteria for the search tables from parameters that control the result."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from wardround.demo.fhir_server.problems import invalid
from wardround.demo.fhir_server.resource_types import ResourceType

Pair = tuple[str, str]
_DEFAULT_COUNT = 50
DEFAULT_CAP = 10_000

_MOST_DIGITS = 15
_SUMMARIES = ("true", "false", "count", "data", "text")
# Parameters that every server accepts, without a meaning here.
_SILENT = ("_format", "_pretty")


@dataclass(frozen=True)
class Query:
    """A parsed search. `criteria` are (parameter with modifier, value) pairs; `sort` has (parameter, descending)."""

    criteria: tuple[Pair, ...] = ()
    count: int = _DEFAULT_COUNT
    sort: tuple[tuple[str, bool], ...] = ()
    includes: tuple[str, ...] = ()
    revincludes: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    summary: str = "false"
    total: Literal["accurate", "estimate", "none"] = "accurate"
    ignored: tuple[str, ...] = field(default=())

    @property
    def count_only(self) -> bool:
        return self.summary == "count" or self.count == 0


def parsed(pairs: Sequence[Pair], resource_type: ResourceType, cap: int = DEFAULT_CAP) -> Query:
    """Parses the query; raises a 400 Problem for an invalid value. Unknown parameters are listed in `ignored`."""
    query = Query()
    for name, value in pairs:
        if name in _SILENT or not value:
            continue
        query = _with(query, name, value, resource_type)
    return replace(query, count=min(query.count, cap))


def _with(query: Query, name: str, value: str, resource_type: ResourceType) -> Query:
    match name.partition(":")[0]:
        case "_count":
            return replace(query, count=_whole_number(value))
        case "_sort":
            fields = [(part.removeprefix("-"), part.startswith("-")) for part in value.split(",")]
            return replace(query, sort=(*query.sort, *fields))
        case "_include":
            return replace(query, includes=(*query.includes, value))
        case "_revinclude":
            return replace(query, revincludes=(*query.revincludes, value))
        case "_elements":
            return replace(query, elements=(*query.elements, *value.split(",")))
        case "_summary":
            return replace(query, summary=_one_of(name, value, _SUMMARIES))
        case "_total":
            return replace(query, total=_one_of(name, value, ("accurate", "estimate", "none")))  # type: ignore[arg-type]
        case "_id" | "_lastUpdated" | "_has":
            return replace(query, criteria=(*query.criteria, (name, value)))
        case stem if stem.partition(".")[0] in resource_type.parameters:
            return replace(query, criteria=(*query.criteria, (name, value)))
    return replace(query, ignored=(*query.ignored, name))


def _whole_number(value: str) -> int:
    if not value.isdecimal() or len(value) > _MOST_DIGITS:
        raise invalid("_count: not a whole number, or too great a one")
    return int(value)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise invalid(f"{name}: unknown value, expected one of {', '.join(allowed)}")
    return value
