"""What the earlier system got wrong, each as a test of its own: the number is that of the list of its faults (W1 to W20,
those of data, durability and scale)."""

import hashlib
import json
import math
import shutil
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from harness import BIN, ApiError, Cluster, wait_until

PROFILE = """
id: {id}
version: 1.0.0
source: {{type: http_rest, url: "{url}", format: json, records: "rows[*]"{source}}}
schedule: {{{schedule}}}
limits: {{max_records: {limit}}}
mapping:
  k: dims.k
  at: {{to: dims.time.at, type: timestamp}}
  v: {{to: measures.v, type: {type}}}
key: [dims.k]
"""


def profile(name, url, source="", schedule="enabled: false", limit=100000, kind="decimal"):
    return PROFILE.format(id=name, url=url, source=source, schedule=schedule, limit=limit, type=kind)


def rows(*values, first=0):
    return [{"k": f"k{first + i}", "at": "2024-03-01T10:20:30.123456Z", "v": value} for i, value in enumerate(values)]


def body(data):
    return 200, "application/json", json.dumps({"rows": data}).encode()


def post(cluster, name, data, **extra):
    return cluster.post("/api/results", {"drone_id": "d", "profile_id": name, "data": data, **extra})


def record(dims, **measures):
    return {"dims": dims, "measures": measures}


def correlate(cluster, left, right, join):
    return cluster.post("/api/reports", {
        "join": join, "inputs": [{"profile_id": left, "measure": "x"}, {"profile_id": right, "measure": "y"}],
        "output": {"type": "correlation"}})


def test_W1_pearson_is_right_where_sums_of_squares_cancel(single):
    x = [1e9 + i / 1024 for i in range(64)]
    y = [(i * 37) % 64 for i in range(64)]
    post(single, "left", [record({"i": i}, x=value) for i, value in enumerate(x)])
    post(single, "right", [record({"i": i}, y=value) for i, value in enumerate(y)])
    mean = sum(y) / 64
    ranks = [i - 31.5 for i in range(64)]  # x is a line in i, so its correlation with y is that of i
    exact = (sum(a * (b - mean) for a, b in zip(ranks, y))
             / math.sqrt(sum(a * a for a in ranks) * sum((b - mean) ** 2 for b in y)))
    answer = correlate(single, "left", "right", ["i"])
    assert answer["n"] == 64 and abs(answer["pearson"] - exact) < 1e-12


def test_W2_reports_are_answered_by_the_reporter(tmp_path):
    cluster = Cluster(tmp_path, split=True)
    try:
        post(cluster, "left", [record({"i": i}, x=i) for i in range(5)])
        post(cluster, "right", [record({"i": i}, y=-i) for i in range(5)])
        wait_until(lambda: correlate(cluster, "left", "right", ["i"])["pearson"] == -1, "the reporter")
        reporter = next(each for each in cluster.controls if "reporter" in each.arguments)
        reporter.kill()
        with pytest.raises(ApiError) as refused:
            correlate(cluster, "left", "right", ["i"])
        assert refused.value.status == 503
    finally:
        cluster.close()


def test_W3_the_default_store_works_without_any_setting(tmp_path):
    cluster = Cluster(tmp_path)
    try:
        post(cluster, "p", [record({"i": 1}, x=1)])
        assert cluster.controls[0].stop() == 0
        cluster.start_control()
        assert [r["dims"]["i"] for r in cluster.get("/api/records", profile_id="p")["records"]] == [1]
    finally:
        cluster.close()


def test_W4_schedule_limits_credentials_pages_and_types_are_obeyed(single, source, tmp_path):
    token = tmp_path / "secrets" / "portal" / "key"
    token.parent.mkdir(parents=True)
    token.write_text("secret-of-the-test")
    token.chmod(0o600)
    seen = []

    def page(query):
        if query.get("api_key") != "secret-of-the-test":
            return 401, "text/plain", b"who are you?"
        seen.append(int(query.get("page", 1)))
        number = seen[-1]
        return body(rows(*range(10), first=10 * (number - 1)) if number <= 4 else [])

    source.routes["/pages"] = page
    single.create_profile(profile("paged", source.url + "/pages", limit=25, kind="integer",
                                  source=", pagination: {type: page, param: page, start: 1}, auth: {type: query, "
                                         "name: api_key, secretRef: {name: portal, key: key}}",
                                  schedule="enabled: true, interval: 1h"))
    source.routes["/typed"] = lambda _q: body(rows(1, 2.5, "3", "x"))
    single.create_profile(profile("typed", source.url + "/typed", kind="integer"))
    single.drone(flags=("--secrets-dir", tmp_path / "secrets"))
    scheduled = wait_until(lambda: [r for r in single.get("/api/runs", profile_id="paged")["runs"]
                                    if r["status"] in ("succeeded", "partial", "failed")], "the scheduled run")[0]
    assert scheduled["trigger"] == "schedule" and seen[:3] == [1, 2, 3]
    assert scheduled["status"] == "partial" and scheduled["balance"]["stored"] == 25
    typed = single.run_to_end("typed")
    assert typed["balance"]["stored"] == 2 and typed["balance"]["quarantined"] == 2


def test_W5_joins_take_the_newest_version_exact_keys_and_every_row(single):
    post(single, "left", [record({"k": "a"}, x=1), record({"k": "b"}, x=2), record({"k": "c"}, x=3)])
    post(single, "left", [record({"k": "a"}, x=30)])
    post(single, "right", [record({"k": "a"}, y=30), record({"k": "b"}, y=2), record({"k": "c"}, y=3)])
    assert correlate(single, "left", "right", ["k"])["pearson"] == 1

    for separator in ("|", "/", ",", "\x1f"):
        name = f"s{ord(separator)}"
        post(single, name + "-l", [record({"a": f"p{separator}q", "b": "r"}, x=1), record({"a": "p", "b": "s"}, x=2)])
        post(single, name + "-r", [record({"a": "p", "b": f"q{separator}r"}, y=1), record({"a": "p", "b": "s"}, y=2)])
        assert correlate(single, name + "-l", name + "-r", ["a", "b"])["n"] == 1

    big = 2 ** 53
    post(single, "wide-l", [record({"n": big + i}, x=i) for i in range(4)])
    post(single, "wide-r", [record({"n": big + i}, y=i) for i in range(4)])
    assert correlate(single, "wide-l", "wide-r", ["n"])["n"] == 4

    post(single, "many-l", [record({"i": i}, x=i) for i in range(2500)])
    post(single, "many-r", [record({"i": i}, y=i) for i in range(2500)])
    assert correlate(single, "many-l", "many-r", ["i"])["n"] == 2500


def test_W6_large_integers_stay_apart_and_keep_their_digits(single):
    ids = [2 ** 53, 2 ** 53 + 1, 2 ** 63 - 1, 2 ** 63 - 2]
    answer = post(single, "p", [record({"id": n}, x=n) for n in ids])
    assert answer["inserted_records"] == 4 and answer["deduped_records"] == 0
    stored = single.get("/api/records", profile_id="p")["records"]
    assert sorted(r["dims"]["id"] for r in stored) == sorted(ids)
    assert all(r["dims"]["id"] == r["measures"]["x"] for r in stored)


def test_W7_what_is_no_number_spoils_its_own_row_only(single, source):
    source.routes["/n"] = lambda _q: body(rows(1, "NaN", 2, "Infinity", 3))
    single.create_profile(profile("n", source.url + "/n"))
    single.drone()
    balance = single.run_to_end("n")["balance"]
    assert (balance["stored"], balance["quarantined"]) == (3, 2) and balance["closed"]


def test_W8_a_profile_that_maps_nothing_is_refused_and_one_that_finds_nothing_says_so(single, source):
    empty = profile("e", source.url + "/e").split("mapping:")[0] + "mapping: {}\n"
    with pytest.raises(ApiError) as refused:
        single.create_profile(empty)
    assert refused.value.status == 400
    source.routes["/e"] = lambda _q: body([{"other": 1}, {"other": 2}])
    single.create_profile(profile("e", source.url + "/e"))
    single.drone()
    run = single.run_to_end("e")
    assert run["status"] != "succeeded" and run["balance"]["stored"] == 0


def test_W9_a_rerun_shows_the_records_that_it_saw(single, source):
    source.routes["/r"] = lambda _q: body(rows(1, 2, 3))
    single.create_profile(profile("r", source.url + "/r"))
    single.drone()
    single.run_to_end("r")
    again = single.run_to_end("r")
    assert again["balance"]["duplicate"] == 3 and again["balance"]["stored"] == 0
    assert len(single.get("/api/records", run_id=again["run_id"])["records"]) == 3


def test_W10_a_record_has_the_time_of_its_event_to_the_microsecond(single, source):
    source.routes["/t"] = lambda _q: body(rows(1))
    single.create_profile(profile("t", source.url + "/t"))
    single.drone()
    single.run_to_end("t")
    found = single.get("/api/records", profile_id="t", filter="dims.time.at < \"2024-03-01T10:20:30.2Z\"")["records"]
    assert [r["dims"]["time.at"] for r in found] == ["2024-03-01T10:20:30.123456Z"]


def test_W11_a_batch_is_stored_whole_or_not_at_all(single):
    with pytest.raises(ApiError) as refused:
        post(single, "p", [record({"i": 1}, x=1), {"dims": "none"}])
    assert refused.value.status == 400
    assert single.get("/api/results/summary")["total_results"] == 0


def test_W12_a_request_that_is_sent_again_stores_nothing_twice(single):
    data = [record({"i": i}, x=i) for i in range(10)]
    assert post(single, "p", data, run_id="r1")["inserted_records"] == 10
    again = post(single, "p", data, run_id="r1")
    assert (again["inserted_records"], again["deduped_records"]) == (0, 10)
    assert single.get("/api/results/summary")["total_results"] == 10


def test_W13_a_record_names_the_payload_that_it_came_from(single, source):
    payload = body(rows(1, 2))
    source.routes["/raw"] = lambda _q: payload
    single.create_profile(profile("raw", source.url + "/raw"))
    single.drone()
    single.run_to_end("raw")
    origins = [r["provenance"] for r in single.get("/api/records", profile_id="raw")["records"]]
    assert {o["payload_sha256"] for o in origins} == {hashlib.sha256(payload[2]).hexdigest()}
    assert {o["source_uri"] for o in origins} == {source.url + "/raw"} and {o["row"] for o in origins} == {1, 2}


def test_W13_a_corrected_profile_goes_over_the_payloads_that_are_kept(single, source):
    source.routes["/kept"] = lambda _q: body(rows(1, 2))
    text = profile("kept", source.url + "/kept") + "capture: {max_bytes: 1MiB, max_age: 1d}\n"
    single.create_profile(text)
    single.drone()
    single.run_to_end("kept")
    hits = source.hits["/kept"]
    mended = single.folder / "mended.yaml"
    mended.write_text(text.replace("version: 1.0.0", "version: 1.1.0").replace("v: {", "v: {using: convert km m, "))
    assert single.cli("profile", "apply", mended).returncode == 0
    wait_until(lambda: single.get("/api/captures", profile_id="kept")["captures"], "the drone to tell what it keeps")
    for stored in (2, 0):  # the second time all of it is known
        [run] = single.post("/api/profiles/kept:replay")["runs"]
        balance = single.wait_run(run["run_id"])["balance"]
        assert (balance["stored"], balance["duplicate"], balance["closed"]) == (stored, 2 - stored, True)
    records = single.get("/api/records", profile_id="kept")["records"]
    assert sorted(r["measures"]["v"] for r in records) == [1000, 2000]
    assert all(r["provenance"]["raw_ref"].startswith("drones/d1/captures/kept/") for r in records)
    assert source.hits["/kept"] == hits


def test_W14_bad_rows_wait_with_their_reason_and_text(single, source):
    source.routes["/q"] = lambda _q: body(rows(1, "much"))
    single.create_profile(profile("q", source.url + "/q"))
    single.drone()
    single.run_to_end("q")
    [waiting] = single.get("/api/quarantine", profile_id="q")["rows"]
    assert waiting["reason_code"] == "mapping.type_coercion_failed" and json.loads(waiting["raw"])["v"] == "much"


@pytest.mark.parametrize("status", [429, 503])
def test_W15_a_source_or_a_control_plane_that_is_away_costs_no_row(single, source, status):
    asked = []

    def route(_query):
        asked.append(time.monotonic())
        return (status, "text/plain", b"later") if len(asked) == 1 else body(rows(*range(200)))

    source.routes["/s"] = route
    single.create_profile(profile("s", source.url + "/s"))
    single.drone()
    run_id = wait_until(lambda: single.run_now("s"), "the run")
    wait_until(lambda: asked, "the first request")
    single.kill_control()
    wait_until(lambda: len(asked) >= 2, "the second request, which needs no control plane")
    single.start_control()
    run = single.wait_run(run_id)
    assert run["status"] == "succeeded" and run["balance"]["stored"] == 200 and run["balance"]["closed"]


def test_W16_profiles_runs_drones_reports_and_the_audit_log_survive_a_kill(single, source):
    source.routes["/k"] = lambda _q: body(rows(1, 2))
    single.create_profile(profile("k", source.url + "/k"))
    single.drone()
    run = single.run_to_end("k")
    saved = single.post("/api/reports/mine", {"display_name": "Mine", "report": {
        "join": ["k"], "inputs": [{"profile_id": "k", "measure": "v"}], "output": {"type": "table"}}}, method="PUT")
    events = single.get("/api/audit/v0/events")["events"]
    single.kill_control()
    single.start_control()
    # A kill may fall between the end of a run and its write; the end is then learned again from the ledger of the store.
    assert single.wait_run(run["run_id"])["balance"] == run["balance"]
    assert [d["drone_id"] for d in single.get("/api/drones")["drones"]] == ["d1"]
    assert [p["id"] for p in single.get("/api/profiles")["profiles"]] == ["k"]
    after = {e["seq"]: e["action"] for e in single.get("/api/audit/v0/events")["events"]}
    assert events and all(after[e["seq"]] == e["action"] for e in events)
    assert single.get("/api/reports/mine") == saved


def test_W17_a_record_is_stored_once_and_small(single):
    count = 50000
    for begin in range(0, count, 10000):
        post(single, "p", [record({"station": f"station-{i % 100}", "hour": i // 100}, temperature=i % 400 / 10, wind=i % 7)
                           for i in range(begin, begin + 10000)])
    assert single.controls[0].stop() == 0
    stored = sum(f.stat().st_blocks * 512 for f in single.data.rglob("*") if f.is_file())
    single.start_control()
    # The earlier system took 963 bytes a record.
    assert stored / count < 240, f"{stored / count:.0f} bytes a record"


def test_W17_what_a_profile_keeps_no_longer_goes(tmp_path, source):
    cluster = Cluster(tmp_path, flags=["--retention-check-seconds", "1"])
    try:
        source.routes["/k"] = lambda _q: body(rows(1))
        cluster.create_profile(profile("p", source.url + "/k") + "retention: 2s\n")
        assert post(cluster, "p", [record({"i": i}, x=i) for i in range(1000)])["inserted_records"] == 1000
        wait_until(lambda: cluster.get("/api/results/summary").get("total_results", 0) == 0, "the records to go", 30)
        assert cluster.get("/api/records", profile_id="p")["records"] == []
    finally:
        cluster.close()


def test_W18_a_live_store_is_backed_up_and_restored(tmp_path):
    backups, lost, found = tmp_path / "backups", tmp_path / "lost", tmp_path / "found"
    lost.mkdir()
    found.mkdir()
    cluster = Cluster(lost, flags=["--backup-dir", backups])
    try:
        post(cluster, "p", [record({"i": i}, x=i) for i in range(2000)])
        made = cluster.cli("backup", "create")
        assert made.returncode == 0 and "2000 records" in made.stdout
        assert cluster.cli("backup", "verify", made.stdout.split(":")[0]).returncode == 0
    finally:
        cluster.close()
    done = subprocess.run([str(BIN / "chartly-control"), "--backup-dir", str(backups), "--data", str(found / "data"),
                           "--restore", made.stdout.split(":")[0]], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # Keys are kept elsewhere.
    shutil.copytree(lost / "data" / "audit-keys", found / "data" / "audit-keys")
    cluster = Cluster(found)
    try:
        assert cluster.get("/api/results/summary")["total_results"] == 2000
        assert post(cluster, "p", [record({"i": i}, x=i) for i in range(2000)])["deduped_records"] == 2000
    finally:
        cluster.close()


def test_W19_readers_and_health_do_not_wait_for_one_another(single):
    for begin in range(0, 40000, 10000):
        post(single, "p", [record({"i": i, "text": "a text of some length, so that there is much to read"}, x=i)
                           for i in range(begin, begin + 10000)])
    slow = [urllib.request.urlopen(single.url + "/api/records:export?profile_id=p&format=ndjson", timeout=60)
            for _ in range(8)]
    # Nobody reads these; all others go on.
    assert post(single, "q", [record({"i": 1}, x=1)])["inserted_records"] == 1
    assert single.get("/health")["status"] == "ok" and single.get("/ready")["ready"]
    assert single.get("/api/results/summary")["total_results"] == 40001
    assert len(single.get("/api/records", profile_id="p", limit=100)["records"]) == 100
    for stream in slow:
        assert sum(1 for _ in stream) == 40000


def switches(pid):
    """How often the threads of a process have waited for something."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        total += int(next(line for line in status.read_text().splitlines() if line.startswith("voluntary")).split()[1])
    return total


def test_W20_events_are_pushed_to_all_and_polled_for_nobody(single, source):
    pid = single.controls[0].process.pid

    def waits():
        before = switches(pid)
        time.sleep(2)
        return switches(pid) - before

    alone = waits()
    streams = [urllib.request.urlopen(single.url + "/api/events", timeout=60) for _ in range(100)]
    crowded = waits()
    # A hundred polls a second would be two hundred in this time.
    assert crowded < alone + 150, f"{alone} waits without clients, {crowded} with a hundred"
    source.routes["/k"] = lambda _q: body(rows(1))
    single.create_profile(profile("k", source.url + "/k"))
    single.drone()
    seen = []

    def read(stream):
        for line in stream:
            if line.startswith(b"data:") and b'"succeeded"' in line:
                seen.append(json.loads(line[5:])["id"])
                return

    threads = [threading.Thread(target=read, args=(stream,), daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    single.run_to_end("k")
    for thread in threads:
        thread.join(30)
    assert len(seen) == 100 and len(set(seen)) == 1
