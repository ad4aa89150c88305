"""A run of ten million cases has its report in 20 seconds, in 1 GiB of memory, in 3 MB."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reports.large_run import record_of, write_large_run

MEASURE = """
import json, sys, time
from pathlib import Path
from reports.page import write_report
started = time.perf_counter()
page = write_report(Path(sys.argv[1]))
seconds = time.perf_counter() - started
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(json.dumps({"seconds": seconds, "kibibytes": int(peak), "bytes": page.stat().st_size}))
"""


def measured(folder: Path, before: str = "") -> dict[str, float]:
    """What a fresh process takes to write a folder's report; before: what it does first."""
    done = subprocess.run([sys.executable, "-c", before + MEASURE, str(folder)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def within(found: dict[str, float], *, seconds: float, kibibytes: float, size: float) -> bool:
    return found["seconds"] < seconds and found["kibibytes"] < kibibytes and found["bytes"] < size


@pytest.mark.soak
def test_ten_million_cases(tmp_path):
    """The peak is that of the process that rendered alone: ``ru_maxrss`` would begin with what its parent had when it forked."""
    found = measured(write_large_run(record_of(10_000_000), tmp_path))
    print(found)
    assert within(found, seconds=20, kibibytes=2**20, size=3_000_000)


def test_cases_make_a_page_no_larger_and_memory_is_measured(tmp_path):
    """Ten times the cases of the same cells: every count has a digit more, and no picture a mark for each case.

    The second process holds half a gigabyte of its own, and that is seen.
    """
    rest = {"claims": [], "models": [], "near_zero": []}
    small, large = (write_large_run(record_of(cases, blocks=1, scenarios=1, **rest), tmp_path / str(cases)) for cases in (24_000, 240_000))
    plain = measured(small)
    fat = measured(large, "held = bytearray(2**29)\nfor place in range(0, 2**29, 4096): held[place] = 1\n")
    assert fat["bytes"] < 1.1 * plain["bytes"]
    assert fat["kibibytes"] > plain["kibibytes"] + 2**18
    assert not within(fat, seconds=600, kibibytes=2**19, size=3_000_000)
    assert within(plain, seconds=600, kibibytes=2**19, size=3_000_000)


def test_a_page_with_a_mark_for_each_case_is_seen():
    assert not within({"seconds": 1, "kibibytes": 1, "bytes": 10_000_000 * len("m0 0")}, seconds=20, kibibytes=2**20, size=3_000_000)
