"""What a source's own codes and units mean: a file for each source, as YAML or as a FHIR ConceptMap."""

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from wardround.spec.base import SpecModel
from wardround.spec.ucum import SYSTEMS as UCUM_SYSTEMS
from wardround.spec.variables import Variable

Code = tuple[str, str]  # system, code

# The equivalences of a ConceptMap that mean the same; wider, narrower or related ones would change the meaning.
_SAME: Final = ("equivalent", "equal")


def _text(value: object) -> object:
    """Returns a number as text: YAML reads an unquoted 220045 as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_text), Field(min_length=1)]


class MappedSystem(SpecModel):
    """Codes of one of the source's systems, and what they mean."""

    system: str = Field(min_length=1, description="The system to translate from, as the source writes it.")
    to: str | None = Field(
        default=None, min_length=1, description="System of the target codes; default: the targets are variables' names."
    )
    means: dict[Text, Text] = Field(
        min_length=1, description="Code -> name of a variable, or a code of `to` that variables.yaml names."
    )


class SourceMap(SpecModel):
    """The whole of a source map."""

    version: Literal[1] = Field(description="Version of this file's format.")
    title: str = Field(default="", description="Name of the map.")
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
        """Yields (system, to, code, meaning) for every code."""
        for mapped in self.codes:
            for code, meaning in mapped.means.items():
                yield mapped.system, mapped.to, code, meaning


class Translation(SpecModel):
    """A source map resolved with variables.yaml.

    `codes` maps a code of the source to a code in variables.yaml; `units` maps a text of the source to its unit.
    """

    title: str = ""
    codes: tuple[tuple[Code, Code], ...] = ()
    units: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the content, whatever the file's layout and title."""
        return hashlib.sha256(self.model_dump_json(exclude={"title"}).encode()).hexdigest()


NO_TRANSLATION: Final = Translation()


def translation_of(source_map: SourceMap, variables: Mapping[str, Variable]) -> Translation:
    """Returns the map with its targets resolved.

    Raises ValueError, which names the code or unit and the remedy, for a target that variables.yaml does not name, and
    for a code or a unit that already has another meaning.
    """
    known = _named_codes(variables)
    codes: dict[Code, Code] = {}
    for system, to, code, meaning in source_map.each_code():
        target = _target(to, meaning, variables, known, f"code {code} of {system}")
        if (system, code) in known and (system, code) != target:
            raise ValueError(f"code {code} of {system}: variables.yaml names it already; remove it from the map")
        codes[system, code] = target
    for text, meant in source_map.units.items():
        _require_unit(text, meant, variables)
    return Translation(
        title=source_map.title, codes=tuple(sorted(codes.items())), units=tuple(sorted(source_map.units.items()))
    )


def _named_codes(variables: Mapping[str, Variable]) -> frozenset[Code]:
    """Returns the codes of all variables, and of the panels that contain them."""
    return frozenset(code for one in variables.values() for code in (*one.all_codes(), *one.panel_codes()))


def _require_unit(text: str, meant: str, variables: Mapping[str, Variable]) -> None:
    """Raises ValueError for a unit that no variable accepts, and for a text that is already a unit of a variable."""
    if not any(variable.conversion(meant) for variable in variables.values()):
        raise ValueError(f"units.{text}: means {meant!r}, which no variable accepts; give a UCUM unit that one accepts")
    for variable in variables.values():
        known = variable.conversion(text)
        if known and known != variable.conversion(meant):
            raise ValueError(
                f"units.{text}: means {meant!r}, but is already a unit of {variable.name}; remove it from the map"
            )


def _target(
    to: str | None, meaning: str, variables: Mapping[str, Variable], known: Container[Code], place: str
) -> Code:
    if to is None:
        if meaning not in variables:
            close = get_close_matches(meaning, variables, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"{place}: means {meaning!r}{hint}, expected the name of a variable; correct it")
        return variables[meaning].all_codes()[0]
    if (to, meaning) not in known:
        raise ValueError(f"{place}: means {meaning} of {to}, which no variable names; add it there or name a variable")
    return to, meaning


def from_concept_map(resource: dict[str, Any], variables: Mapping[str, Variable]) -> dict[str, Any]:
    """Converts a FHIR ConceptMap (R4) to the content of a source map, one group at a time; only equivalent codes count.

    A group whose target is UCUM gives units. Of a hospital's complete map, only codes that variables name are kept.

    Raises ValueError, which names the group, for a group without source or target, for an invalid element, for a code
    that means two things, and for a map of which nothing is kept.
    """
    known = _named_codes(variables)
    codes: list[dict[str, Any]] = []
    units: dict[str, str] = {}
    for number, group in enumerate(resource.get("group") or []):
        place = f"group[{number}]"
        source, target = _systems(group, place)
        pairs = list(_same(group["element"], place))
        if target in UCUM_SYSTEMS:
            _put(pairs, units, place)
            continue
        means: dict[str, str] = {}
        _put([(code, meaning) for code, meaning in pairs if (target, meaning) in known], means, place)
        codes += [{"system": source, "to": target, "means": means}] if means else []
    if not codes and not units:
        raise ValueError("group: no code is equivalent to a code that variables name, expected at least one; add it")
    title = str(resource.get("title") or resource.get("name") or "")
    return {"version": 1, "title": title, "codes": codes, "units": units}


def _systems(group: Any, place: str) -> tuple[str, str]:
    if not isinstance(group, dict) or not isinstance(group.get("element"), list):
        raise ValueError(f"{place}: contains no list of elements, expected a ConceptMap of FHIR R4; correct it")
    for name in ("source", "target"):
        if not isinstance(group.get(name), str):
            raise ValueError(f"{place}.{name}: is missing, expected the code system; add it")
    return group["source"], group["target"]


def _same(elements: list[Any], place: str) -> Iterator[tuple[str, str]]:
    """Yields code and target where they mean the same. Mappings with conditions (`dependsOn`) do not count."""
    for number, element in enumerate(elements):
        targets = element.get("target", []) if isinstance(element, dict) else None
        if not isinstance(targets, list) or not all(isinstance(target, dict) for target in targets):
            raise ValueError(f"{place}.element[{number}]: is invalid, expected a code and its targets; correct it")
        for target in targets:
            if target.get("equivalence") in _SAME and not target.get("dependsOn"):
                if not isinstance(element.get("code"), str) or not isinstance(target.get("code"), str):
                    raise ValueError(f"{place}.element[{number}]: lacks a code, expected one on both sides; add it")
                yield element["code"], target["code"]


def _put(pairs: Iterable[tuple[str, str]], means: dict[str, str], place: str) -> None:
    for code, meaning in pairs:
        if means.setdefault(code, meaning) != meaning:
            raise ValueError(f"{place}: code {code} means {means[code]} and {meaning}; keep one of them")
