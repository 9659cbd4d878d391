"""A bad revision does not get past its first ring: six kinds of it are halted and rolled back, and the reason is the same
in the command line, in REST and in what the page shows. A good one goes through all rings."""

import json
import time

import pytest

from harness import wait_until

ROWS = [{"place": f"p{i:03}", "level": i + 0.5, "kind": "a"} for i in range(40)]

PROFILE = """
id: levels
name: Levels
version: {version}
source: {{type: http_rest, url: "{url}", format: json, records: "rows[*]"}}
schedule: {{{schedule}}}
retry: {{max_attempts: 1, backoff: 50ms}}
rollout: {{rings: [50%, 100%], runs: 2}}
mapping:
  place: {{to: dims.place, required: true}}
  {level}: {{to: measures.level, type: {type}}}
  kind: {{to: attrs.kind}}
"""


class World:
    """Two drones, a source with one address a revision, and a first revision that has shown good runs."""

    def __init__(self, cluster, source):
        self.cluster, self.source = cluster, source
        # Without a schedule the only runs are those a test orders, so that it knows which run is judged.
        self.schedule = "enabled: false"
        self.serve("/v1", ROWS)
        for name in ("d1", "d2"):
            cluster.drone(name)
        cluster.create_profile(self.text("1.0.0", "/v1"))
        for _ in range(2):
            assert self.run()["status"] == "succeeded"
        self.base = self.run()["revision"]

    def serve(self, path, rows, pause=0.0):
        def route(_query):
            time.sleep(pause)
            return 200, "application/json", json.dumps({"rows": rows}).encode()
        self.source.routes[path] = route

    def text(self, version, path, level="level", kind="decimal"):
        return PROFILE.format(version=version, url=self.source.url + path, level=level, type=kind,
                              schedule=self.schedule)

    def revise(self, *arguments, **named):
        """Puts a revision and waits until its rollout has begun."""
        text = self.text(*arguments, **named).encode()
        # What the registry itself finds breaking is consented to: it is the rings that are to find it.
        revision = self.cluster.post("/api/profiles/levels?allow_breaking=true", text, method="PUT",
                                     headers={"Content-Type": "application/yaml"})["revision"]
        wait_until(lambda: self.rollout().get("target_revision", "").endswith(revision), "the rollout to begin")

    def rollout(self):
        status = self.cluster.get("/api/profiles/levels/status")
        return status.get("rollout") or {}

    def run(self):
        return self.cluster.run_to_end("levels")


@pytest.fixture
def world(single, source):
    return World(single, source)


BAD = {
    "a selector that finds nothing": (dict(path="/v1", level="levle"), "FIELD_LOST"),
    "a wrong type": (dict(path="/v1", kind="integer"), "QUARANTINE"),
    "ten times the records": (dict(path="/tenfold"), "RECORDS_FLOOD"),
    "no records": (dict(path="/empty"), "RECORDS_LOST"),
    "each record twice": (dict(path="/twice"), "DUPLICATES"),
    "far slower": (dict(path="/slow"), "RUN_SLOW"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_revision_is_halted_in_the_first_ring_and_rolled_back(world, name):
    world.serve("/tenfold", [{**row, "place": f"{row['place']}-{i}"} for i in range(10) for row in ROWS])
    world.serve("/empty", [])
    world.serve("/twice", [row for row in ROWS for _ in range(2)])
    world.serve("/slow", ROWS, pause=3)
    what, reason = BAD[name]
    world.revise("1.1.0", **what)
    bad = world.run()
    assert bad["revision"] != world.base

    rollout = wait_until(lambda: world.rollout()["state"] != "running" and world.rollout(), "the rollout to end")
    assert rollout["state"] == "rolled_back" and rollout["reason"] == reason, rollout
    assert rollout["ring"] == 1 and rollout["good_runs"] == 0
    assert rollout["run_id"] == bad["run_id"] and "revision before" in rollout["message"]
    assert world.cluster.get("/api/rollouts/levels") == rollout

    shown = world.cluster.cli("rollout", "status", "levels")
    assert shown.returncode == 0 and reason in shown.stdout and rollout["message"] in shown.stdout
    watched = world.cluster.cli("rollout", "watch", "levels")
    assert watched.returncode != 0 and rollout["message"] in watched.stdout + watched.stderr

    again = world.run()
    assert again["revision"] == world.base and again["status"] == "succeeded"


def test_what_was_rolled_back_stays_so_over_a_kill_and_an_operator_may_take_it(world):
    world.revise("1.1.0", "/v1", level="levle")
    world.run()
    wait_until(lambda: world.rollout()["state"] == "rolled_back", "the rollout to go back")
    world.cluster.kill_control()
    world.cluster.start_control()
    # A kill may fall between the verdict and its write; the end of the run is then learned and judged again.
    wait_until(lambda: world.rollout().get("state") == "rolled_back", "the rollout to have gone back")
    assert world.run()["revision"] == world.base
    accepted = world.cluster.cli("rollout", "accept", "levels")
    assert accepted.returncode == 0, accepted.stderr
    assert world.run()["revision"] != world.base


def test_a_good_revision_goes_through_all_rings(world):
    world.revise("1.1.0", "/v1")
    for _ in range(4):
        assert world.rollout()["state"] == "running"
        assert world.run()["revision"] != world.base
    wait_until(lambda: world.rollout()["state"] == "succeeded", "the rollout to succeed")
    listed = world.cluster.cli("rollout", "list", "--output", "json")
    assert json.loads(listed.stdout)["rollouts"][0]["ring"] == 2


def test_an_operator_ends_a_rollout(world):
    world.revise("1.1.0", "/v1")
    assert world.run()["revision"] != world.base
    ended = world.cluster.cli("rollout", "abort", "levels", "--reason", "not today")
    assert ended.returncode == 0 and "not today" in ended.stdout
    assert world.run()["revision"] == world.base
    refused = world.cluster.cli("rollout", "abort", "levels")
    assert refused.returncode != 0 and "ROLLOUT_NOT_RUNNING" in refused.stderr
