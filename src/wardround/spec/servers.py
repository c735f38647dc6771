"""Server profiles: the limits and abilities of one kind of FHIR server. One YAML file each."""

from typing import Final, Literal

from pydantic import Field

from wardround.spec.base import SpecModel

CATEGORIES: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
# No limit, as far as Wardround is concerned; the settings of a source are smaller.
_NO_CAP: Final = 100_000

_FOR_CHECK_SOURCE: Final = "Only check-source compares this; no search of Wardround uses it."

EncounterFilter = Literal["class", "type", "location", "date", "status"]


class ServerProfile(SpecModel):
    """A kind of FHIR server. The defaults are what FHIR R4 promises; a profile names the differences."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="Name of the profile and of its file.")
    title: str = Field(min_length=1, description="Name in messages.")
    known_from: Literal["tests", "documentation"] = Field(
        description="tests: Wardround was run against it; documentation: according to its makers."
    )
    recognised_by: tuple[str, ...] = Field(
        default=(), description="Texts in CapabilityStatement.software, implementation or publisher; case is ignored."
    )

    page_size: int = Field(default=_NO_CAP, ge=1, description="Largest `_count` that the server honours.")
    patients_per_search: int = Field(default=_NO_CAP, ge=1, description="Most patients in one search.")
    codes_per_search: int = Field(default=_NO_CAP, ge=1, description="Most codes in one search.")
    encounter_by: tuple[EncounterFilter, ...] = Field(
        default=("class", "type", "location", "date", "status"),
        description="What Encounters can be searched by, besides the patient.",
    )
    has_location_parts: bool = Field(
        default=True, description="`Location?partof=…` finds what is inside a Location, such as the beds of a unit."
    )
    encounter_needs_patient: bool = Field(
        default=False, description="Encounters can be searched by patient only: a cohort of patients must be given."
    )
    code_systems: tuple[str, ...] = Field(
        default=(), description="URIs of the code systems by which Observations can be searched; empty: all."
    )
    observation_needs: Literal["nothing", "code_or_category", "category"] = Field(
        default="nothing", description="What an Observation search must name besides the patient."
    )
    observation_categories: tuple[str, ...] = Field(
        default=(f"{CATEGORIES}|vital-signs", f"{CATEGORIES}|laboratory"),
        description="Searched instead of codes if observation_needs is category.",
    )
    panels_only: dict[str, tuple[str, ...]] = Field(
        default={}, description="LOINC panel -> codes of its components that are found only by the panel's code."
    )

    prefetch_by: Literal["loinc", "category", "all_codes"] = Field(
        default="loinc",
        description="How the bedside service asks an EHR of this kind to send Observations along: by LOINC codes; by"
        " observation_categories, which misses variables of other categories; or by all codes that are known.",
    )

    references: Literal["id", "type_and_id"] = Field(
        default="id", description="How a search names a patient: a1, or Patient/a1."
    )
    has_include: bool = Field(default=True, description="`_include` returns Patients and Locations as well.")
    has_last_updated: bool = Field(
        default=True, description=f"`_lastUpdated` is a search parameter. {_FOR_CHECK_SOURCE}"
    )
    has_date_with_last_updated: bool = Field(
        default=True, description=f"`date` and `_lastUpdated` can be combined. {_FOR_CHECK_SOURCE}"
    )
    has_post_search: bool = Field(default=True, description="Searches can be posted (`_search`).")
    has_exact_totals: bool = Field(
        default=True, description="Bundle.total, if present, counts the matches; reading fewer is an error."
    )
    has_batch: bool = Field(default=True, description="A Bundle of type batch can be posted to the base URL.")
    has_conditional_update: bool = Field(default=True, description="`PUT Type?identifier=…` writes once.")
    has_conditional_create: bool = Field(default=True, description="`If-None-Exist` creates once.")
    writes_once_by: Literal["update", "create"] = Field(
        default="update",
        description="The conditional write by which two writers at once leave one resource; for new results.",
    )
    batch_entries: int = Field(default=_NO_CAP, ge=1, description="Most entries in a batch.")
    transaction_entries: int = Field(
        default=_NO_CAP,
        ge=1,
        description="Most conditional writes in a transaction. Not used: Wardround writes in batches.",
    )

    quirks: tuple[str, ...] = Field(default=(), description="Other peculiarities, in sentences.")

    @property
    def creates_by_update(self) -> bool:
        """Whether what is new is written by conditional update; if not, it is created."""
        return self.has_conditional_update and self.writes_once_by == "update"


GENERIC: Final = ServerProfile(id="generic", title="Any FHIR R4 server", known_from="documentation")
"""What Wardround assumes about a server whose kind is not named; the same as servers/generic.yaml."""
