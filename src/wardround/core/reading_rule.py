"""Variables in, what is read of a source's Observations out: the one rule that builds searches and picks from files.

An Observation is read if its own code is a code or a panel of a variable, and else not at all. A search by code asks
for exactly these; files, exports and searches by category keep exactly these. What else it says does not matter: a
pressure among the components of a pulmonary artery's Observation is no blood pressure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from wardround.spec.code_systems import LOINC
from wardround.spec.servers import ServerProfile
from wardround.spec.source_maps import NO_TRANSLATION, Code, Translation
from wardround.spec.variables import Exclusions, Terms, Variable

CODE: Final = "code"  # a value is also coded as another quantity
# The end of what stands before a word that is denied: not in the pulmonary artery.
_DENYING: Final = re.compile(r"\b(?:not|no|non|without|outside|nicht|kein\w*|ohne)(?:\W+\w+){0,2}\W+$")
AROUND: Final = ("body_site", "method", "specimen")  # the elements whose words and codes can exclude; reasons, too


class Coded(Protocol):
    """A Coding as a source gave it: a leaf may be anything."""

    system: Any
    code: Any


@dataclass(frozen=True, slots=True)
class Opening:
    """What is read of an Observation, by its own code.

    Attributes:
        variables: what its own value is of; none if the code is that of a panel alone.
        components: the codes of components that count, and their variables: those that name the own code.
    """

    variables: tuple[str, ...]
    components: Mapping[Code, str]

    def together_with(self, other: "Opening") -> "Opening":
        variables = dict.fromkeys((*self.variables, *other.variables))
        return Opening(tuple(variables), {**self.components, **other.components})


class Said(NamedTuple):
    """The codes and the texts (`folded`) of an element."""

    codes: frozenset[tuple[Any, Any]]
    texts: frozenset[str]


class Excluding(NamedTuple):
    """The codes of an element, and the words of which one in its text is enough, that make a value another quantity."""

    codes: frozenset[tuple[Any, Any]]
    words: re.Pattern[str]

    def are_in(self, said: Said) -> bool:
        return not self.codes.isdisjoint(said.codes) or any(_named(self.words, text) for text in said.texts)


# A source has few words for places and fluids, and says them with every value.
@lru_cache(maxsize=16384)
def _named(words: re.Pattern[str], text: str) -> bool:
    """Whether a text names one of these and does not deny it."""
    return any(not _DENYING.search(text[: found.start()]) for found in words.finditer(text))


def folded(text: str) -> str:
    """A text as it is compared: without regard to case and spaces."""
    return " ".join(text.split()).casefold()


@dataclass(frozen=True, slots=True)
class ReadingRule:
    """What is read.

    Attributes:
        openings: every own code that is read, in the order of the variables.
        excluding_codes: codes that make another quantity of a value, whatever its other codes; and of which variables.
        exclusions: what else does: variable -> body_site, method or specimen -> codes and words.
    """

    openings: Mapping[Code, Opening]
    excluding_codes: Mapping[Code, frozenset[str]]
    exclusions: Mapping[str, Mapping[str, Excluding]]
    # Code -> system and opening: a URI is compared faster than it is hashed, and this is done for every Observation.
    _by_code: Mapping[str, tuple[tuple[str, Opening], ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_code: dict[str, tuple[tuple[str, Opening], ...]] = {}
        for (system, code), one in self.openings.items():
            by_code[code] = (*by_code.get(code, ()), (system, one))
        object.__setattr__(self, "_by_code", by_code)

    def opening(self, codings: Iterable[Coded]) -> Opening | None:
        """What an Observation whose code has these codings is read for; None if it is not read."""
        found: Opening | None = None
        for coding in codings:
            for system, one in self._by_code.get(coding.code, ()):
                if system == coding.system and one is not found:
                    found = one if found is None else found.together_with(one)
        return found

    def ruled_out(self, codings: Iterable[Coded]) -> set[str]:
        """The variables that a value with these codings is not, whatever other codes it has."""
        none: frozenset[str] = frozenset()
        return {name for one in codings for name in self.excluding_codes.get((one.system, one.code), none)}

    def excluded(self, variable: str, around: Mapping[str, Said]) -> str:
        """The element by which a value is not the variable's; empty if none says so."""
        for element, terms in self.exclusions.get(variable, {}).items():
            said = around.get(element)
            if said is not None and terms.are_in(said):
                return element
        return ""

    def criteria(self, profile: ServerProfile) -> list[tuple[str, list[str]]]:
        """What searches name beside the patient: the own codes, or categories where codes will not do.

        Some servers find components by their panel alone (`panels_only`) and hold no Observation with their code.
        """
        if profile.observation_needs == "category":
            return [("category", list(profile.observation_categories))]
        alone = {(LOINC, code) for components in profile.panels_only.values() for code in components}
        systems = profile.code_systems
        tokens = [
            f"{system}|{code}"
            for system, code in self.openings
            if (system, code) not in alone and (not systems or system in systems)
        ]
        size = profile.codes_per_search
        return [("code", tokens[place : place + size]) for place in range(0, len(tokens), size)]

    def mentioned(self, own: object, components: object) -> tuple[str, ...]:
        """The variables of an Observation that cannot be understood, by the codes that its elements hold anywhere."""
        text, inner = repr(own), repr(components)
        openings = [opening for (_, code), opening in self.openings.items() if repr(code) in text]
        names = [name for opening in openings for name in opening.variables]
        names += [name for opening in openings for (_, code), name in opening.components.items() if repr(code) in inner]
        return tuple(dict.fromkeys(names))


def reading_rule(variables: Mapping[str, Variable], translation: Translation = NO_TRANSLATION) -> ReadingRule:
    """The rule for these variables; what only others name is not read. A code of the source's is read as its target."""
    rule = _of_variables(variables)
    return _translated(rule, translation.codes) if translation.codes else rule


def _translated(rule: ReadingRule, codes: Iterable[tuple[Code, Code]]) -> ReadingRule:
    own: dict[Code, list[Code]] = {}  # our code -> the source's
    for theirs, ours in codes:
        own.setdefault(ours, []).append(theirs)

    def also_theirs(opening: Opening) -> Opening:
        more = {code: name for ours, name in opening.components.items() for code in own.get(ours, ())}
        return Opening(opening.variables, {**opening.components, **more})

    widened = {id(opening): also_theirs(opening) for opening in rule.openings.values()}
    openings = {code: widened[id(opening)] for code, opening in rule.openings.items()}
    openings |= {theirs: openings[ours] for theirs, ours in codes if ours in openings}
    return replace(rule, openings=openings)


def _of_variables(variables: Mapping[str, Variable]) -> ReadingRule:
    excluding: dict[Code, set[str]] = {}
    for variable in variables.values():
        for code in variable.excludes.code:
            for pair in code.pairs():
                excluding.setdefault(pair, set()).add(variable.name)
    return ReadingRule(
        _openings(variables),
        {pair: frozenset(names) for pair, names in excluding.items()},
        {variable.name: _exclusions(variable.excludes) for variable in variables.values()},
    )


def _openings(variables: Mapping[str, Variable]) -> dict[Code, Opening]:
    meaning = {code: variable.name for variable in variables.values() for code in variable.all_codes()}
    openers: dict[Code, list[Variable]] = {}
    for variable in variables.values():
        for code in dict.fromkeys((*variable.all_codes(), *variable.panel_codes())):
            openers.setdefault(code, []).append(variable)
    # Codes that mean the same share one opening: an Observation that bears several of them needs no union.
    shared: dict[tuple[str | None, ...], Opening] = {}
    openings = {}
    for code, opened in openers.items():
        own = meaning.get(code)
        key = (own, *(variable.name for variable in opened))
        if key not in shared:
            components = {part: variable.name for variable in opened for part in variable.all_codes()}
            shared[key] = Opening((own,) if own else (), components)
        openings[code] = shared[key]
    return openings


def _exclusions(given: Exclusions) -> dict[str, Excluding]:
    """Element -> what of it excludes; elements without anything left out."""
    return {name: _excluding(terms) for name in AROUND if (terms := getattr(given, name))}


def _excluding(terms: Terms) -> Excluding:
    codes = [term for term in terms if not isinstance(term, str)]
    texts = [term if isinstance(term, str) else term.display for term in terms]
    words = "|".join(re.escape(folded(text)) for text in texts if text)
    return Excluding(
        frozenset(pair for code in codes for pair in code.pairs()),
        re.compile(rf"(?<!\w)(?:{words})(?!\w)" if words else r"(?!)"),
    )
