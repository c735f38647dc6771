"""Defines the base class for the accounts that a run keeps of itself in JSON files."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Account(BaseModel):
    """The content of one JSON file of a run, or a part of it.

    Nearly every field has a default, because an earlier release may not have kept it. Reading an account and writing it
    again does not change it: no field is added, and fields of another release are kept.
    """

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    def __bool__(self) -> bool:
        """Returns whether the account holds anything; one that was never written does not."""
        return bool(self.model_fields_set)

    def as_json(self) -> dict[str, Any]:
        """Returns the content of the file."""
        return self.model_dump(mode="json", exclude_unset=True)
