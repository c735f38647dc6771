"""Reads what surrounds an Observation's value and can make it mean something else.

Most Observations have nothing of the kind, and callers check that first. What can be known of a specimen is what the
reference says about it, and a Specimen inside the Observation: others are not looked up (decision 21).
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from wardround.core.reading_rule import CodesAndTexts, folded
from wardround.fhir.page import dicts
from wardround.fhir.references import Resource
from wardround.sources.fhir.observation_shape import Component, Observation, Quantity, SpecimenReference, Term

FOCUS: Final = "focus"  # about something or somebody other than the patient
MODIFIER_EXTENSION: Final = "modifier_extension"  # none is known here, and one not understood forbids processing
IMPLICIT_RULES: Final = "implicit_rules"
_ELEMENTS: Final = {"focus": FOCUS, "modifier_extension": MODIFIER_EXTENSION, "implicit_rules": IMPLICIT_RULES}
_BODY_SITE: Final = "http://hl7.org/fhir/StructureDefinition/bodySite"
_DATA_ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_ABSENT: Final[tuple[Any, ...]] = (None, [], "")
_NOTHING: Final = CodesAndTexts(frozenset(), frozenset())


def changed(observation: Observation) -> str:
    """Returns the element that changes what the whole Observation means; "" if there is none."""
    return next((reason for name, reason in _ELEMENTS.items() if is_there(getattr(observation, name))), "")


def is_there(element: Any) -> bool:
    """Returns whether an element is present: some systems write every element, with null or an empty list for none."""
    return element not in _ABSENT


def is_absent(quantity: Quantity) -> bool:
    """Returns whether an extension of the Quantity, or of its value, says that there is no value."""
    about = quantity.about_value
    extensions = [quantity.extension, about.get("extension") if isinstance(about, dict) else None]
    return any(one.get("url") == _DATA_ABSENT for some in extensions for one in dicts(some))


def context_of(observation: Observation, holder: Observation | Component) -> dict[str, CodesAndTexts]:
    """Returns what codes and words say about where and how a value of it was measured, and in what."""
    found = {name: _codes_and_texts(term) for name in ("body_site", "method") if (term := getattr(observation, name))}
    sites = [*_sites_in(observation.extension), *(_sites_in(holder.extension) if holder is not observation else ())]
    if sites:
        own = found.get("body_site", _NOTHING)
        more = [_of_site(site, observation.contained) for site in sites]
        found["body_site"] = CodesAndTexts(*(one.union(*rest) for one, *rest in zip(own, *more, strict=True)))
    if observation.specimen is not None:
        found["specimen"] = _of_specimen(observation.specimen, observation.contained)
    return found


def _sites_in(extensions: Any) -> Iterator[Resource]:
    return (one for one in dicts(extensions) if one.get("url") == _BODY_SITE)


def _of_site(site: Resource, contained: Any) -> CodesAndTexts:
    """Returns what an extension says about the site: as a concept, or as a reference to a BodyStructure."""
    reference = site.get("valueReference")
    reference = reference if isinstance(reference, dict) else {}
    concept = site.get("valueCodeableConcept")
    terms = [_term(concept)] if concept is not None else []
    return _codes_and_texts(
        *terms, *_contained(reference.get("reference"), contained, "location"), words=reference.get("display")
    )


def _codes_and_texts(*terms: Term, words: Any = None) -> CodesAndTexts:
    codings = [coding for term in terms for coding in term.coding]
    texts = [words, *(term.text for term in terms), *(coding.display for coding in codings)]
    return CodesAndTexts(
        frozenset((coding.system, coding.code) for coding in codings),
        frozenset(folded(text) for text in texts if isinstance(text, str)),
    )


def _of_specimen(specimen: SpecimenReference, contained: Any) -> CodesAndTexts:
    return _codes_and_texts(*_contained(specimen.reference, contained, "type"), words=specimen.display)


def _contained(reference: Any, contained: Any, element: str) -> Iterator[Term]:
    """Yields a concept of the resource inside the Observation that the reference names."""
    for resource in dicts(contained):
        if isinstance(reference, str) and reference == f"#{resource.get('id')}" and resource.get(element) is not None:
            yield _term(resource[element])


def _term(concept: Any) -> Term:
    try:
        return msgspec.convert(concept, Term)
    except msgspec.ValidationError:
        raise ValueError("no CodeableConcept") from None
