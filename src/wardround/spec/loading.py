"""Reads include/schemas: YAML into frozen models, or a SpecError that names file, place, value and remedy."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from wardround.errors import SpecError
from wardround.escaping import visible_lines
from wardround.spec.base import SpecModel, format_duration
from wardround.spec.conditions import Condition, ConditionFile
from wardround.spec.feature_schema import FeatureSchema
from wardround.spec.issuers import Issuers
from wardround.spec.servers import ServerProfile
from wardround.spec.source_maps import SourceMap, Translation, from_concept_map, translation_of
from wardround.spec.stream import StreamSettings
from wardround.spec.variables import Variable, VariablesFile

try:  # ten times as fast; part of every binary wheel of PyYAML
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

M = TypeVar("M", bound=SpecModel)


def load_variables(schemas: Path) -> dict[str, Variable]:
    """Returns all variables of `schemas`/variables.yaml by name. Raises SpecError."""
    return _validated(VariablesFile, schemas / "variables.yaml").variables


def condition_ids(schemas: Path) -> tuple[str, ...]:
    """Returns the ids of all condition files, sorted and not yet validated. Raises SpecError if there are none."""
    found = tuple(sorted(path.stem for path in (schemas / "conditions").glob("*.yaml")))
    if not found:
        state = "contains no condition" if (schemas / "conditions").is_dir() else "does not exist"
        raise SpecError(
            f"{schemas / 'conditions'}: {state}, expected a YAML file for each condition; restore it, or set"
            " WARDROUND_HOME to the folder that contains include/schemas, or unset it for the conditions that come with"
            " Wardround"
        )
    return found


def load_condition(condition_id: str, schemas: Path) -> Condition:
    """Returns the condition with the variables it uses. Raises SpecError for an unknown id or an invalid file."""
    path = schemas / "conditions" / f"{condition_id}.yaml"
    if condition_id not in condition_ids(schemas):
        known = ", ".join(condition_ids(schemas))
        raise SpecError(f"{path.parent}: no condition {condition_id!r}, expected one of: {known}; or add {path.name}")
    file = _validated(ConditionFile, path)
    if file.id != condition_id:
        raise SpecError(f"{path}: id: got {file.id!r}, expected {condition_id!r}; name the file after its id")
    variables = load_variables(schemas)
    used = {
        name: _known_variable(name, variables, path, f"features.groups.{number}.variables")
        for number, group in enumerate(file.features.groups)
        for name in group.variables
    }
    try:
        return Condition(**file.model_dump(), variables=used)
    except ValidationError as error:
        raise SpecError(_explain(error, path)) from None


def load_conditions(schemas: Path) -> dict[str, Condition]:
    """Returns all conditions by id."""
    return {condition_id: load_condition(condition_id, schemas) for condition_id in condition_ids(schemas)}


def load_server_profiles(schemas: Path) -> dict[str, ServerProfile]:
    """Returns all server profiles by id. Raises SpecError."""
    return {path.stem: _server_profile(path) for path in sorted((schemas / "servers").glob("*.yaml"))}


def load_server_profile(profile_id: str, schemas: Path) -> ServerProfile:
    """Returns the server profile. Raises SpecError for an unknown id or an invalid file."""
    path = schemas / "servers" / f"{profile_id}.yaml"
    known = sorted(other.stem for other in path.parent.glob("*.yaml"))
    if profile_id not in known:
        hint = _suggest(profile_id, known)
        raise SpecError(
            f"{path.parent}: no server profile {profile_id!r}{hint}, expected one of: {', '.join(known)}; or add a file"
        )
    return _server_profile(path)


def load_feature_schema(path: Path) -> FeatureSchema:
    """Returns the feature schema of a model that was trained elsewhere. Raises SpecError."""
    if not path.is_file():
        raise SpecError(f"{path}: not found, expected a feature schema; give the YAML file that came with the model")
    return _validated(FeatureSchema, path)


def load_issuers(path: Path) -> Issuers:
    """Returns who may call the bedside door. Raises SpecError."""
    if not path.is_file():
        raise SpecError(f"{path}: not found, expected an issuers file in YAML; correct the path")
    return _validated(Issuers, path)


def load_stream(path: Path) -> StreamSettings:
    """Returns the settings of the stream door. Raises SpecError."""
    if not path.is_file():
        raise SpecError(
            f"{path}: not found, expected the settings of the stream in YAML; write it (docs/stream.md), or name"
            " another file with WARDROUND_STREAM"
        )
    return _validated(StreamSettings, path)


def require_channels(conditions: Mapping[str, Condition], stream: StreamSettings, path: Path) -> None:
    """Raises SpecError if the stream's settings, of the file `path`, lack what a branch needs to tell people.

    That is its channel, and that what was told is kept for as long as the lock-out.
    """
    for condition in conditions.values():
        for branch in condition.stream.branches:
            if branch.channel is not None and branch.channel not in stream.channels:
                known = ", ".join(stream.channels) or "none"
                raise SpecError(
                    f"{path}: has no channel {branch.channel!r}, which the branch {condition.id}/{branch.id} names,"
                    f" expected one of: {known}; add it under channels, or correct the branch"
                )
            if branch.channel is not None and stream.keep.told < condition.lock_out:
                raise SpecError(
                    f"{path}: keep.told: got {format_duration(stream.keep.told)}, expected at least the lock_out of"
                    f" {condition.id}, {format_duration(condition.lock_out)}: people would be told again; correct it"
                )


def load_source_map(path: Path, schemas: Path) -> Translation:
    """Reads a source map (YAML, or a ConceptMap as JSON) and resolves it with variables.yaml. Raises SpecError."""
    if not path.is_file():
        raise SpecError(f"{path}: not found, expected a source map in YAML or a ConceptMap in JSON; correct the path")
    variables = load_variables(schemas)

    def content(data: Any) -> Any:
        is_one = isinstance(data, dict) and data.get("resourceType") == "ConceptMap"
        return from_concept_map(data, variables) if is_one else data

    try:
        return translation_of(_validated(SourceMap, path, content if path.suffix == ".json" else None), variables)
    except ValueError as error:
        raise SpecError(f"{path}: {error}") from None


def _server_profile(path: Path) -> ServerProfile:
    profile = _validated(ServerProfile, path)
    if profile.id != path.stem:
        raise SpecError(f"{path}: id: got {profile.id!r}, expected {path.stem!r}; name the file after its id")
    return profile


def _known_variable(name: str, variables: dict[str, Variable], path: Path, place: str) -> Variable:
    if name in variables:
        return variables[name]
    hint = _suggest(name, variables)
    raise SpecError(f"{path}: {place}: unknown variable {name!r}{hint}; define it in variables.yaml")


def _validated(model: type[M], path: Path, of: Callable[[Any], Any] | None = None) -> M:
    """Validates the file as the model, after `of`, if given, has converted its content."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except OSError as error:
        raise SpecError(f"{path}: cannot be read ({error.strerror}); restore it or set WARDROUND_HOME") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    try:
        return model.model_validate(of(data) if of else data)
    except ValidationError as error:
        raise SpecError(_explain(error, path, model)) from None


class _StrictLoader(SafeLoader):
    """A SafeLoader that refuses duplicate keys, of which YAML silently keeps the last, and invisible characters."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        text = super().construct_scalar(node)
        if (shown := visible_lines(text)) != text:
            raise yaml.constructor.ConstructorError(
                None, None, f"'{shown}' contains an invisible character; remove it", node.start_mark
            )
        return text

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _explain(error: ValidationError, path: Path, model: type[SpecModel] | None = None) -> str:
    lines = []
    places = [item["loc"] for item in error.errors()]
    for item in error.errors():
        if item["type"] == "too_short" and any(one[:-1] == item["loc"] for one in places):
            continue  # what it has too few of is what is wrong with them
        place = ".".join(str(part) for part in item["loc"]) or "(file)"
        message = item["msg"].removeprefix("Value error, ")
        match item["type"]:
            case "extra_forbidden":
                known = _known_keys(model, item["loc"][:-1]) if model else ()
                message = f"unknown key{_suggest(str(item['loc'][-1]), known)}; remove it or correct its spelling"
            case "missing":
                message = "is missing; add it"
            case "value_error":
                pass
            case "model_type" if item["input"] is None:
                message = "is empty, expected keys with values; write them"
            case "string_type":
                message = f"got {item['input']!r}, expected text; write it in quotes"
            case "too_short":
                message = f"has too few entries, expected at least {item['ctx']['min_length']}; add what is missing"
            case _:
                message = f"got {item['input']!r}: {message}"
        lines.append(f"{path}: {place}: {message}")
    return "\n".join(lines)


def _known_keys(model: type[SpecModel], place: tuple[int | str, ...]) -> tuple[str, ...]:
    """Returns the keys of the model at `place` inside `model`; empty if the place cannot be followed."""
    current: Any = model
    for part in place:
        current = _inner_model(current.model_fields[part].annotation) if part in current.model_fields else current
        if current is None:
            return ()
    return tuple(current.model_fields)


def _inner_model(annotation: Any) -> type[SpecModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, SpecModel):
        return annotation
    inner = (_inner_model(argument) for argument in getattr(annotation, "__args__", ()))
    return next((found for found in inner if found), None)


def _suggest(name: str, known: Any) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
