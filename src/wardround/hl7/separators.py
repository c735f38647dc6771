"""The separators of a message, as its MSH-1 and MSH-2 declare them."""

from typing import Final, NamedTuple

from wardround.hl7.refused import Hl7Error

_FEWEST, _MOST = 2, 5


class Separators(NamedTuple):
    """One character each; "" where the message declares none, so that nothing is separated or escaped by it."""

    field: str
    component: str
    repetition: str
    escape: str = ""
    subcomponent: str = ""
    truncation: str = ""


USUAL: Final = Separators("|", "^", "~", "\\", "&")


def can_separate(character: str) -> bool:
    """Returns whether this is one character of ASCII punctuation; after `MSH` it tells that a message begins here."""
    return len(character) == 1 and "!" <= character <= "~" and not character.isalnum()


def separators_of(field: str, encoding_characters: str) -> Separators:
    """Returns the separators of a message from its MSH-1 and MSH-2. Raises Hl7Error."""
    declared = encoding_characters.strip()
    if not _FEWEST <= len(declared) <= _MOST:
        raise Hl7Error("separators", "MSH-2")
    if len({field, *declared}) != len(declared) + 1 or not all(map(can_separate, declared)):
        raise Hl7Error("separators", "MSH-2")
    return Separators(field, *declared)
