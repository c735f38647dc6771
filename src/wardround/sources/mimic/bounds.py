"""Recognises texts in MIMIC's `value` that are a bound and not a value: one rule, for the CSVs and for mimic2fhir."""

import re
from typing import Final

_COMPARATORS: Final = {"<=": "<=", ">=": ">=", "<": "<", ">": ">", "LESS THAN": "<", "GREATER THAN": ">"}
_BOUND: Final = rf"^\s*({'|'.join(_COMPARATORS)})"
_COMPILED: Final = re.compile(_BOUND)


def is_bound(column: str) -> str:
    """Returns a SQL expression: is the text in `column` a bound, such as `<0.2`, `> 30` or `<0.5 (diluted)`?"""
    return f"coalesce(regexp_matches({column}, '{_BOUND}'), false)"


def split_bound(text: str | None) -> tuple[str | None, str]:
    """Returns the FHIR comparator of a bound and what follows it, or (None, the text) for any other text."""
    found = _COMPILED.match(text or "")
    return (_COMPARATORS[found[1]], (text or "")[found.end() :].strip()) if found else (None, text or "")
