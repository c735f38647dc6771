"""The hospital's connection to the listener: it is opened again when it breaks, as an interface engine does."""

from contextlib import ExitStack

from wardround.adapters.mllp.sender import Sender, sender_to


class MllpLine:
    """One connection to a host and port at a time; `close` ends it."""

    def __init__(self, host: str, port: int, wait: float = 30.0) -> None:
        self._host, self._port, self._wait = host, port, wait
        self._open = ExitStack()
        self._sender: Sender | None = None

    def exchange(self, body: bytes) -> bytes | None:
        """Sends a message and returns its acknowledgement; None if none came."""
        try:
            if self._sender is None:
                self._sender = self._open.enter_context(sender_to(self._host, self._port, wait=self._wait))
            return self._sender.send(body)
        except OSError:
            self.close()
            return None

    def close(self) -> None:
        """Closes the connection."""
        self._sender = None
        self._open.close()
