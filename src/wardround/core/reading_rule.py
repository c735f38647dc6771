"""Decides which Observations of a source are read, and for which variables; searches and file readers share this rule.

An Observation is read only if its own code is a code or a panel of a variable. A search by code asks for exactly these
Observations; files, exports and searches by category keep exactly these. The other content of an Observation does not
matter: a pressure among the components of a pulmonary artery's Observation is not a blood pressure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from wardround.spec.code_systems import LOINC
from wardround.spec.servers import ServerProfile
from wardround.spec.source_maps import NO_TRANSLATION, Code, Translation
from wardround.spec.variables import Exclusions, Terms, Variable

CODE: Final = "code"  # the value is also coded as a different quantity
# The end of the text before a negated word, as in "not in the pulmonary artery".
_DENYING: Final = re.compile(r"\b(?:not|no|non|without|outside|nicht|kein\w*|ohne)(?:\W+\w+){0,2}\W+$")
_AROUND: Final = ("body_site", "method", "specimen")  # elements whose words and codes can exclude a value; reasons, too


class Coded(Protocol):
    """A Coding as the source gave it: its fields may have any type."""

    system: Any
    code: Any


@dataclass(frozen=True, slots=True)
class Opening:
    """The variables for which an Observation is read, by its own code.

    Attributes:
        variables: the variables of its own value; none if the code is only that of a panel.
        components: the codes of components that count, and their variables, namely those that name the own code.
    """

    variables: tuple[str, ...]
    components: Mapping[Code, str]

    def merged_with(self, other: "Opening") -> "Opening":
        variables = dict.fromkeys((*self.variables, *other.variables))
        return Opening(tuple(variables), {**self.components, **other.components})


class CodesAndTexts(NamedTuple):
    """The codes and the texts (`folded`) of an element."""

    codes: frozenset[tuple[Any, Any]]
    texts: frozenset[str]


class Excluding(NamedTuple):
    """The codes of an element, and the words in its text, any one of which makes a value a different quantity."""

    codes: frozenset[tuple[Any, Any]]
    words: re.Pattern[str]

    def occur_in(self, said: CodesAndTexts) -> bool:
        return not self.codes.isdisjoint(said.codes) or any(_named(self.words, text) for text in said.texts)


# A source uses few words for places and fluids, and repeats them with every value.
@lru_cache(maxsize=16384)
def _named(words: re.Pattern[str], text: str) -> bool:
    """Returns whether a text contains one of these words without negating it."""
    return any(not _DENYING.search(text[: found.start()]) for found in words.finditer(text))


def folded(text: str) -> str:
    """Returns a text in the form used for comparison, without regard to case and spaces."""
    return " ".join(text.split()).casefold()


@dataclass(frozen=True, slots=True)
class ReadingRule:
    """Which Observations are read, and for which variables.

    Attributes:
        openings: every own code that is read, in the order of the variables.
        excluding_codes: codes that make a value a different quantity, whatever its other codes; and the variables that
            each one excludes.
        exclusions: what else excludes a value: variable -> body_site, method or specimen -> codes and words.
    """

    openings: Mapping[Code, Opening]
    excluding_codes: Mapping[Code, frozenset[str]]
    exclusions: Mapping[str, Mapping[str, Excluding]]
    # Code -> system and opening. Comparing a URI is faster than hashing it, and this is done for every Observation.
    _by_code: Mapping[str, tuple[tuple[str, Opening], ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_code: dict[str, tuple[tuple[str, Opening], ...]] = {}
        for (system, code), one in self.openings.items():
            by_code[code] = (*by_code.get(code, ()), (system, one))
        object.__setattr__(self, "_by_code", by_code)

    def opening(self, codings: Iterable[Coded]) -> Opening | None:
        """Returns the opening for an Observation whose code has these codings; None if it is not read."""
        found: Opening | None = None
        for coding in codings:
            for system, one in self._by_code.get(coding.code, ()):
                if system == coding.system and one is not found:
                    found = one if found is None else found.merged_with(one)
        return found

    def ruled_out(self, codings: Iterable[Coded]) -> set[str]:
        """Returns the variables that a value with these codings does not belong to, whatever other codes it has."""
        none: frozenset[str] = frozenset()
        return {name for one in codings for name in self.excluding_codes.get((one.system, one.code), none)}

    def excluded(self, variable: str, around: Mapping[str, CodesAndTexts]) -> str:
        """Returns the element that excludes a value from the variable; empty if none does."""
        for element, terms in self.exclusions.get(variable, {}).items():
            said = around.get(element)
            if said is not None and terms.occur_in(said):
                return element
        return ""

    def starting(self, starts: Mapping[str, datetime]) -> "list[tuple[datetime, ReadingRule]]":
        """Returns how far back which codes are searched for, earliest first: each since the first that one needs it.

        `starts` says since when each variable is needed. The parts are for `criteria` alone: what an Observation is
        read as depends on all codes that it may have.
        """
        by_start: dict[datetime, dict[Code, Opening]] = {}
        for code, opening in self.openings.items():
            about = (*opening.variables, *opening.components.values())
            needed = min(starts[name] for name in about)
            by_start.setdefault(needed, {})[code] = opening
        return [(start, replace(self, openings=by_start[start])) for start in sorted(by_start)]

    def criteria(self, profile: ServerProfile) -> list[tuple[str, list[str]]]:
        """Returns the search criteria beside the patient: the own codes, or categories where codes cannot be used.

        Some servers find components only by their panel (`panels_only`) and hold none with the component's code.
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

    def variables_mentioned(self, own: object, components: object) -> tuple[str, ...]:
        """Returns the variables of a malformed Observation, from codes found anywhere in its elements."""
        text, inner = repr(own), repr(components)
        openings = [opening for (_, code), opening in self.openings.items() if repr(code) in text]
        names = [name for opening in openings for name in opening.variables]
        names += [name for opening in openings for (_, code), name in opening.components.items() if repr(code) in inner]
        return tuple(dict.fromkeys(names))


def reading_rule(variables: Mapping[str, Variable], translation: Translation = NO_TRANSLATION) -> ReadingRule:
    """Returns the rule for these variables; codes of other variables are not read.

    The source's own codes are read as the codes that they translate to.
    """
    rule = _of_variables(variables)
    return _translated(rule, translation.codes) if translation.codes else rule


def _translated(rule: ReadingRule, codes: Iterable[tuple[Code, Code]]) -> ReadingRule:
    own: dict[Code, list[Code]] = {}  # our code -> the source's
    for theirs, ours in codes:
        own.setdefault(ours, []).append(theirs)

    def with_source_codes(opening: Opening) -> Opening:
        more = {code: name for ours, name in opening.components.items() for code in own.get(ours, ())}
        return Opening(opening.variables, {**opening.components, **more})

    widened = {id(opening): with_source_codes(opening) for opening in rule.openings.values()}
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
    # Codes with the same meaning share one opening, so an Observation with several of them needs no union.
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
    """Returns element -> what excludes a value; elements that exclude nothing are omitted."""
    return {name: _excluding(terms) for name in _AROUND if (terms := getattr(given, name))}


def _excluding(terms: Terms) -> Excluding:
    codes = [term for term in terms if not isinstance(term, str)]
    texts = [term if isinstance(term, str) else term.display for term in terms]
    words = "|".join(re.escape(folded(text)) for text in texts if text)
    return Excluding(
        frozenset(pair for code in codes for pair in code.pairs()),
        re.compile(rf"(?<!\w)(?:{words})(?!\w)" if words else r"(?!)"),
    )
