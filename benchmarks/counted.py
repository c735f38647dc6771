"""Runs a command of Wardround, and writes to a file how many requests it made to S3 and how long they took.

`python -m benchmarks.counted FILE screen sepsis …`: the command's output and exit code are its own.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from aiobotocore.client import AioBaseClient

from wardround.cli.main import wardround


def main(file: Path, arguments: list[str]) -> None:
    """Counts requests by their kind; the seconds of those that are made side by side are added up."""
    counts: Counter[str] = Counter()
    seconds, ask = [0.0], AioBaseClient._make_api_call

    async def counted(client: Any, operation: str, parameters: Any) -> Any:
        began = time.monotonic()
        try:
            return await ask(client, operation, parameters)
        finally:
            counts[operation] += 1
            seconds[0] += time.monotonic() - began

    AioBaseClient._make_api_call = counted
    try:
        wardround(arguments)
    finally:
        file.write_text(json.dumps({"seconds": seconds[0], "requests": counts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
