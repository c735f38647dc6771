"""Simulates a network between client and server, as a process: `python -m benchmarks.delay SECONDS`.

Bytes arrive half a round trip after they were sent, independently of all others. A new connection carries nothing for a
whole round trip, as with TCP's handshake. TLS then takes its usual round trips. `network` starts the process.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LOOPBACK = "127.0.0.1"
_MOST = 2**18  # bytes at a time


class Network:
    """Listens, and forwards everything to another port of this machine and back."""

    def __init__(self, round_trip: float) -> None:
        self._round_trip = round_trip

    async def serve(self) -> None:
        """Prints its port, reads the port to forward to, and ends when standard input does."""
        server = await asyncio.start_server(self._connected, LOOPBACK, 0, limit=_MOST, backlog=512)
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        self._port = int(await asyncio.to_thread(sys.stdin.readline))
        await asyncio.to_thread(sys.stdin.read)
        server.close()

    async def _connected(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        established = asyncio.get_running_loop().time() + self._round_trip
        from_server, to_server = await asyncio.open_connection(LOOPBACK, self._port, limit=_MOST)
        await asyncio.gather(
            self._carry(from_client, to_server, established), self._carry(from_server, to_client, established)
        )

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, established: float) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(_MOST):
                # Slightly after the previous part, because the loop does not keep the order of equal times.
                last = max(max(loop.time(), established) + self._round_trip / 2, last + 1e-6)
                loop.call_at(last, writer.write, part)
        loop.call_at(max(last, loop.time() + self._round_trip / 2), writer.close)


@contextmanager
def network(round_trip: float) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """Yields the port to use instead of the server's, and the process; pass it the server's port with `leads_to`."""
    command = [sys.executable, "-m", "benchmarks.delay", str(round_trip)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.stdin.close()
            process.wait(10)


def leads_to(process: "subprocess.Popen[str]", port: int) -> None:
    """Tells a network where the server listens, before the first connection."""
    assert process.stdin
    process.stdin.write(f"{port}\n")
    process.stdin.flush()


if __name__ == "__main__":
    asyncio.run(Network(float(sys.argv[1])).serve())
