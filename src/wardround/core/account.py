"""What a run says of itself in a JSON file, as a model."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Account(BaseModel):
    """The content of one JSON file of a run, or a part of it.

    Nearly every field has a default, as an earlier release may not have kept it. An account that is read and written
    again says what it said: nothing that was not said is added, and what another release says besides is kept.
    """

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    def __bool__(self) -> bool:
        """Returns whether it says anything; an account that was never written does not."""
        return bool(self.model_fields_set)

    def as_json(self) -> dict[str, Any]:
        """Returns the content of the file."""
        return self.model_dump(mode="json", exclude_unset=True)
