"""References: from the text of a Reference, or of a search value, to the (type, id) that it names."""

from functools import lru_cache

from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES

Target = tuple[str, str]

# The type under which a reference to elsewhere is kept: a URL of another server, or a urn. Its id is the whole text.
ELSEWHERE = "url"


@lru_cache(20_000)
def target_of(text: str, base: str) -> Target | None:
    """The (type, id) that a reference names; None for a fragment (`#contained`) and for what is no reference.

    `base` is the server's own URL as the caller wrote it: references under it are local. Types that the server does
    not keep (Practitioner) are targets too. A version (`/_history/2`) is dropped.
    """
    local = text.removeprefix(f"{base}/") if base else text
    if "://" in local or local.startswith("urn:"):
        return ELSEWHERE, local
    parts = local.split("/")
    if len(parts) in (2, 4) and parts[0][:1].isupper():
        return parts[0], parts[1]
    return None


def targets_of_value(value: str, types: tuple[str, ...], base: str) -> list[Target]:
    """What a search value may name: `Type/id`, a URL, or a bare id, which stands for each of the `types`."""
    target = target_of(value, base)
    if target is not None:
        return [target] if not types or target[0] in types or target[0] == ELSEWHERE else []
    return [(name, value) for name in types or tuple(RESOURCE_TYPES)]
