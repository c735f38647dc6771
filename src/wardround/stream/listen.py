"""The listener of the stream: takes messages of all sources in, and answers when they are on disk."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from wardround.adapters.queue.intake import Intake
from wardround.adapters.sockets import listen
from wardround.errors import SpecError
from wardround.settings import Settings
from wardround.spec.loading import load_stream
from wardround.stream.doors import opened_doors
from wardround.stream.metrics import Metrics


@contextmanager
def opened(settings: Settings, intake: Intake, metrics: Metrics) -> Iterator[Callable[[], str]]:
    """Listens while the block runs; gives what returns why messages could not be stored a moment ago, else "".

    Raises WardroundError if it cannot begin.
    """
    stream, beside = load_stream(settings.stream), settings.stream.parent
    if not any(source.listen or source.subscription for source in stream.sources.values()):
        raise SpecError(f"{settings.stream}: sources: none has a port, expected `listen` for one at least; add it")
    with ExitStack() as stack:
        if stream.subscriptions_address is not None:
            # A web server takes memory that a listener for MLLP alone must not.
            from wardround.stream.subscriptions.door import opened_subscriptions

            listening = stack.enter_context(listen(*stream.subscriptions_address, "stream subscriptions"))
            stack.enter_context(opened_subscriptions(stream, beside, listening, intake, metrics))
        yield stack.enter_context(opened_doors(stream, beside, intake, metrics)).trouble
