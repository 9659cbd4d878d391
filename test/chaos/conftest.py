"""Faults under the shipped binaries: what a disk, a kernel and a power supply do to a drone. CHARTLY_CHAOS=full makes as
many as the promises name; without it a few of each."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))
from faults import LoopDisk, MemoryDisk, can_trace, mounted  # noqa: E402
from harness import Cluster, SourceServer  # noqa: E402

FULL = os.environ.get("CHARTLY_CHAOS", "quick") == "full"


@pytest.fixture
def scale():
    """scale(quick, full) is the number of trials."""
    return lambda quick, full: full if FULL else quick


@pytest.fixture
def source():
    server = SourceServer()
    yield server
    server.close()


@pytest.fixture
def single(tmp_path):
    made = Cluster(tmp_path)
    yield made
    made.close()


@pytest.fixture
def traced():
    reason = can_trace()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def loop_disk(tmp_path):
    yield from mounted(LoopDisk, tmp_path)


@pytest.fixture
def memory_disk(tmp_path):
    yield from mounted(MemoryDisk, tmp_path)
