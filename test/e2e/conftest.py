"""End-to-end tests on the shipped binaries. Nothing here links product code: processes, HTTP and files only."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harness import Cluster, SHARED_DATA, SourceServer  # noqa: E402


@pytest.fixture
def shared_data():
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the public data folder {os.path.relpath(SHARED_DATA)} is absent")
    return SHARED_DATA


@pytest.fixture
def source():
    server = SourceServer()
    yield server
    server.close()


@pytest.fixture(params=["one process", "nine processes"])
def cluster(request, tmp_path):
    made = Cluster(tmp_path, split=request.param == "nine processes")
    yield made
    made.close()


@pytest.fixture
def single(tmp_path):
    made = Cluster(tmp_path)
    yield made
    made.close()
