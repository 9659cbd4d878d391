"""The version before and this one beside each other: messages, data, spools, and a rolling update of processes."""

import json
import os
import random
import sys
import tarfile
from pathlib import Path

import pytest

import previous
from harness import BIN, PARTS, ROOT, Cluster, wait_until

sys.path.insert(0, str(ROOT / "test/chaos"))
from faults import WallClock  # noqa: E402

YEAR = 366 * 86400
SAMPLES = ["sample-co2", "sample-gdp", "sample-population"]


def missing(known, now, where=""):
    """What was said before and is not said now, path by path. More may be said."""
    if isinstance(known, dict) and isinstance(now, dict):
        return [fault for name, each in known.items() for fault in
                (missing(each, now[name], f"{where}.{name}") if name in now else [f"{where}.{name} is gone"])]
    if isinstance(known, list) and isinstance(now, list) and len(known) <= len(now):
        return [fault for index, each in enumerate(known) for fault in missing(each, now[index], f"{where}[{index}]")]
    return [] if known == now else [f"{where}: {known} is now {now}"]


# --- messages ---

def test_J142_every_message_and_method_of_the_version_before_is_there_as_it_was():
    known, now = (previous.KEPT / "messages.txt").read_text().splitlines(), previous.messages()
    assert len(known) > 1000 and sorted(set(known) - set(now)) == []


def test_J142_a_change_that_the_version_before_would_not_understand_is_found(tmp_path):
    proto = """syntax = "proto3"; package x.v1;
enum Kind { KIND_UNSPECIFIED = 0; KIND_ONE = 1; }
message Inner { message Deep { string name = 1; } repeated Deep deep = 2; }
message Thing { string name = 1; Kind kind = 2; map<string, int64> counts = 3; optional double size = 4; }
service Things { rpc Get(Thing) returns (stream Thing); }
"""
    (tmp_path / "x").mkdir()
    path = tmp_path / "x/thing.proto"
    path.write_text(proto)
    known = set(previous.messages(tmp_path))
    for good, bad in [("string name = 1; Kind", "bytes name = 1; Kind"), ("kind = 2", "kind = 5"), ("KIND_ONE = 1", "KIND_TWO = 1"),
                      ("map<string, int64>", "map<string, int32>"), ("repeated Deep", "Deep"), ("string name = 1; }", "string called = 1; }"),
                      ("returns (stream Thing)", "returns (Thing)"), ("rpc Get(", "rpc Read("), ("message Thing {", "message Thing { string note = 9;")]:
        assert good in proto
        path.write_text(proto.replace(good, bad))
        assert bool(known - set(previous.messages(tmp_path))) == ("note" not in bad), bad


# --- data ---

@pytest.fixture
def kept(tmp_path):
    """The folders of the version before, as they were when it was killed."""
    if not (BIN / "chartly-control").exists():
        pytest.skip("chartly-control is not built; ./dev build")
    with tarfile.open(previous.KEPT / "data.tar.xz") as archive:
        archive.extractall(tmp_path)
    return tmp_path


class Later(Cluster):
    """A control plane whose clock, and whose drones' clocks, are ahead."""

    def __init__(self, folder, seconds):
        self.clock = WallClock(folder, "later")
        self.clock.set(seconds)
        super().__init__(folder)

    def make_controls(self):
        super().make_controls()
        for each in self.controls:
            each.prefix = self.clock.prefix


@pytest.mark.parametrize("later", [0, YEAR])
def test_J142_what_the_version_before_stored_and_spooled_is_taken_over(kept, later):
    known = json.loads((previous.KEPT / "state.json").read_text())
    run_id = known.pop("spooled_run")
    cluster = Later(kept, later)
    try:
        assert missing(known, previous.state(cluster)) == []
        assert len(known["records"]) == 3 and all(known["records"].values())
        # What the drone had fetched and could not hand over comes from its spool, and the balance of its run closes. Until it
        # is heard of, its run may count as failed.
        cluster.drone(prefix=cluster.clock.prefix)
        run = wait_until(lambda: (each := cluster.get(f"/api/runs/{run_id}"))["status"] == "succeeded" and each, "the run that was spooled", 240)
        wait_until(lambda: previous.spooled(cluster, "d1") == 0, "the spool to be empty", 240)
        balance = run["balance"]
        assert balance["closed"] and balance["lost"] == 0 and balance["fetched"] == balance["stored"] + balance["duplicate"] > 0, run
        # The profiles are what they were, so nothing is stored twice; and the log of changes goes on and can be proven.
        for name in SAMPLES:
            run = cluster.run_to_end(name, 180)
            assert run["status"] == "succeeded" and run["balance"]["stored"] == 0, run
        for path in sorted((ROOT / "profiles/sample").glob("*.yaml")):
            assert cluster.cli("profile", "apply", path).returncode == 0
        assert missing(known, previous.state(cluster)) == []
        exported = kept / "audit.ndjson"
        done = cluster.cli("audit", "export", exported)
        assert done.returncode == 0, done.stderr
        done = cluster.cli("audit", "verify", exported)
        assert done.returncode == 0, done.stderr
    finally:
        cluster.close()


# --- processes ---

class Mixed(Cluster):
    """A process a part, at first all of the version before."""

    def __init__(self, folder, before):
        self.before = before
        super().__init__(folder, split=True)

    def make_controls(self):
        super().make_controls()
        for each in self.controls:
            each.name = str(self.before / "chartly-control")

    def part(self, name):
        return next(each for each in self.controls if each.arguments[each.arguments.index("--services") + 1] == name)

    def replace(self, name, programs):
        each = self.part(name)
        each.stop(60)
        each.name = str(programs / "chartly-control")
        each.start()
        self.wait_ready()


def test_J142_a_rolling_update_of_processes_goes_on_through_every_mixture_and_back(tmp_path):
    before = os.environ.get("CHARTLY_PREVIOUS_BIN")
    if not before:
        pytest.skip("CHARTLY_PREVIOUS_BIN names no programs of the version before; they are those of its release")
    cluster = Mixed(tmp_path, Path(before))
    try:
        for drone in ("old", "new"):
            cluster.drone(drone, source_dir=ROOT / "profiles")
        # One drone is of the version before until the end, the other is the first that is replaced.
        for name, programs in (("old", Path(before)), ("new", BIN)):
            cluster.drones[name].stop(60)
            cluster.drones[name].name = str(programs / "chartly-drone")
            cluster.drone(name)
        for path in sorted((ROOT / "profiles/sample").glob("*.yaml")):
            cluster.create_profile(path.read_text())

        def works(what):
            for name in SAMPLES:
                run = cluster.run_to_end(name, 180)
                assert run["status"] == "succeeded" and run["balance"]["closed"] and run["balance"]["lost"] == 0, f"{what}: {run}"
        works("all of the version before")
        known = previous.state(cluster)
        order = [*PARTS, "gateway"]
        random.Random(142).shuffle(order)
        for part in order:
            cluster.replace(part, BIN)
            works(f"{part} is new")
        assert missing({name: known[name] for name in ("records", "profiles", "runs", "keys", "deployments", "changes")}, previous.state(cluster)) == []
        # A release that is taken back: the version before reads what this one wrote.
        for part in reversed(order):
            cluster.replace(part, Path(before))
            works(f"{part} is old again")
        assert missing({name: known[name] for name in ("records", "profiles", "runs", "keys", "deployments", "changes")}, previous.state(cluster)) == []
    finally:
        cluster.close()
