"""The rules of CDS Hooks 2.0 that what a service answers must keep to: its shapes, invariants, and no blank values.

A service of anybody is held to them, so that they ask for nothing that the specification leaves open. Of what an
answer holds, a message repeats nothing: it may be about a patient.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
_Uuid = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
_Url = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.\-]*:\S+$")]


class _Object(BaseModel):
    model_config = ConfigDict(strict=True)
    extension: dict[str, Any] | None = None


class _Coding(_Object):
    code: _Text
    system: _Text | None = None
    display: _Text | None = None


class _Topic(_Coding):
    system: _Text


class _Reason(_Coding):
    display: _Text


class _Action(_Object):
    type: Literal["create", "update", "delete"]
    description: _Text
    resource: dict[str, Any] | None = None


class _Suggestion(_Object):
    label: _Text
    uuid: _Text | None = None
    isRecommended: bool | None = None  # noqa: N815 - as CDS Hooks spells it
    actions: list[_Action] | None = None
    actionSelectionBehavior: Literal["all", "any", "at-most-one"] | None = None  # noqa: N815


class _Link(_Object):
    label: _Text
    url: _Url
    type: Literal["absolute", "smart"]
    appContext: str | None = None  # noqa: N815


class _Source(_Object):
    label: _Text
    url: _Url | None = None
    icon: _Url | None = None
    topic: _Topic | None = None


class _Card(_Object):
    uuid: _Uuid | None = None
    summary: Annotated[str, Field(min_length=1, max_length=139)]
    detail: str | None = None
    indicator: Literal["info", "warning", "critical"]
    source: _Source
    suggestions: list[_Suggestion] | None = None
    selectionBehavior: Literal["at-most-one", "any"] | None = None  # noqa: N815
    overrideReasons: list[_Reason] | None = None  # noqa: N815
    links: list[_Link] | None = None


class _Cards(_Object):
    cards: list[_Card]
    systemActions: list[_Action] | None = None  # noqa: N815


class _Service(_Object):
    hook: _Text
    id: Annotated[str, Field(pattern=r"^[^/?#\s]+$")]
    title: _Text | None = None
    description: _Text
    prefetch: dict[str, _Text] | None = None


class _Services(_Object):
    services: list[_Service]


_KINDS: Final[dict[str, type[_Object]]] = {"services": _Services, "answer": _Cards}
_OF_CARDS: Final[list[tuple[str, Callable[[_Card], bool]]]] = [
    (
        "at most one suggestion is recommended if one may be chosen",
        lambda card: (
            card.selectionBehavior != "at-most-one" or sum(one.isRecommended or False for one in _suggested(card)) <= 1
        ),
    ),
    ("suggestions need a selectionBehavior", lambda card: not card.suggestions or card.selectionBehavior is not None),
    (
        "an action that creates or updates brings a resource",
        lambda card: all(
            action.type == "delete" or action.resource for one in _suggested(card) for action in one.actions or []
        ),
    ),
    (
        "appContext is for links of type smart",
        lambda card: all(one.type == "smart" or one.appContext is None for one in card.links or []),
    ),
]


def broken(kind: str, content: Any) -> Iterator[str]:
    """Yields the rules that a document breaks, each with its place; `kind` is services or answer."""
    try:
        found = _KINDS[kind].model_validate(content)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            yield f"{_place(one['loc'])}: {one['msg']}"
        return
    yield from (f"{place}: is blank, expected a value or no key" for place in _blanks(content, ""))
    for number, card in enumerate(found.cards if isinstance(found, _Cards) else []):
        yield from (f"cards.{number}: {rule}" for rule, keeps in _OF_CARDS if not keeps(card))


def _suggested(card: _Card) -> list[_Suggestion]:
    return card.suggestions or []


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts) or "the body"


def _blanks(content: Any, place: str) -> Iterator[str]:
    """Yields the places of null, empty text, lists and objects, but for an empty list of cards or services."""
    if content in (None, "", [], {}):
        if place not in ("cards", "services"):
            yield place or "the body"
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _blanks(value, f"{place}.{key}" if place else str(key))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from _blanks(value, f"{place}.{number}")
