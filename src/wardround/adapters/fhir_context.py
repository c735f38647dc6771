"""An Observation in, what stands around its value and can make it mean something else out.

Most have nothing of it, and whoever calls asks for that first. What can be known of a specimen is what the reference
says of it, and a Specimen inside the Observation: others are not looked up (decision 21).
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from wardround.adapters.fhir_observation_shape import Observation, SpecimenReference, Term
from wardround.adapters.fhir_page import dicts
from wardround.core.reading_rule import Said, folded

FOCUS: Final = "focus"  # about something or somebody else than the patient
MODIFIER_EXTENSION: Final = "modifier_extension"  # none is known, and what is not understood must not be processed
IMPLICIT_RULES: Final = "implicit_rules"
_ELEMENTS: Final = {"focus": FOCUS, "modifier_extension": MODIFIER_EXTENSION, "implicit_rules": IMPLICIT_RULES}
_ABSENT: Final[tuple[Any, ...]] = (None, [], "")


def changed(observation: Observation) -> str:
    """The element that changes what the whole Observation means; empty if none does."""
    return next((reason for name, reason in _ELEMENTS.items() if is_there(getattr(observation, name))), "")


def is_there(element: Any) -> bool:
    """Some writers give every element, and those that they have not as null or as an empty list."""
    return element not in _ABSENT


def said_around(observation: Observation) -> dict[str, Said]:
    """What codes and words say of where and how it was measured, and in what."""
    found = {name: _said(term) for name in ("body_site", "method") if (term := getattr(observation, name))}
    if observation.specimen is not None:
        found["specimen"] = _said_of_specimen(observation.specimen, observation.contained)
    return found


def _said(*terms: Term, words: Any = None) -> Said:
    codings = [coding for term in terms for coding in term.coding]
    texts = [words, *(term.text for term in terms), *(coding.display for coding in codings)]
    return Said(
        frozenset((coding.system, coding.code) for coding in codings),
        frozenset(folded(text) for text in texts if isinstance(text, str)),
    )


def _said_of_specimen(specimen: SpecimenReference, contained: Any) -> Said:
    return _said(*_contained_types(specimen.reference, contained), words=specimen.display)


def _contained_types(reference: Any, contained: Any) -> Iterator[Term]:
    """The `type` of the Specimen inside the Observation that the reference names."""
    for resource in dicts(contained):
        if isinstance(reference, str) and reference == f"#{resource.get('id')}" and resource.get("type") is not None:
            try:
                yield msgspec.convert(resource["type"], Term)
            except msgspec.ValidationError:
                raise ValueError("the specimen's type is misshapen") from None
