"""Faults of a fleet of three drones: the coordinator is killed in the middle of its plan, a drone is stopped by a signal,
another one is cut off from the coordinator alone. Who holds what is then what it was, or goes to the others and stays
whole; no run is done twice, and every run that was made ends."""

import select
import signal
import socket
import threading
import time

import pytest

from harness import FINAL, wait_until

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
DRONES = ["d1", "d2", "d3"]


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
        while self.cut:
            time.sleep(0.02)
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
                    while self.cut:
                        time.sleep(0.02)
                    if not data:
                        return
                    other[ready].sendall(data)
        except OSError:
            pass
        finally:
            near.close()
            far.close()

    def close(self):
        self.server.close()


class Fleet:
    def __init__(self, cluster, source, profiles, interval):
        self.cluster, self.wires = cluster, {}
        real = cluster.rpc["coordinator"]
        for drone in DRONES:
            self.wires[drone] = Wire(real)
            cluster.rpc["coordinator"] = self.wires[drone].port
            cluster.drone(drone)
        cluster.rpc["coordinator"] = real
        wait_until(lambda: cluster.get("/api/drones/stats")["active"] == 3, "the drones to be active")
        for number in range(profiles):
            source.routes[f"/rows/{number}"] = lambda _query: (200, "application/json", b'[{"id":1,"value":2}]')
            cluster.create_profile(PROFILE.format(number=number, url=source.url, interval=interval))
        wait_until(lambda: sum(map(len, self.plan().values())) == profiles, "all profiles to be held")

    def plan(self):
        """Which profiles each drone holds."""
        return {drone: sorted(a["profile_id"] for a in
                              self.cluster.get(f"/api/drones/{drone}/work").get("assignments", []))
                for drone in DRONES}

    def runs(self):
        found, token = [], ""
        while True:
            answer = self.cluster.get("/api/runs", page_size=1000, page_token=token)
            found += answer["runs"]
            token = answer.get("next_page_token", "")
            if not token:
                return found

    def settled_runs(self):
        def settled():
            runs = self.runs()
            return runs if runs and all(run["status"] in FINAL for run in runs) else None
        return wait_until(settled, "all runs to end", 120)

    def state(self, drone):
        return next(d["state"] for d in self.cluster.get("/api/drones")["drones"] if d["drone_id"] == drone)

    def close(self):
        for wire in self.wires.values():
            wire.close()


@pytest.fixture
def fleet_of(single, source):
    made = []

    def make(profiles, interval):
        made.append(Fleet(single, source, profiles, interval))
        return made[-1]
    yield make
    for fleet in made:
        fleet.close()


def test_a_coordinator_that_is_killed_comes_back_to_the_same_plan(fleet_of, scale):
    fleet = fleet_of(profiles=30, interval="1d")
    wait_until(lambda: len(fleet.runs()) == 30, "a run of each profile")
    fleet.settled_runs()
    plan = fleet.plan()
    assert all(7 <= len(held) <= 13 for held in plan.values()), plan
    for _ in range(scale(3, 200)):
        fleet.cluster.kill_control()
        fleet.cluster.start_control()
        assert fleet.plan() == plan  # as soon as it is ready
    wait_until(lambda: fleet.cluster.get("/api/drones/stats")["active"] == 3, "the drones to be back")
    assert fleet.plan() == plan
    assert len(fleet.runs()) == 30  # nothing is due again


@pytest.mark.parametrize("fault", ["stopped by a signal", "cut off"])
def test_what_a_lost_drone_held_goes_to_the_others_and_no_run_is_done_twice(fleet_of, fault):
    fleet = fleet_of(profiles=12, interval="1s")
    before = fleet.plan()
    victim = max(DRONES, key=lambda drone: len(before[drone]))
    process = fleet.cluster.drones[victim].process
    if fault == "cut off":
        fleet.wires[victim].cut = True
    else:
        process.send_signal(signal.SIGSTOP)
    wait_until(lambda: fleet.state(victim) == "offline", "the drone to be taken as lost", 30)
    wait_until(lambda: not fleet.plan()[victim], "its profiles to be with the others", 30)
    others = fleet.plan()
    assert sum(map(len, others.values())) == 12
    for drone in DRONES:
        assert drone == victim or set(before[drone]) <= set(others[drone])  # what nothing happened to stays
    newest, profiles = max(run["create_time"] for run in fleet.runs()), set(sum(before.values(), []))
    wait_until(lambda: profiles == {run["profile_id"] for run in fleet.runs()
                                    if run["create_time"] > newest and run["status"] == "succeeded"},
               "every profile to run elsewhere", 60)
    if fault == "cut off":
        fleet.wires[victim].cut = False
    else:
        process.send_signal(signal.SIGCONT)
    wait_until(lambda: fleet.state(victim) == "active", "the drone to be back", 30)
    wait_until(lambda: fleet.plan()[victim], "it to hold profiles again", 30)
    for number in range(12):
        fleet.cluster.post(f"/api/profiles/fleet-{number}:pause")
    runs = fleet.settled_runs()
    assert all(run["status"] == "succeeded" or run["error_reason"] == "DRONE_LOST" for run in runs)
    assert all(run["balance"].get("closed") for run in runs), [r for r in runs if not r["balance"].get("closed")]
