"""Where a screening's patients come from: as a condition file says it, or in one word of a command line or form."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from wardround.spec.base import Duration, SpecModel

_AN_ID: Final = r"[A-Za-z0-9\-.]{1,64}"
Kind = Literal["search", "locations", "group", "list", "patients", "file", "export"]
Id = Annotated[str, Field(pattern=rf"^{_AN_ID}$")]

# What each kind needs, and what it may have besides.
_NEEDS: Final[dict[str, set[str]]] = {
    "group": {"id"},
    "list": {"id"},
    "patients": {"patients"},
    "file": {"path"},
}
_MAY_HAVE: Final[dict[str, set[str]]] = {
    "locations": {"locations"},
    "file": {"column"},
    "export": {"id", "since", "deadline"},
}
# The key that the word's part after the colon is for, and those of which it names several.
_AFTER_COLON: Final = {
    "locations": "locations",
    "group": "id",
    "list": "id",
    "patients": "patients",
    "file": "path",
    "export": "id",
}
_SEVERAL: Final = {"locations", "patients"}

COHORT_TEXT: Final = (
    rf"^(search|locations(:.+)?|(group|list):{_AN_ID}|patients:{_AN_ID}(,{_AN_ID})*|file:.+|export(:{_AN_ID})?)$"
)
COHORT_WORDS: Final = (
    "search, locations, locations:NAME,NAME, group:ID, list:ID, patients:ID,ID, file:PATH, export or export:GROUP_ID"
)

COHORT_BEGINNINGS: Final = (
    "search",
    "locations",
    "locations:",
    "group:",
    "list:",
    "patients:",
    "file:",
    "export",
    "export:",
)
"""How each of them begins, for a form that proposes them."""


class Encounters(SpecModel):
    """Which Encounters count as stays: those of any of the classes or types, and those that were in any Location."""

    classes: tuple[str, ...] = Field(default=(), description="Codes of Encounter.class, as `code` or `system|code`.")
    types: tuple[str, ...] = Field(default=(), description="Codes of Encounter.type, as `code` or `system|code`.")
    locations: tuple[str, ...] = Field(
        default=(), description="Names or ids of Locations; an Encounter counts for its time there or in their parts."
    )

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """What they are told by, under the name of its search parameter."""
        all_of_it = {"class": self.classes, "type": self.types, "location": self.locations}
        return {name: values for name, values in all_of_it.items() if values}


class CohortSource(SpecModel):
    """Where the patients come from; each kind has keys of its own."""

    kind: Kind = Field(
        default="search",
        description="search: the stays that cohort.encounters says, or the connection. locations: Encounters in"
        " Locations, of any class and type. group, list: the Patients of a FHIR Group or List. patients: those with"
        " these ids. file: a file of Patient ids. export: a Bulk Data export of the server or of a Group.",
    )
    id: Id | None = Field(default=None, description="Id of the Group or List; of an export, the Group to export.")
    locations: tuple[str, ...] = Field(
        default=(),
        description="Names or ids (kind locations); none: those of cohort.encounters, or of the connection.",
    )
    patients: tuple[str, ...] = Field(
        default=(), description="Ids of Patients (kind patients); for requests, rather than a condition file."
    )
    path: str | None = Field(
        default=None, description="Path or fsspec URL (kind file): *.csv, *.ndjson, or one id a line; may be *.gz."
    )
    column: str | None = Field(
        default=None, description="Column or key of the ids in a CSV or NDJSON; none: patient_id, or a Patient's id."
    )
    since: Duration | None = Field(
        default=None, description="Export only what changed so long before as_of; stays that did not are not found."
    )
    deadline: Duration = Field(default=timedelta(hours=2), description="How long an export is waited for.")

    @field_validator("patients")
    @classmethod
    def _patients_are_ids(cls, patients: tuple[str, ...]) -> tuple[str, ...]:
        for place, text in enumerate(patients, start=1):
            if not re.fullmatch(_AN_ID, text):
                # Not the text itself: somebody may have written a name.
                raise ValueError(f"number {place} is no id of a Patient; give letters, digits, - and ., at most 64")
        return patients

    @model_validator(mode="after")
    def _keys_belong_to_the_kind(self) -> Self:
        given = {name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default}
        needed = _NEEDS.get(self.kind, set())
        if needed - given:
            raise ValueError(f"kind {self.kind} needs {min(needed - given)}; add it")
        foreign = given - needed - _MAY_HAVE.get(self.kind, set()) - {"kind"}
        if foreign:
            raise ValueError(f"kind {self.kind} does not take {min(foreign)}; remove it")
        return self

    @model_validator(mode="after")
    def _path_holds_no_secret(self) -> Self:
        if self.path and "@" in urlsplit(self.path).netloc:
            raise ValueError("path holds credentials, which are stored with every run; give them to fsspec another way")
        return self


def cohort_of(text: str) -> CohortSource:
    """`search`, `locations:MICU,SICU`, `group:a1`, `list:a1`, `patients:a1,a2`, `file:ids.csv`, `export`, `export:a1`.

    Raises ValueError for anything else.
    """
    kind, colon, rest = text.strip().partition(":")
    if not re.match(COHORT_TEXT, text.strip()):
        raise ValueError(f"expected {COHORT_WORDS}")
    values: dict[str, Any] = {"kind": kind}
    if colon:
        values[_AFTER_COLON[kind]] = tuple(filter(None, rest.split(","))) if kind in _SEVERAL else rest
    return CohortSource(**values)


def _from_text(value: object) -> object:
    return cohort_of(value) if isinstance(value, str) else value


CohortChoice = Annotated[CohortSource, BeforeValidator(_from_text, json_schema_input_type=str)]
"""A cohort that may also be given in one word."""
