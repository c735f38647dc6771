"""Variables in, what is read of a source's Observations out: the one rule that builds searches and picks from files.

An Observation is read if its own code is a code or a panel of a variable, and else not at all. A search by code asks
for exactly these; files, exports and searches by category keep exactly these. What else it says does not matter: a
pressure among the components of a pulmonary artery's Observation is no blood pressure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from wardround.spec.servers import ServerProfile
from wardround.spec.source_maps import NO_TRANSLATION, Code, Translation
from wardround.spec.variables import LOINC, Variable


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


@dataclass(frozen=True, slots=True)
class ReadingRule:
    """`openings`: every own code that is read, in the order of the variables."""

    openings: Mapping[Code, Opening]

    def opening(self, codings: Iterable[Coded]) -> Opening | None:
        """What an Observation whose code has these codings is read for; None if it is not read."""
        found: Opening | None = None
        for coding in codings:
            one = self.openings.get((coding.system, coding.code))
            if one is not None and one is not found:
                found = one if found is None else found.together_with(one)
        return found

    def criteria(self, profile: ServerProfile) -> list[tuple[str, list[str]]]:
        """What searches name beside the patient: the own codes, or categories where codes will not do.

        Some servers find components by their panel alone (`panels_only`) and hold no Observation with their code.
        """
        if profile.observation_needs == "category":
            return [("category", list(profile.observation_categories))]
        alone = {(LOINC, code) for components in profile.panels_only.values() for code in components}
        tokens = [f"{system}|{code}" for system, code in self.openings if (system, code) not in alone]
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
    return ReadingRule(openings)


def _of_variables(variables: Mapping[str, Variable]) -> ReadingRule:
    meaning = {code: variable.name for variable in variables.values() for code in variable.codes()}
    openers: dict[Code, list[Variable]] = {}
    for variable in variables.values():
        for code in dict.fromkeys((*variable.codes(), *variable.panel_codes())):
            openers.setdefault(code, []).append(variable)
    # Codes that mean the same share one opening: an Observation that bears several of them needs no union.
    shared: dict[tuple[str | None, ...], Opening] = {}
    openings = {}
    for code, opened in openers.items():
        own = meaning.get(code)
        key = (own, *(variable.name for variable in opened))
        if key not in shared:
            components = {part: variable.name for variable in opened for part in variable.codes()}
            shared[key] = Opening((own,) if own else (), components)
        openings[code] = shared[key]
    return ReadingRule(openings)
