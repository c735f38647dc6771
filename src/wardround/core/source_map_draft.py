"""Drafts a source map from the codes that no variable names; a person fills in what each means, or leaves it out."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from wardround.core.unmapped_codes import UnmappedCode

_HEAD: Final = """\
# Draft of a source map, made from {observations:,} Observations whose codes no variable names.
# If a code means a variable, remove the # from its line and from its system's lines, and write the variable's name
# after the colon. Leave the others as they are: codes that are not mapped are not read. Somebody who knows the
# monitors and the laboratory must say what a code means, including unit and specimen. Names are in variables.yaml.
version: 1
title: ""
units: {{}}
codes: []   # without the [] when a system follows
"""


def draft(codes: Sequence[UnmappedCode], observations: int) -> str:
    """Returns the draft as YAML. It is a valid map that maps nothing."""
    lines = [_HEAD.format(observations=observations).rstrip()]
    named = sorted((one for one in codes if one.system and one.code), key=lambda one: one.system)
    for system, group in groupby(named, key=lambda one: one.system):
        lines.append(f"#  - system: {_quoted(system)}\n#    means:")
        lines += [_line(one) for one in sorted(group, key=lambda one: (-one.observations, one.code))]
    bare = sum(one.observations for one in codes if not (one.system and one.code))
    if bare:
        lines.append(f"# Cannot be mapped, because they have no system or no code: {bare:,} Observations.")
    return "\n".join(lines) + "\n"


def _line(one: UnmappedCode) -> str:
    units = ", ".join(one.units) or "no unit"
    said = f"{one.display}; " if one.display else ""
    return f"#      {_quoted(one.code)}:   # {said}{units}; {one.observations:,} times, {one.patients:,} patients"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
