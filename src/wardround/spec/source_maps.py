"""What a source calls our variables and units: a file of the source's own, as YAML or as a FHIR ConceptMap."""

import hashlib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from wardround.spec.base import SpecModel
from wardround.spec.variables import Variable

Code = tuple[str, str]  # system, code

# What of a ConceptMap says the same; anything wider, narrower or related would change the meaning.
_SAME: Final = ("equivalent", "equal")


def _text(value: object) -> object:
    """YAML reads an unquoted 220045 as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_text), Field(min_length=1)]


class MappedSystem(SpecModel):
    """Codes of one system of the source's, and what they mean."""

    system: str = Field(min_length=1, description="The system that is translated from, as the source writes it.")
    to: str | None = Field(
        default=None, min_length=1, description="System of what the codes mean; none: they mean variables, by name."
    )
    means: dict[Text, Text] = Field(
        min_length=1, description="Code -> name of a variable, or a code of `to` that variables.yaml names."
    )


class SourceMap(SpecModel):
    """The whole of a source map."""

    version: Literal[1] = Field(description="Version of this file's format.")
    title: str = Field(default="", description="Whose map it is.")
    codes: tuple[MappedSystem, ...] = Field(default=(), description="The source's codes.")
    units: dict[Text, Text] = Field(
        default={}, description="Unit as the source writes it -> UCUM unit, or another that variables.yaml lists."
    )

    @model_validator(mode="after")
    def _each_code_means_one_thing(self) -> Self:
        seen: dict[tuple[str, str], tuple[str | None, str]] = {}
        for system, to, code, meaning in self.each_code():
            if seen.setdefault((system, code), (to, meaning)) != (to, meaning):
                raise ValueError(
                    f"code {code} of {system} means {seen[system, code][1]} and {meaning}; keep one of them"
                )
        return self

    def each_code(self) -> Iterator[tuple[str, str | None, str, str]]:
        """(system, to, code, meaning) of every code."""
        for mapped in self.codes:
            for code, meaning in mapped.means.items():
                yield mapped.system, mapped.to, code, meaning


class Translation(SpecModel):
    """A source map in our words: what each code of the source's means, and each of its units.

    `codes` gives for a code of the source the code that variables.yaml names; `units` for a text the unit it means.
    """

    title: str = ""
    codes: tuple[tuple[Code, Code], ...] = ()
    units: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of what it says; the file's layout and title do not matter."""
        return hashlib.sha256(self.model_dump_json(exclude={"title"}).encode()).hexdigest()


NO_TRANSLATION: Final = Translation()


def translation_of(source_map: SourceMap, variables: Mapping[str, Variable]) -> Translation:
    """The map with its targets resolved.

    Raises ValueError, which names code and remedy, for a target that variables.yaml does not name, and for a code
    that it gives another meaning.
    """
    named = {code: variable.name for variable in variables.values() for code in variable.codes()}
    known = dict.fromkeys((*named, *(code for variable in variables.values() for code in variable.panel_codes())))
    codes: dict[Code, Code] = {}
    for system, to, code, meaning in source_map.each_code():
        target = _target(to, meaning, variables, known, f"code {code} of {system}")
        if (system, code) in known and (system, code) != target:
            raise ValueError(f"code {code} of {system}: variables.yaml names it itself; remove it from the map")
        codes[system, code] = target
    return Translation(
        title=source_map.title, codes=tuple(sorted(codes.items())), units=tuple(sorted(source_map.units.items()))
    )


def _target(
    to: str | None, meaning: str, variables: Mapping[str, Variable], known: Mapping[Code, object], place: str
) -> Code:
    if to is None:
        if meaning not in variables:
            close = get_close_matches(meaning, variables, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"{place}: means {meaning!r}{hint}, expected the name of a variable; correct it")
        return variables[meaning].codes()[0]
    if (to, meaning) not in known:
        raise ValueError(f"{place}: means {meaning} of {to}, which no variable names; add it there or name a variable")
    return to, meaning


def from_concept_map(resource: dict[str, Any]) -> dict[str, Any]:
    """A FHIR ConceptMap (R4) as the content of a source map: a group each, of what means the same.

    Raises ValueError, which names the group, for one without source or target.
    """
    groups = resource.get("group") or []
    return {
        "version": 1,
        "title": str(resource.get("title") or resource.get("name") or ""),
        "codes": [mapped for number, group in enumerate(groups) if (mapped := _mapped(group, f"group[{number}]"))],
    }


def _mapped(group: Any, place: str) -> dict[str, Any] | None:
    if not isinstance(group, dict) or not isinstance(group.get("element"), list):
        raise ValueError(f"{place}: holds no list of elements, expected a ConceptMap of FHIR R4; correct it")
    for name in ("source", "target"):
        if not isinstance(group.get(name), str):
            raise ValueError(f"{place}.{name}: is missing, expected the code system; add it")
    means = {
        element["code"]: target["code"]
        for element in group["element"]
        for target in element.get("target") or []
        if target.get("equivalence") in _SAME
    }
    return {"system": group["source"], "to": group["target"], "means": means} if means else None
