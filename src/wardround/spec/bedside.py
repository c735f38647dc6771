"""What a condition does at the bedside: on which hooks it answers, when it shows a card, and what its cards offer."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from wardround.spec.base import Duration, SpecModel

Hook = Literal["encounter-start", "encounter-discharge", "order-select"]
_REASONS: Final = "urn:wardround:override-reason"
# What EHRs show in one line of a card.
Shown = Annotated[str, Field(min_length=1, max_length=80)]
Code = Annotated[str, Field(min_length=1, pattern=r"^\S+( \S+)*$")]
System = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")]


class OverrideReason(SpecModel):
    """Why a clinician sets a card aside, as the EHR offers it."""

    code: Code = Field(description="Code, which the feedback repeats.")
    system: System = Field(default=_REASONS, description="Code system.")
    display: Shown = Field(description="What the clinician reads.")


class CardLink(SpecModel):
    """A link on a card."""

    label: Shown = Field(description="What the clinician reads.")
    # Anything but a web address could make the EHR run something.
    url: str = Field(pattern=r"^https?://[^\s/]+(/\S*)?$", description="Web address, or that of a SMART app's launch.")
    type: Literal["absolute", "smart"] = Field(
        default="absolute", description="absolute: the EHR opens the address; smart: it launches the app there."
    )
    app_context: str | None = Field(default=None, min_length=1, description="Given to the app (type smart only).")

    @model_validator(mode="after")
    def _only_an_app_has_a_context(self) -> Self:
        if self.app_context is not None and self.type != "smart":
            raise ValueError("app_context is for an app that the EHR launches; set type: smart, or remove it")
        return self


class OrderCode(SpecModel):
    """What a suggested order asks for."""

    system: System = Field(description="Code system.")
    code: Code = Field(description="Code.")
    display: Shown = Field(description="The code's own display.")


class Suggestion(SpecModel):
    """An order that a card suggests; accepted, it becomes a draft ServiceRequest that the clinician signs or not."""

    label: Shown = Field(description="What the clinician reads on the button.")
    order: OrderCode = Field(description="What is ordered.")


class OnlyIf(SpecModel):
    """For which stays cards are shown: those that a scheduled screening has put into a band lately."""

    screened: tuple[Literal["low", "moderate", "high"], ...] = Field(
        min_length=1, description="The bands of the latest screening that count."
    )
    within: Duration = Field(description="How old that screening may be.")


_OVERRIDE_REASONS: Final = (
    OverrideReason(code="already-treated", display="Known and being treated"),
    OverrideReason(code="assessed", display="Assessed, no action needed now"),
    OverrideReason(code="other-cause", display="Another cause explains the values"),
    OverrideReason(code="wrong-data", display="The values are wrong or outdated"),
    OverrideReason(code="not-for-this-patient", display="Does not fit this patient's goals of care"),
)


class Bedside(SpecModel):
    """How the bedside service (CDS Hooks) answers for a condition."""

    hooks: tuple[Hook, ...] = Field(
        default=(), description="Hooks beside patient-view, each a service `<condition>-<hook>`."
    )
    low: Literal["none", "info"] = Field(
        default="none", description="What a low risk shows: no card, or an info card that says so."
    )
    only_if: OnlyIf | None = Field(
        default=None, description="Cards only for stays in these bands of the latest screening; default: for all."
    )
    override_reasons: tuple[OverrideReason, ...] | None = Field(
        default=None,
        description="What a clinician can choose when setting a card aside; default: five reasons that fit most cards.",
    )
    links: tuple[CardLink, ...] = Field(default=(), description="Links on cards of the moderate and the high band.")
    suggestions: tuple[Suggestion, ...] = Field(default=(), description="Orders that cards of the high band suggest.")

    @property
    def reasons(self) -> tuple[OverrideReason, ...]:
        """Returns what a clinician can choose when setting a card aside."""
        return _OVERRIDE_REASONS if self.override_reasons is None else self.override_reasons

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if repeated := _repeated(self.hooks):
            raise ValueError(f"hooks names {repeated} more than once; remove one of them")
        codes = [f"{one.system}|{one.code}" for one in self.reasons]
        if repeated := _repeated(codes):
            raise ValueError(f"override_reasons has {repeated} more than once; a code tells one reason, so keep one")
        return self


def _repeated(names: tuple[str, ...] | list[str]) -> str | None:
    return next((name for place, name in enumerate(names) if name in names[:place]), None)
