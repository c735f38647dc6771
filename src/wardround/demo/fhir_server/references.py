"""Parses the text of a Reference, or a search value, into the (type, id) that it names."""

from functools import lru_cache

from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES

Target = tuple[str, str]

# The type under which an external reference is stored: a URL of another server, or a urn. Its id is the whole text.
ELSEWHERE = "url"


@lru_cache(20_000)
def target_of(text: str, base: str) -> Target | None:
    """Returns the (type, id) that a reference names; None for a fragment (`#contained`) or an invalid reference.

    `base` is the server's own URL as the caller wrote it: references under it are local. Types that the server does
    not support (Practitioner) are targets too. A version (`/_history/2`) is dropped.
    """
    local = text.removeprefix(f"{base}/") if base else text
    if "://" in local or local.startswith("urn:"):
        return ELSEWHERE, local
    parts = local.split("/")
    if len(parts) in (2, 4) and parts[0][:1].isupper():
        return parts[0], parts[1]
    return None


def targets_of_value(value: str, types: tuple[str, ...], base: str) -> list[Target]:
    """Returns what a search value may name: `Type/id`, a URL, or a bare id, which may be of any of the `types`."""
    target = target_of(value, base)
    if target is not None:
        return [target] if not types or target[0] in types or target[0] == ELSEWHERE else []
    return [(name, value) for name in types or tuple(RESOURCE_TYPES)]
