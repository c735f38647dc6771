"""Which texts of MIMIC's `value` are a bound and not a value: one rule, as SQL for the CSVs and for mimic2fhir."""

import re
from typing import Final

_COMPARATORS: Final = {"<=": "<=", ">=": ">=", "<": "<", ">": ">", "LESS THAN": "<", "GREATER THAN": ">"}
_BOUND: Final = rf"^\s*({'|'.join(_COMPARATORS)})"
_COMPILED: Final = re.compile(_BOUND)


def is_bound(column: str) -> str:
    """A SQL expression: whether the text in `column` is a bound, such as `<0.2`, `> 30` or `<0.5 (diluted)`."""
    return f"coalesce(regexp_matches({column}, '{_BOUND}'), false)"


def split_bound(text: str | None) -> tuple[str | None, str]:
    """The FHIR comparator of a text that is a bound, and what follows it; (None, the text) for any other text."""
    found = _COMPILED.match(text or "")
    return (_COMPARATORS[found[1]], (text or "")[found.end() :].strip()) if found else (None, text or "")
