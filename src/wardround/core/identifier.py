"""An identifier: a number, and who issued it. A number alone names nobody."""

from typing import NamedTuple


class Identifier(NamedTuple):
    """An identifier, which names a resource on any server."""

    system: str
    value: str

    def __repr__(self) -> str:
        """Returns the system alone: the value may be a patient's number."""
        return f"Identifier({self.system!r}, …)"
