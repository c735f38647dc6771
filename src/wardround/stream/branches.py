"""The branches of all conditions, by the name that messages carry."""

from collections.abc import Mapping
from typing import NamedTuple

from wardround.spec.branches import Branch
from wardround.spec.conditions import Condition


class Way(NamedTuple):
    """A branch with its condition."""

    condition: Condition
    branch: Branch

    @property
    def name(self) -> str:
        """Its name in messages: condition and branch."""
        return f"{self.condition.id}/{self.branch.id}"


def ways_of(conditions: Mapping[str, Condition]) -> dict[str, Way]:
    """Returns all branches by name."""
    ways = (Way(one, branch) for one in conditions.values() for branch in one.stream.branches)
    return {way.name: way for way in ways}
