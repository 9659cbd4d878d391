"""Payloads that drones keep go through a mended profile, and the source, which counts, is asked nothing."""

import json
import re
import urllib.request

import pytest

from harness import ApiError, wait_until

PROFILE = """id: stations
name: Stations
version: {version}
source:
  type: http_rest
  url: "{url}/stations"
  format: json
  records: "rows[*]"
  auth: {{type: query, name: api_key, secretRef: {{name: portal, key: key}}}}
  pagination: {{type: page, param: page, pages: pages}}
schedule: {{enabled: false}}
mapping:
  id: {{to: dims.id, type: integer}}
  {level}: {{to: measures.level, type: decimal}}
key: [dims.id]
{capture}
"""
CAPTURE = "capture: {max_bytes: 1MiB, max_age: 7d}"
SECRET = "secret-of-the-test"
PAGES, ROWS = 3, 50


class World:
    def __init__(self, cluster, source, folder):
        self.cluster, self.source, self.change = cluster, source, 0
        token = folder / "secrets" / "portal" / "key"
        token.parent.mkdir(parents=True)
        token.write_text(SECRET)
        token.chmod(0o600)
        source.routes["/stations"] = self.answer
        self.flags = ("--secrets-dir", folder / "secrets")

    def answer(self, query):
        if query.get("api_key") != SECRET:
            return 401, "text/plain", b"who are you?"
        first = (int(query["page"]) - 1) * ROWS
        rows = [{"id": n, "level_cm": n * 10 + 1000 + self.change, "level": n / 10 + self.change} for n in range(first, first + ROWS)]
        return 200, "application/json", json.dumps({"pages": PAGES, "rows": rows}).encode()

    def levels(self, **query):
        records = self.cluster.get("/api/records", profile_id="stations", limit=1000, **query)["records"]
        return sorted((r["dims"]["id"], r["measures"]["level"]) for r in records)

    def hits(self):
        return self.source.hits.get("/stations", 0)

    def captures(self):
        return self.cluster.get("/api/captures", profile_id="stations")["captures"]

    def kept(self, fetches, drone="d1"):
        return wait_until(lambda: [c for c in self.captures() if c["drone_id"] == drone and int(c["fetches"]) == fetches],
                          f"drone {drone} to tell of {fetches} fetches")[0]

    def replay(self, **body):
        answer = self.cluster.post("/api/profiles/stations:replay", body)
        return [self.cluster.wait_run(run["run_id"]) for run in answer["runs"]]


@pytest.fixture
def world(single, source, tmp_path):
    made = World(single, source, tmp_path)
    single.drone(flags=made.flags)
    return made


def apply(world, version, level, **more):
    """A new revision, by the way that people take."""
    file = world.cluster.folder / "stations.yaml"
    file.write_text(PROFILE.format(version=version, url=world.source.url, level=level, capture=more.get("capture", CAPTURE)))
    applied = world.cluster.cli("profile", "apply", file)
    assert applied.returncode == 0, applied.stderr


def test_a_mended_mapping_corrects_what_was_stored_and_asks_the_source_nothing(world):
    apply(world, "1.0.0", "level")
    for change in (0, 1):
        world.change = change
        assert world.cluster.run_to_end("stations")["balance"]["stored"] == PAGES * ROWS
    world.kept(2 * PAGES)
    before, hits = world.levels(all_versions="true"), world.hits()
    assert hits == 2 * PAGES

    # The level is that in centimetres: all of both fetches is corrected, and the last one is what counts.
    apply(world, "1.1.0", "level_cm")
    started = world.cluster.cli("run", "start", "stations", "--from-capture", "--wait", "--output", "json")
    assert started.returncode == 0, started.stderr
    [run] = json.loads(started.stdout)["runs"]
    balance = run["balance"]
    assert (run["status"], run["pages"], "replay" in run) == ("succeeded", 2 * PAGES, True)
    assert balance["closed"] and balance["fetched"] == balance["stored"] == 2 * PAGES * ROWS
    assert world.levels() == [(n, n * 10 + 1001) for n in range(PAGES * ROWS)]
    after = world.levels(all_versions="true")
    assert len(after) == 2 * len(before) and set(before) < set(after)

    # Twice more: every row is one that is known.
    for _ in range(2):
        [again] = world.replay()
        assert again["status"] == "succeeded" and again["balance"]["closed"]
        assert (again["balance"]["stored"], again["balance"]["duplicate"]) == (0, 2 * PAGES * ROWS)
    assert world.levels(all_versions="true") == after
    assert world.hits() == hits

    # What the source says next is newer than what was gone through again.
    world.change = 2
    assert world.cluster.run_to_end("stations")["status"] == "succeeded"
    assert world.levels() == [(n, n * 10 + 1002) for n in range(PAGES * ROWS)]


def test_a_record_says_whether_its_payload_is_kept_and_no_secret_lies_beside_it(world):
    apply(world, "1.0.0", "level")
    world.cluster.run_to_end("stations")
    capture = world.kept(PAGES)
    why = world.cluster.get("/api/records:why", profile_id="stations", key="dims.id=7")
    origin = why["records"][0]["versions"][0]["record"]["provenance"]
    assert origin["raw_ref"] == f"{capture['name']}/{origin['payload_sha256']}"
    folder = world.cluster.folder / "d1" / "captures" / "stations"
    assert (folder / f"{origin['payload_sha256']}.zst").is_file() and len(list(folder.glob("*.zst"))) == PAGES
    assert not [f for f in folder.iterdir() if SECRET.encode() in f.read_bytes()]
    shown = world.cluster.cli("records", "why", "stations", "dims.id=7")
    assert f"kept     {origin['raw_ref']}\n" in shown.stdout, shown.stdout
    listed = world.cluster.cli("capture", "list", "stations")
    assert re.search(rf"stations +d1 +{PAGES} ", listed.stdout), listed.stdout

    # A revision that wants none kept lets go of them with its first run.
    apply(world, "1.1.0", "level", capture="")
    world.cluster.run_to_end("stations")
    wait_until(lambda: not world.captures(), "the drone to tell that nothing is kept")
    assert not folder.exists()
    shown = world.cluster.cli("records", "why", "stations", "dims.id=7")
    assert "(no longer there)" in shown.stdout, shown.stdout
    with pytest.raises(ApiError) as refused:
        world.replay()
    assert refused.value.error["reason"] == "CAPTURE_NOT_FOUND"


def test_a_drone_that_was_killed_and_a_payload_that_is_damaged_are_told_and_the_rest_goes_through(world):
    apply(world, "1.0.0", "level")
    world.cluster.run_to_end("stations")
    world.kept(PAGES)
    world.cluster.drones["d1"].kill()
    payloads = sorted((world.cluster.folder / "d1" / "captures" / "stations").glob("*.zst"))
    damaged = bytearray(payloads[0].read_bytes())
    damaged[len(damaged) // 2] ^= 1
    payloads[0].write_bytes(damaged)
    apply(world, "1.1.0", "level_cm")
    world.cluster.drone(flags=world.flags)
    world.kept(PAGES)
    hits = world.hits()
    [run] = wait_until(lambda: try_replay(world), "the drone to be back")
    assert (run["status"], run["error_reason"]) == ("partial", "CAPTURE_DAMAGED")
    assert payloads[0].name.removesuffix(".zst") in run["error"]
    assert run["balance"]["closed"] and run["balance"]["stored"] == (PAGES - 1) * ROWS
    assert world.hits() == hits


def try_replay(world):
    try:
        return world.replay()
    except ApiError as error:
        if error.error.get("reason") not in ("CAPTURE_NOT_FOUND", "CAPTURE_UNREACHABLE"):
            raise
        return None


def test_what_a_host_does_not_allow_is_not_kept_and_runs_go_on(single, source, tmp_path):
    world = World(single, source, tmp_path)
    single.drone(flags=(*world.flags, "--capture-bytes", "0"))
    apply(world, "1.0.0", "level")
    assert single.run_to_end("stations")["status"] == "succeeded"
    assert world.captures() == [] and not list((single.folder / "d1" / "captures").rglob("*.zst"))
    arguments = [str(argument) for argument in single.drones["d1"].arguments]
    metrics = urllib.request.urlopen(f"http://{arguments[arguments.index('--admin') + 1]}/metrics")
    assert f'chartly_capture_fetches_total{{outcome="no_room"}} {PAGES}' in metrics.read().decode()
