"""Where the patients of a screening come from, as given in a condition file, on the command line or in a form."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from wardround.spec.base import Duration, SpecModel

_AN_ID: Final = r"[A-Za-z0-9\-.]{1,64}"
_A_FEED: Final = r"[a-z0-9]+(?:-[a-z0-9]+)*"
Kind = Literal["search", "locations", "group", "list", "patients", "file", "export", "adt"]
Id = Annotated[str, Field(pattern=rf"^{_AN_ID}$")]

# The keys that each kind needs, and those that it may have in addition.
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
    "adt": {"feeds"},
}
# The key that takes the part of the text after the colon, and the keys that take several values.
_AFTER_COLON: Final = {
    "locations": "locations",
    "group": "id",
    "list": "id",
    "patients": "patients",
    "file": "path",
    "export": "id",
    "adt": "feeds",
}
_SEVERAL: Final = {"locations", "patients", "feeds"}

COHORT_TEXT: Final = (
    rf"^(search|locations(:.+)?|(group|list):{_AN_ID}|patients:{_AN_ID}(,{_AN_ID})*|file:.+|export(:{_AN_ID})?"
    rf"|adt(:{_A_FEED}(,{_A_FEED})*)?)$"
)
COHORT_WORDS: Final = (
    "search, locations, locations:NAME,NAME, group:ID, list:ID, patients:ID,ID, file:PATH, export, export:GROUP_ID, adt"
    " or adt:FEED,FEED"
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
    "adt",
    "adt:",
)
"""The beginning of each form, for input fields that suggest them."""


class Encounters(SpecModel):
    """Which Encounters count as stays: those of any of the classes or types, and those that were in any Location."""

    classes: tuple[str, ...] = Field(default=(), description="Codes of Encounter.class, as `code` or `system|code`.")
    types: tuple[str, ...] = Field(default=(), description="Codes of Encounter.type, as `code` or `system|code`.")
    locations: tuple[str, ...] = Field(
        default=(), description="Names or ids of Locations; an Encounter counts for its time there or in their parts."
    )

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """Returns the given values, under the name of their search parameter."""
        all_of_it = {"class": self.classes, "type": self.types, "location": self.locations}
        return {name: values for name, values in all_of_it.items() if values}


class CohortSource(SpecModel):
    """Where the patients come from; each kind has its own keys."""

    kind: Kind = Field(
        default="search",
        description="search: the stays defined by cohort.encounters or the connection. locations: Encounters in"
        " Locations, of any class and type. group, list: the Patients of a FHIR Group or List. patients: those with"
        " these ids. file: a file of Patient ids. export: a Bulk Data export of the server or of a Group. adt: who lies"
        " in a unit that the stream door watches.",
    )
    id: Id | None = Field(default=None, description="Id of the Group or List; for an export, the Group to export.")
    locations: tuple[str, ...] = Field(
        default=(),
        description="Names or ids (kind locations); default: those of cohort.encounters, or of the connection.",
    )
    patients: tuple[str, ...] = Field(
        default=(), description="Ids of Patients (kind patients); meant for requests rather than a condition file."
    )
    path: str | None = Field(
        default=None, description="Path or fsspec URL (kind file): *.csv, *.ndjson, or one id per line; may be *.gz."
    )
    column: str | None = Field(
        default=None, description="Column or key of the ids in CSV or NDJSON; default: patient_id, or a Patient's id."
    )
    feeds: tuple[Annotated[str, Field(pattern=rf"^{_A_FEED}$", max_length=40)], ...] = Field(
        default=(), description="Sources of the stream (kind adt); default: those of this FHIR server."
    )
    since: Duration | None = Field(
        default=None, description="Export only what changed within this time before as_of; other stays are not found."
    )
    deadline: Duration = Field(default=timedelta(hours=2), description="How long to wait for an export.")

    @field_validator("patients")
    @classmethod
    def _patients_are_ids(cls, patients: tuple[str, ...]) -> tuple[str, ...]:
        for place, text in enumerate(patients, start=1):
            if not re.fullmatch(_AN_ID, text):
                # The text itself is not shown: it may be a patient's name.
                raise ValueError(f"number {place} is not a Patient id; use at most 64 letters, digits, - and .")
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
            raise ValueError("path contains credentials, and every run stores it; pass them to fsspec in another way")
        return self


def cohort_of(text: str) -> CohortSource:
    """Parses one of the forms in COHORT_WORDS, such as `search`, `locations:MICU,SICU`, `group:a1` or `patients:a1,a2`.

    Raises ValueError for anything else.
    """
    kind, colon, rest = text.strip().partition(":")
    if not re.match(COHORT_TEXT, text.strip()):
        raise ValueError(f"expected {COHORT_WORDS}")
    values: dict[str, Any] = {"kind": kind}
    if colon:
        key = _AFTER_COLON[kind]
        values[key] = tuple(filter(None, rest.split(","))) if key in _SEVERAL else rest
    return CohortSource(**values)


def _from_text(value: object) -> object:
    return cohort_of(value) if isinstance(value, str) else value


CohortChoice = Annotated[CohortSource, BeforeValidator(_from_text, json_schema_input_type=str)]
"""A cohort that may also be given as a short text."""
