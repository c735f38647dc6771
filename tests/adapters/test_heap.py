"""What a process has freed goes back to the system."""

import subprocess
import sys

FREED = """
import sys
from pathlib import Path

from wardround.adapters.heap import give_back_large_blocks


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


if sys.argv[1] == "gives back":
    give_back_large_blocks()
large = b"x" * (16 << 20)
del large  # from now on glibc keeps blocks of this size
before = resident()
blocks, kept = [], []
for _ in range(100):
    blocks.append(b"x" * (200 << 10))
    kept.append(b"y" * 2000)
del blocks
print(resident() - before)
"""


def test_freed_blocks_go_back_to_the_system_though_something_small_behind_each_is_kept():
    left = {
        how: int(subprocess.run([sys.executable, "-c", FREED, how], check=True, capture_output=True).stdout)
        for how in ("gives back", "as it is")
    }
    assert left["gives back"] < 2 << 20
    assert left["as it is"] > 10 << 20
