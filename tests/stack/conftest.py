"""The stack that the tests of a module share."""

from collections.abc import Iterator

import pytest
from tests.stack.stack import Stack, running_stack

STAYS = 200


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """What docker-compose.yaml describes, with a ward of 200 stays; logs stay in var/stack/<name of the module>."""
    with running_stack(request.module.__name__.rpartition(".")[2], STAYS) as running:
        yield running
