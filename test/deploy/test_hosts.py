"""Drones on several hosts: network namespaces stand for them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import BIN

UNSHARE = ["unshare", "--net", "--mount"]


def why_not():
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "iproute2 is not installed; ./dev setup"
    if not (BIN / "chartly-drone").exists():
        return "chartly-drone is not built; ./dev build"
    probe = subprocess.run([*UNSHARE, "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    return f"no network namespaces here: {probe.stderr.strip()}" if probe.returncode else ""


def test_U281_drones_on_several_hosts_share_the_work_as_they_may_and_do_none_of_it_twice(tmp_path):
    if reason := why_not():
        pytest.skip(reason)
    done = subprocess.run([*UNSHARE, sys.executable, Path(__file__).with_name("hosts_world.py"), tmp_path],
                          capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    print(seen)
    assert seen["runs"] > 0 and all(seen["spread"].values())
