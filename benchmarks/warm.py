"""Compares a screening with its libraries loaded with the server's own time and with its bare requests.

The embedded server has 1,000 stays, TLS and SMART sign-in, as in `benchmarks.peer`, but nothing of a peer is installed.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import table
from benchmarks.peer import Measured, bare, source_variables, wardround
from benchmarks.population import ward
from benchmarks.screening import train
from benchmarks.servers import Key, embedded

STAYS = 1000
ROUNDS = 3
# The aims of the project for this measurement.
_CLIENT_MS, _RATIO, _SHARE = 2.5, 1.25, 2 / 3


def main(rounds: int = ROUNDS) -> None:
    """Screens and sends the bare requests in turn, each on a fresh copy of a server that was filled before."""
    key, ours, requests = Key.new(), Measured(), Measured()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        environment = {"WARDROUND_MODELS": f"{text}/models", "WARDROUND_VAR": text}
        train(ward(STAYS) / "mimic", environment)
        key_file, record = folder / "key.pem", folder / "requests.json"
        key_file.write_text(key.private_pem)
        for _ in range(rounds):
            with embedded(STAYS, key, 0.0) as server:
                found = wardround(server, {**environment, **source_variables(server, key_file)}, record, ours)
            with embedded(STAYS, key, 0.0) as server:
                bare(server, key, record, found, requests)
    client, served = statistics.median(ours.client) * 1000, statistics.median(ours.server) * 1000
    table(
        f"Screening {STAYS:,} stays on the embedded server with libraries loaded (median of {rounds})",
        ["what", "measured", "aim"],
        [
            ["client, ms of processor time per stay", f"{client:.2f}", f"{_CLIENT_MS}"],
            ["server, ms of processor time per stay", f"{served:.2f}", ""],
            ["client : server", f"{client / served:.2f}", f"{_RATIO}"],
            ["stays/s", f"{ours.speed:.0f}", ""],
            ["stays/s of the bare requests", f"{requests.speed:.0f}", ""],
            ["share of the bare requests", f"{ours.speed / requests.speed:.0%}", f"{_SHARE:.0%}"],
        ],
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
