"""The life of stored records: deleted on request and by retention, held, counted and checked."""

import json
import threading
import time

import pytest

from harness import ApiError, Cluster, wait_until
from posted_rows import PROFILE, post, rows


def delete(cluster, profile, **what):
    return cluster.post("/api/records:delete", {"profile_id": profile, "reason": "a test", **what})


def values(cluster, profile):
    found, token = {}, ""
    while True:
        page = cluster.get("/api/records", profile_id=profile, limit=10000, page_token=token)
        found.update({r["dims"]["k"]: int(r["measures"]["v"]) for r in page["records"]})
        token = page.get("next_page_token", "")
        if not token:
            return found


def total(cluster, profile):
    counts = cluster.get("/api/results/summary").get("profiles", [])
    return sum(int(p["count"]) for p in counts if p["profile_id"] == profile)


def check_whole(cluster):
    checked = cluster.cli("store", "verify")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert " 0 faults" in checked.stdout


def test_deleted_records_are_gone_from_every_answer_and_the_others_stay(cluster):
    for i in range(5):
        post(cluster, "p", rows(1000 * i, 1000), run=f"r{i}")
    post(cluster, "q", rows(0, 10))
    told = cluster.cli("records", "delete", "p", "--run", "r4", "--reason", "it was wrong", "--dry-run")
    assert told.returncode == 0 and "would delete 1000 records" in told.stdout
    assert total(cluster, "p") == 5000
    deletion = delete(cluster, "p", run_id="r4")
    assert deletion["records"] == 1000 and deletion["finished"] and deletion["principal"]
    assert values(cluster, "p") == {f"k{i}": i for i in range(4000)} and total(cluster, "p") == 4000
    assert cluster.get("/api/runs/r4/ledger")["deleted"] == 1000
    why = cluster.get("/api/records:why", profile_id="p", key="dims.k=k4000")
    assert why["absence"] == "maybe_deleted" and "a test" in why["explanation"]
    exported = cluster.cli("records", "export", "p", "--format", "ndjson")
    assert exported.stdout.count("\n") == 4000
    # What was deleted is new when it comes again.
    assert post(cluster, "p", rows(4000, 10))["inserted_records"] == 10
    done = cluster.cli("records", "delete", "p", "--reason", "all of it")
    assert done.returncode == 0 and "deleted 4010 records" in done.stdout
    assert values(cluster, "p") == {} and total(cluster, "p") == 0 and total(cluster, "q") == 10
    listed = cluster.cli("store", "deletions")
    assert "all of it" in listed.stdout and "run r4" in listed.stdout
    actions = [e["action"] for e in cluster.call("GET", "/api/audit/v0/events", key=cluster.key)["events"]]
    assert any("DeleteRecords" in action for action in actions)
    check_whole(cluster)


def test_a_legal_hold_stops_deletion_and_only_an_admin_deletes(single):
    post(single, "p", rows(0, 100))
    assert single.cli("store", "hold", "p", "--reason", "case 12").returncode == 0
    refused = single.cli("records", "delete", "p", "--reason", "tidying")
    assert refused.returncode == 2 and "case 12" in refused.stderr and "LEGAL_HOLD" in refused.stderr
    assert "yes" in single.cli("store", "stats", "p").stdout
    assert total(single, "p") == 100
    assert single.cli("store", "release", "p").returncode == 0
    single.post("/api/keys", {"key_id": "hand", "role": "publisher"})
    with pytest.raises(ApiError) as anonymous:
        single.call("POST", "/api/records:delete", {"profile_id": "p", "reason": "x"})
    assert anonymous.value.status == 401
    assert delete(single, "p")["records"] == 100


def test_a_kill_in_the_middle_of_a_deletion_ends_in_all_of_it(single):
    batches = 1500
    for i in range(batches):
        post(single, "p", rows(10 * i, 10))
    post(single, "kept", rows(0, 100))

    def ask():
        try:
            delete(single, "p")
        except Exception:
            pass  # the kill
    for delay in (0.005, 0.02, 0.05):
        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(delay)
        single.kill_control()
        asking.join()
        single.start_control()
        deletions = single.call("GET", "/api/deletions", key=single.key)["deletions"]
        # A deletion that was noted is done to its end; one that was not left everything.
        assert all(d["finished"] for d in deletions)
        assert total(single, "p") == (0 if deletions else 10 * batches)
        assert len(values(single, "p")) == (0 if deletions else 10 * batches)
        if deletions:
            break
    if not deletions:
        delete(single, "p")
    assert values(single, "p") == {} and total(single, "kept") == 100
    check_whole(single)


def test_records_go_when_their_profile_keeps_them_no_longer(tmp_path, source):
    cluster = Cluster(tmp_path, flags=["--retention-check-seconds", "1"])
    try:
        source.routes["/k"] = lambda _q: (200, "application/json", json.dumps({"rows": [{"k": "a", "v": 1}]}).encode())
        cluster.create_profile(PROFILE.format(id="brief", url=source.url + "/k", more="retention: 3s"))
        cluster.create_profile(PROFILE.format(id="long", url=source.url + "/k", more="retention: 400d"))
        for name in ("brief", "long", "unknown"):
            post(cluster, name, rows(0, 100))
        assert total(cluster, "brief") == 100
        wait_until(lambda: total(cluster, "brief") == 0, "the records to go", 30)
        assert values(cluster, "brief") == {}
        assert total(cluster, "long") == 100 and total(cluster, "unknown") == 100
        deletions = cluster.call("GET", "/api/deletions", key=cluster.key)["deletions"]
        assert deletions[0]["principal"] == "retention" and deletions[0]["records"] == 100
        cluster.post("/api/legalHolds/brief:set", {"reason": "case 12"})
        post(cluster, "brief", rows(0, 50))
        time.sleep(5)
        assert total(cluster, "brief") == 50
        check_whole(cluster)
    finally:
        cluster.close()


def test_stats_tell_what_is_there_and_verify_finds_a_flipped_byte(single):
    for i in range(8):
        post(single, "p", rows(20000 * i, 20000))
    stats = single.get("/api/store/stats")
    profile = next(p for p in stats["profiles"] if p["profile_id"] == "p")
    assert profile["records"] == 160000 and profile["size_bytes"] > 0 and profile["oldest_fetch_time"]
    assert "160000" in single.cli("store", "stats").stdout
    check_whole(single)
    # What lies in the log goes to files when it is read again; large values have files of their own.
    assert single.controls[0].stop() == 0
    single.start_control()
    assert single.controls[0].stop() == 0
    blob = max(single.data.glob("records/*.blob"), key=lambda f: f.stat().st_size)
    good = blob.read_bytes()
    place = len(good) // 2
    blob.write_bytes(good[:place] + bytes([good[place] ^ 255]) + good[place + 1:])
    single.controls[0].start()
    single.wait_ready(healths=("serving", "degraded"))
    status = single.get("/api/status")
    aggregator = next(part for part in status["parts"] if part["part"] == "aggregator")
    assert status["status"] == aggregator["health"] == "degraded" and "damaged" in aggregator["message"], status
    damaged = single.cli("store", "verify")
    assert damaged.returncode == 1 and "p, batch" in damaged.stdout, damaged.stdout + damaged.stderr
