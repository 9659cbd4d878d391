"""Backfills on the shipped binaries: times that are past are fetched part by part, each once, beside what the schedule
does, through a control plane and a drone that are killed."""

import json
import threading
import time

import pytest

from harness import ApiError, wait_until

PROFILE = """
id: figures
version: 1.0.{patch}
source:
  type: http_rest
  url: "{url}/days/{{partition.start}}"
  query: {{last: "{{partition.last}}"}}
  format: json
  partition: {{window: 1d}}
schedule: {{{schedule}}}
retry: {{{retry}}}
freshness: 1h
mapping:
  day: {{to: dims.day, required: true}}
  level: {{to: measures.level, type: integer}}
"""


class Days:
    """A source with one row a day, that counts what it was asked for."""

    def __init__(self, source):
        self.source, self.asked, self.broken, self.pause = source, {}, {}, 0.0
        self.lock = threading.Lock()
        source.routes = self

    def get(self, path):
        day = path.rsplit("/", 1)[-1]

        def route(query):
            with self.lock:
                self.asked[day] = self.asked.get(day, 0) + 1
                fails = self.broken.get(day, 0) > 0
                self.broken[day] = self.broken.get(day, 0) - 1
            time.sleep(self.pause)
            if fails:
                return 400, "text/plain", b"not now"
            rows = [{"day": day, "level": len(day)}, {"day": f"{day} to {query['last']}", "level": 2}]
            return 200, "application/json", json.dumps(rows).encode()
        return route


def text(source, schedule="enabled: false", retry="max_attempts: 3, backoff: 100ms", patch=0):
    return PROFILE.format(url=source.url, schedule=schedule, retry=retry, patch=patch)


def start(cluster, first, last, **more):
    body = {"profile_id": "figures", "start_time": f"{first}T00:00:00Z", "end_time": f"{last}T00:00:00Z", **more}
    return wait_until(lambda: attempt(cluster, body), "the coordinator to answer")


def attempt(cluster, body):
    try:
        return cluster.post("/api/backfills", body)["backfill_id"]
    except ApiError as error:
        if error.status != 503:
            raise
        return None


def ended(cluster, backfill, limit=120):
    def get():
        found = cluster.get(f"/api/backfills/{backfill}")
        return found if found["state"] not in ("running", "paused") else None
    return wait_until(get, "the backfill to end", limit)


def partitions(cluster, backfill, **query):
    found, token = [], ""
    while True:
        page = cluster.get(f"/api/backfills/{backfill}/partitions", page_size=7, page_token=token, **query)
        found += page.get("partitions", [])
        token = page.get("next_page_token", "")
        if not token:
            return found


def test_a_backfill_fetches_every_part_once_and_what_it_stored_can_be_read(cluster, source):
    days = Days(source)
    cluster.drone("d1")
    cluster.create_profile(text(source))
    backfill = start(cluster, "2024-02-27", "2024-03-08", at_most=3)
    done = ended(cluster, backfill)
    assert done["state"] == "succeeded" and done["succeeded"] == done["partitions"] == 10, done
    assert days.asked == {f"2024-0{m}-{d:02}": 1 for m, d in [(2, 27), (2, 28), (2, 29), *((3, d) for d in range(1, 8))]}
    rows = partitions(cluster, backfill)
    assert [row["part"]["start_time"] for row in rows] == sorted(row["part"]["start_time"] for row in rows)
    assert all(row["state"] == "succeeded" and int(row["records"]) == 2 for row in rows), rows
    run = cluster.get(f"/api/runs/{rows[2]['run_id']}")
    assert run["trigger"] == "backfill" and run["backfill_id"] == backfill, run
    assert run["partition"] == {"start_time": "2024-02-29T00:00:00Z", "end_time": "2024-03-01T00:00:00Z"}
    assert int(done["records"]) == 20


def test_killed_again_and_again_a_backfill_runs_every_part_that_succeeded_once(single, source):
    days = Days(source)
    days.pause = 0.15
    single.drone("d1")
    single.create_profile(text(source))
    backfill = start(single, "2023-01-01", "2023-03-02", at_most=2)
    kills, done_before = 0, set()

    def state():
        try:
            return single.get(f"/api/backfills/{backfill}")
        except (ApiError, OSError):
            return {"state": "running", "succeeded": 0}

    while (found := state())["state"] == "running":
        # In mid-backfill, and with every kill further on.
        if found.get("succeeded", 0) >= 8 * (kills + 1) and kills < 6:
            done_before |= {row["index"] for row in partitions(single, backfill, state="succeeded")}
            single.kill_control()
            single.start_control()
            kills += 1
            still = {row["index"]: row for row in partitions(single, backfill, state="succeeded")}
            assert done_before <= set(still), "a partition that had succeeded is to run again"
        time.sleep(0.02)
    done = ended(single, backfill)
    assert kills == 6 and done["state"] == "succeeded" and done["succeeded"] == 60, (kills, done)
    # The control plane's death costs no part a second run: the drone goes on, and what it did is heard of later.
    assert sorted(days.asked.values()) == [1] * 60, {day: n for day, n in days.asked.items() if n != 1}
    runs = [run for run in single.get("/api/runs", page_size=1000)["runs"] if run["trigger"] == "backfill"]
    assert len(runs) == 60 and {run["status"] for run in runs} == {"succeeded"}


def test_a_part_whose_drone_is_killed_runs_again_and_no_other(single, source):
    days = Days(source)
    days.pause = 0.3
    drone = single.drone("d1")
    single.create_profile(text(source, retry="max_attempts: 10, backoff: 50ms"))
    backfill = start(single, "2023-01-01", "2023-01-13")
    for at_least in (3, 6):
        wait_until(lambda n=at_least: single.get(f"/api/backfills/{backfill}")["succeeded"] >= n, "some to succeed")
        drone.kill()
        single.drone("d1")
    done = ended(single, backfill)
    assert done["state"] == "succeeded" and done["succeeded"] == 12, done
    assert len(days.asked) == 12 and sum(days.asked.values()) <= 12 + 2, days.asked


def test_the_schedule_goes_on_beside_a_backfill_and_its_watermark_stays(single, source):
    days = Days(source)
    days.pause = 0.3
    single.drone("d1", flags=["--capacity", "2"])
    single.create_profile(text(source, schedule="interval: 1s"))
    backfill = start(single, "2022-01-01", "2022-01-11", at_most=10)
    done = ended(single, backfill)
    assert done["state"] == "succeeded", done
    runs = single.get("/api/runs", page_size=1000)["runs"]
    scheduled = [run for run in runs if run["trigger"] == "schedule"]
    assert len(scheduled) >= 2 and "backfill_id" not in {k for run in scheduled for k, v in run.items() if v}, scheduled
    status = single.get("/api/profiles/figures/status")
    assert status["last_run"]["trigger"] == "schedule" and status["health"] == "fresh", status


def test_the_command_line_begins_follows_pauses_and_repeats_backfills(single, source):
    days = Days(source)
    days.broken = {"2024-01-02": 1}
    single.drone("d1")
    single.create_profile(text(source, retry="max_attempts: 1"))
    wait_until(lambda: single.run_now("figures"), "the parts to find each other")
    started = single.cli("backfill", "start", "figures", "--from", "2024-01-01", "--to", "2024-01-03", "--wait")
    assert started.returncode == 1 and "BACKFILL_FAILED" in started.stderr, started
    listed = json.loads(single.cli("backfill", "list", "--output", "json").stdout)["backfills"]
    assert len(listed) == 1 and listed[0]["succeeded"] == 2 and listed[0]["failed"] == 1, listed
    backfill = listed[0]["backfill_id"]
    shown = single.cli("backfill", "show", backfill, "--state", "failed")
    assert "2024-01-02 00:00:00Z" in shown.stdout and "HTTP" in shown.stdout, shown.stdout
    again = single.cli("backfill", "retry", backfill)
    assert again.returncode == 0, again
    watched = single.cli("backfill", "watch", backfill)
    assert watched.returncode == 0 and "3 of 3" in watched.stdout, watched
    assert [days.asked[f"2024-01-0{d}"] for d in (1, 2, 3)] == [1, 2, 1]

    days.pause = 0.5
    months = single.cli("backfill", "start", "figures", "--from", "2020", "--to", "2020-06", "--by", "month",
                        "--output", "json")
    body = json.loads(months.stdout)
    assert body["partitions"] == 6 and body["range"]["end_time"] == "2020-07-01T00:00:00Z", months
    paused = single.cli("backfill", "pause", body["backfill_id"], "--reason", "the publisher asked")
    assert "the publisher asked" in paused.stdout
    resumed = single.cli("backfill", "resume", body["backfill_id"])
    assert resumed.returncode == 0 and "running" in resumed.stdout, resumed
    cancelled = single.cli("backfill", "cancel", body["backfill_id"])
    assert cancelled.returncode == 0 and "cancelled" in cancelled.stdout, cancelled
    refused = single.cli("backfill", "cancel", body["backfill_id"])
    assert refused.returncode == 2 and "BACKFILL_ENDED" in refused.stderr, refused
    bad = single.cli("backfill", "start", "figures", "--from", "spring", "--to", "2024")
    assert bad.returncode == 2 and "TIME_INVALID" in bad.stderr


def test_a_profile_without_a_place_for_a_part_is_refused_with_what_to_do(single, source):
    source.routes["/all"] = lambda _query: (200, "application/json", b"[]")
    single.create_profile(f'id: whole\nversion: 1.0.0\nsource: {{type: http_rest, url: "{source.url}/all", format: json}}\n'
                          "schedule: {enabled: false}\nmapping: {a: dims.a}\n")
    body = {"profile_id": "whole", "start_time": "2024-01-01T00:00:00Z", "end_time": "2024-01-02T00:00:00Z"}
    with pytest.raises(ApiError) as refused:
        attempt(single, body) or wait_until(lambda: attempt(single, body), "the coordinator to answer")
    assert refused.value.error["reason"] == "PROFILE_NOT_PARTITIONED", refused.value.text
    assert "{partition.start}" in refused.value.error["message"]
