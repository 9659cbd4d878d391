"""Faults of a fleet of three drones: the coordinator is killed in the middle of its plan, a drone is cut off from the
coordinator alone; and, with each drone in a network of its own, partition, pause and kill of a drone and of the
coordinator, and jumps of their clocks. Who holds what is then what it was, or goes to the others and stays whole; at no
moment has a profile two leases; no run is done twice, and none is missed for longer than a lease."""

import datetime
import json
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fleet_view import DRONES, FleetView
from harness import ApiError, wait_until
from test_backfill import Days, ended, start, text
from test_ssrf import UNSHARE, why_not

HERE = Path(__file__).parent
PROFILE = """
id: fleet-{number}
name: Rows
version: 1.0.0
source: {{type: http_rest, url: "{url}/rows/{number}", format: json}}
schedule: {{enabled: true, interval: {interval}}}
mapping:
  id: {{to: dims.id, type: integer}}
  value: {{to: measures.value, type: integer}}
"""


class Wire:
    """A way to a port that can be cut: then nothing passes and nothing is refused, as on a network that is torn."""

    def __init__(self, port):
        self.target, self.cut = port, False
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.pass_on, args=(near,), daemon=True).start()

    def pass_on(self, near):
        self.await_whole()
        try:
            far = socket.create_connection(("127.0.0.1", self.target), 5)
        except OSError:
            near.close()
            return
        other = {near: far, far: near}
        try:
            while True:
                for ready in select.select([near, far], [], [], 0.1)[0]:
                    data = ready.recv(1 << 16)
                    self.await_whole()
                    if not data:
                        return
                    other[ready].sendall(data)
        except OSError:
            pass
        finally:
            near.close()
            far.close()

    def await_whole(self):
        while self.cut:
            time.sleep(0.02)

    def close(self):
        self.cut = False
        self.server.close()


@pytest.fixture
def fleet_of(single, source):
    """A fleet with profiles of that interval, each drone with a wire of its own to the coordinator."""
    wires = {}

    def make(profiles, interval):
        fleet = FleetView(single, [f"fleet-{number}" for number in range(profiles)])
        real = single.rpc["coordinator"]
        for drone in DRONES:
            wires[drone] = Wire(real)
            single.rpc["coordinator"] = wires[drone].port
            # As many places as profiles: each run goes to who holds its profile.
            single.drone(drone, flags=["--capacity", str(profiles)])
        single.rpc["coordinator"] = real
        fleet.wires = wires
        fleet.await_active()
        for number in range(profiles):
            source.routes[f"/rows/{number}"] = lambda _query: (200, "application/json", b'[{"id":1,"value":2}]')
            single.create_profile(PROFILE.format(number=number, url=source.url, interval=interval))
        return fleet
    yield make
    for wire in wires.values():
        wire.close()


def test_a_coordinator_that_is_killed_comes_back_to_the_same_plan(fleet_of, scale):
    fleet = fleet_of(profiles=30, interval="1d")
    wait_until(lambda: len(fleet.runs()) == 30, "a run of each profile")
    fleet.settled_runs()
    plan = fleet.whole_plan()
    assert all(7 <= len(held) <= 13 for held in plan.values()), plan

    def same():
        # The coordinator hears of the profiles one after the other; until then nobody holds anything else.
        now = fleet.plan()
        assert all(now[drone] <= plan[drone] for drone in DRONES), (now, plan)
        return now == plan
    for _ in range(scale(3, 200)):
        fleet.cluster.kill_control()
        fleet.cluster.start_control()
        wait_until(same, "the same plan")
    fleet.await_active()
    assert fleet.plan() == plan
    assert len(fleet.runs()) == 30  # nothing is due again


def test_a_coordinator_that_is_killed_in_mid_backfill_has_no_part_done_twice_and_loses_none(single, source, scale):
    kills = scale(4, 200)
    parts = 15 * kills
    days = Days(source)
    days.pause = 0.5
    for drone in DRONES:
        single.drone(drone)
    FleetView(single, ["figures"]).await_active()
    single.create_profile(text(source))
    first = datetime.date(2010, 1, 1)
    backfill = start(single, first, first + datetime.timedelta(days=parts), at_most=9)  # three each, and a place left free

    def state():
        try:
            return single.get(f"/api/backfills/{backfill}")
        except (ApiError, OSError):
            return {"succeeded": 0}
    for _ in range(kills):
        done = wait_until(state, "the backfill")["succeeded"]
        wait_until(lambda least=done: state()["succeeded"] > least, "the backfill to go on")
        single.kill_control()
        single.start_control()
    wait_until(lambda: state().get("state") == "running", "the backfill to go on")
    days.pause = 0
    done = ended(single, backfill)
    assert done["state"] == "succeeded" and done["succeeded"] == parts, done
    assert len(days.asked) == parts and set(days.asked.values()) == {1}, {d: n for d, n in days.asked.items() if n != 1}
    runs = FleetView(single, ["figures"]).runs()
    assert len(runs) == parts and {run["status"] for run in runs} == {"succeeded"}
    assert {run["drone_id"] for run in runs} == set(DRONES)


def test_what_a_drone_held_that_is_cut_off_from_the_coordinator_alone_goes_to_the_others(fleet_of):
    fleet = fleet_of(profiles=12, interval="1s")
    fleet.lose_a_drone(lambda drone: setattr(fleet.wires[drone], "cut", True),
                       lambda drone: setattr(fleet.wires[drone], "cut", False))
    fleet.pause_all()
    runs = fleet.settled_runs()
    assert all(run["status"] == "succeeded" or run["error_reason"] == "DRONE_LOST" for run in runs)
    assert all(run["balance"].get("closed") for run in runs), [r for r in runs if not r["balance"].get("closed")]


def survive(fault, folder):
    """In a world of its own: three drones and the control plane, each in a network namespace."""
    if reason := why_not():
        pytest.skip(reason)
    done = subprocess.run([*UNSHARE, sys.executable, HERE / "fleet_world.py", fault, folder], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-12000:]
    print(fault, json.loads(done.stdout.splitlines()[-1]))


def test_a_drone_whose_network_is_torn_gives_up_its_profiles_and_no_time_is_done_twice(tmp_path):
    survive("partition", tmp_path)


def test_a_drone_that_is_paused_gives_up_its_profiles_and_no_time_is_done_twice(tmp_path):
    survive("pause", tmp_path)


def test_a_drone_that_is_killed_gives_up_its_profiles_and_no_time_is_done_twice(tmp_path):
    survive("kill", tmp_path)


def test_a_coordinator_that_is_paused_for_longer_than_a_lease_gives_no_second_one(tmp_path):
    survive("coordinator-paused", tmp_path)


def test_a_coordinator_that_is_killed_for_longer_than_a_lease_gives_no_second_one(tmp_path):
    survive("coordinator-killed", tmp_path)


def test_a_drone_whose_clock_jumps_is_named_and_keeps_its_profiles(tmp_path):
    survive("drone-clock", tmp_path)


def test_a_coordinator_whose_clock_jumps_loses_nobody_and_runs_each_profile_at_most_once_more(tmp_path):
    survive("coordinator-clock", tmp_path)  # also over a start with another clock
