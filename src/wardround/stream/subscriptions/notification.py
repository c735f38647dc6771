"""Reads which Encounters a notification of a Subscription announces, in each of the forms that servers send.

R4 `rest-hook`: nothing at all (look yourself), or the Encounter. The backport of R5's topics to R4: a Bundle of type
`history` or `subscription-notification` whose first entry is the SubscriptionStatus, and whose other entries are none,
references, or resources (https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html).

It sees patient values; it never logs.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import orjson

from wardround.fhir.page import dicts
from wardround.fhir.references import Resource, id_in, is_id

_BUNDLES: Final = ("history", "subscription-notification")
_QUIET: Final = ("handshake", "heartbeat")
_STATUSES: Final = ("SubscriptionStatus", "Parameters")
ENCOUNTER: Final = "Encounter"


class NotANotification(Exception):
    """The body is none of these forms. The message names the rule, and nothing of the body."""


class Notified(msgspec.Struct, frozen=True):
    """What a notification announces, and the body of a message of the stage `resolve`.

    Attributes:
        encounters: ids on the FHIR server of the source.
        others: whether more has changed than it names: the server is to be asked what.
    """

    encounters: tuple[str, ...] = ()
    others: bool = False

    @property
    def is_quiet(self) -> bool:
        """Whether it announces nothing: the server only tries whether somebody answers."""
        return not (self.encounters or self.others)


def notified(body: bytes) -> Notified:
    """Returns what a notification announces. Raises NotANotification."""
    if not body.strip():
        return Notified(others=True)
    try:
        resource = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NotANotification("is not JSON") from None
    match resource:
        case {"resourceType": "Encounter"}:
            return Notified((_id_of(resource),))
        case {"resourceType": "Bundle", "type": str(kind)} if kind in _BUNDLES:
            return _of_bundle(list(dicts(resource.get("entry"))))
    raise NotANotification("is neither an Encounter nor a Bundle of type history or subscription-notification")


def _id_of(encounter: Resource) -> str:
    if not is_id(encounter.get("id")):
        raise NotANotification("holds an Encounter without a valid id")
    return str(encounter["id"])


def _of_bundle(entries: list[Resource]) -> Notified:
    first = entries[0].get("resource") if entries else None
    status: Resource = first if isinstance(first, dict) and first.get("resourceType") in _STATUSES else {}
    if _kind(status) in _QUIET:
        return Notified()
    found = dict.fromkeys([*_focuses(status), *_entries(entries)])
    # Content `empty`: that something has changed is all that it says.
    return Notified(tuple(found), others=not found)


def _kind(status: Resource) -> str:
    """Returns the type of a notification, from either form of the status."""
    return str(status.get("type") or next((one.get("valueCode") for one in _parameters(status, "type")), ""))


def _focuses(status: Resource) -> Iterator[str]:
    for event in dicts(status.get("notificationEvent")):
        yield from _referred(event.get("focus"))
    for event in _parameters(status, "notification-event"):
        for part in dicts(event.get("part")):
            if part.get("name") == "focus":
                yield from _referred(part.get("valueReference"))


def _entries(entries: list[Resource]) -> Iterator[str]:
    """Yields the Encounters of the entries: as resources, or as the URLs of those that are only named."""
    for entry in entries:
        match entry:
            case {"resource": {"resourceType": "Encounter"} as encounter}:
                yield _id_of(encounter)
            case {"fullUrl": str(url)} if "resource" not in entry:
                yield from _referred({"reference": url})


def _referred(reference: Any) -> Iterator[str]:
    """Yields the id that a reference to an Encounter has, whether relative or absolute.

    Any base is taken for our server's: the Encounter is read there, and not from where a notification says.
    """
    text = reference.get("reference") if isinstance(reference, dict) else None
    if isinstance(text, str):
        relative = "/".join(text.partition("/_history/")[0].split("/")[-2:])
        if found := id_in({"reference": relative}, ENCOUNTER):
            yield found


def _parameters(status: Resource, name: str) -> Iterator[Resource]:
    return (one for one in dicts(status.get("parameter")) if one.get("name") == name)
