"""Drafts a source map from the codes that no variable names; a person fills in what each means, or leaves it out."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from wardround.core.unmapped_codes import UnmappedCode

_HEAD: Final = """\
# Draft of a source map, made from {observations:,} Observations whose codes no variable names.
# Where a code means a variable, take the # of its line and of its system away and write the variable's name behind
# the colon; leave the others as they are, for what is not mapped is not read. Whoever knows the monitors and the
# laboratory must say what a code means, unit and specimen included. The names are those of variables.yaml.
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
        lines.append(f"# Without a system or a code, and so not to be mapped: {bare:,} Observations.")
    return "\n".join(lines) + "\n"


def _line(one: UnmappedCode) -> str:
    units = ", ".join(one.units) or "no unit"
    said = f"{one.display}; " if one.display else ""
    return f"#      {_quoted(one.code)}:   # {said}{units}; {one.observations:,} times, {one.patients:,} patients"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
