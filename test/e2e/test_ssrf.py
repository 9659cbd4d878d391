"""No profile makes a drone connect where it must not. Hundreds of tries in a network of their own, where every address
of the world leads to a trap."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
UNSHARE = ["unshare", "--net", "--mount"]


def why_not():
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    if not shutil.which("ip"):
        return "needs iproute2"
    probe = subprocess.run([*UNSHARE, "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    return f"no network namespaces here: {probe.stderr.strip()}" if probe.returncode else ""


def test_no_profile_reaches_an_address_that_is_not_public(tmp_path):
    if reason := why_not():
        pytest.skip(reason)
    (tmp_path / "cluster").mkdir()
    done = subprocess.run([*UNSHARE, sys.executable, HERE / "ssrf_world.py", tmp_path], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout)
    print(f"{len(seen['tested'])} vectors in {seen['tested_s']:.1f} s, {len(seen['drone'])} on a drone, "
          f"{seen['all_s']:.1f} s in all")

    assert len(seen["trapped"]) == 7  # the traps work
    assert len(seen["tested"]) >= 300 and len(seen["drone"]) >= 30
    assert seen["breaches"] == []
    assert [t for t in seen["tested"] if t["works"] is False and (t["records"] or t["exit"] == 0)] == []
    assert [t for t in seen["tested"] if t["works"] and (not t["records"] or t["exit"])] == []
    assert [t for t in seen["tested"] if "hidden-secret" in t["said"]] == []
    assert [d for d in seen["drone"] if d["works"] is False and d["status"] != "failed"] == []
    assert [d for d in seen["drone"] if d["works"] and d["status"] != "succeeded"] == []
