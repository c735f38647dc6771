"""What a process has freed goes back to the system, or is kept where it is needed again at once."""

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


CALLED = """
import sys
from resource import RUSAGE_SELF, getrusage

from wardround.adapters.heap import keep_for_the_next_call, tune_glibc

tune_glibc()
if sys.argv[1] == "kept":
    keep_for_the_next_call()


def call():
    blocks = [b"x" * (100 << 10) for _ in range(10)]
    return len(blocks)


call()
before = getrusage(RUSAGE_SELF).ru_minflt
for _ in range(20):
    call()
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""


def test_what_a_call_has_freed_is_there_for_the_next_one():
    cleared = {
        how: int(subprocess.run([sys.executable, "-c", CALLED, how], check=True, capture_output=True).stdout)
        for how in ("kept", "as it is")
    }
    assert cleared["kept"] < 100
    assert cleared["as it is"] > 2_000  # pages
