"""Faults of a fleet of three drones: the coordinator is killed in the middle of its plan. Who holds what is then what it
was, and nothing is run again."""

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


class Fleet:
    def __init__(self, cluster, source, profiles, interval):
        self.cluster = cluster
        for drone in DRONES:
            cluster.drone(drone)
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


@pytest.fixture
def fleet_of(single, source):
    return lambda profiles, interval: Fleet(single, source, profiles, interval)


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
