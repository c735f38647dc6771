"""Makes an object that cannot be hashed, or only slowly, a key of what is kept of it."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Same(Generic[T]):
    """An object, equal to itself alone: to compare specs by their fields takes longer than what is kept of them saves.

    It keeps the object alive, so that no other one can take its identity.
    """

    __slots__ = ("of",)

    def __init__(self, of: T) -> None:
        self.of = of

    def __hash__(self) -> int:
        return id(self.of)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.of is other.of
