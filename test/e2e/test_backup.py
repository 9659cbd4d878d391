"""Backups of a control plane that works meanwhile, and what a restore gives back."""

import json
import shutil
import subprocess
import threading
import time
import urllib.request

import pytest

from harness import BIN, ApiError, Cluster, wait_until
from posted_rows import PROFILE, post, rows


def make_backup(cluster):
    """A backup that is whole."""
    begun = wait_until(lambda: begin(cluster), "the job before to end")
    return wait_until(lambda: ended(cluster.call("GET", "/api/" + begun["name"], key=cluster.key)), "the backup")


def begin(cluster):
    try:
        return cluster.post("/api/backups")
    except ApiError as error:
        if error.error.get("reason") != "BACKUP_BUSY":
            raise
        return None


def ended(backup):
    assert backup["state"] != "failed", backup
    return backup if backup["state"] == "ready" else None


def verify(cluster, name):
    def start():
        try:
            return cluster.post(f"/api/{name}:verify")
        except ApiError as error:
            if error.error.get("reason") != "BACKUP_BUSY":
                raise
            return None
    wait_until(start, "the job before to end")

    def over():
        checked = cluster.call("GET", f"/api/{name}", key=cluster.key)["verification"]
        return checked if checked["state"] != "running" else None
    return wait_until(over, "the check")


def restore(backups, name, data):
    return subprocess.run([str(BIN / "chartly-control"), "--backup-dir", str(backups), "--restore",
                           name.removeprefix("backups/"), "--data", str(data)], capture_output=True, text=True, timeout=120)


def all_records(cluster, profile):
    found, token = {}, ""
    while True:
        page = cluster.get("/api/records", profile_id=profile, limit=10000, page_token=token)
        for record in page["records"]:
            assert record["dims"]["k"] not in found
            found[record["dims"]["k"]] = int(record["measures"]["v"])
        token = page.get("next_page_token", "")
        if not token:
            return found


class Restored(Cluster):
    """The control plane of another cluster, restored into a folder of its own, at the same addresses."""

    def __init__(self, folder, origin, backups, name):
        self.origin, self.backups, self.name = origin, backups, name
        super().__init__(folder, flags=["--backup-dir", backups])

    def make_controls(self):
        # The drones know these addresses.
        self.http_port, self.rpc, self.admin = self.origin.http_port, self.origin.rpc, self.origin.admin
        self.url, self.drones = self.origin.url, self.origin.drones
        self.data.mkdir(parents=True)
        shutil.copy(self.origin.data / "admin.key", self.data)
        shutil.copytree(self.origin.data / "audit-keys", self.data / "audit-keys")
        shutil.copytree(self.origin.data / "tls", self.data / "tls")
        done = self.restore()
        assert done.returncode == 0, done.stderr
        assert "Keys are not in backups" in done.stdout
        super().make_controls()

    def restore(self):
        return restore(self.backups, self.name, self.data)


@pytest.fixture
def backups(tmp_path):
    return tmp_path / "backups"


@pytest.fixture(params=[False, True], ids=["one process", "nine processes"])
def cluster(request, tmp_path, backups):
    (tmp_path / "a").mkdir()
    made = Cluster(tmp_path / "a", split=request.param, flags=["--backup-dir", backups])
    yield made
    made.close()


@pytest.fixture
def single(tmp_path, backups):
    (tmp_path / "a").mkdir()
    made = Cluster(tmp_path / "a", flags=["--backup-dir", backups, "--backup-keep", "3"])
    yield made
    made.close()


class Load:
    """Posts batches one after another and notes each once it is acked."""

    def __init__(self, cluster, profile="p", size=50):
        self.cluster, self.profile, self.size = cluster, profile, size
        self.acked, self.stopped, self.error = 0, False, None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.stopped:
                answer = post(self.cluster, self.profile, rows(self.acked * self.size, self.size))
                assert answer["inserted_records"] == self.size
                self.acked += 1
        except Exception as error:  # the test looks at it
            self.error = error

    def stop(self):
        self.stopped = True
        self.thread.join()
        assert self.error is None, self.error


def test_a_backup_under_load_restores_to_the_ledger_of_that_moment(cluster, tmp_path, backups):
    load = Load(cluster)
    wait_until(lambda: load.acked > 20, "the load")
    made = []
    for _ in range(3):
        before = load.acked
        backup = make_backup(cluster)
        made.append((before, backup, load.acked + 1))
    load.stop()
    cluster.kill_control()
    for index, (before, backup, after) in enumerate(made):
        folder = tmp_path / f"restored{index}"
        folder.mkdir()
        restored = Restored(folder, cluster, backups, backup["name"])
        try:
            # What was acked before it began is there, and of the rest a whole beginning.
            batches, odd = divmod(backup["records"], load.size)
            assert odd == 0 and before <= batches <= after
            records = all_records(restored, "p")
            assert records == {f"k{i}": i for i in range(backup["records"])}
            summary = restored.get("/api/results/summary")
            assert summary["total_results"] == backup["records"] and summary["total_batches"] == batches
            results = restored.get("/api/results", limit=1)["results"]
            assert results[0]["seq"] == backup["last_batch"]
            # It goes on as before: what comes again is known, what is new is stored.
            assert post(restored, "p", rows(0, 10))["deduped_records"] == 10
            assert post(restored, "p", rows(10**6, 10))["inserted_records"] == 10
        finally:
            restored.kill_control()


class Poster:
    """One of several that post at once: new records, newer versions of those before, and batches of which a part is known.
    Notes each batch before it is sent and after it is acked."""

    def __init__(self, cluster, name):
        self.cluster, self.name, self.sent, self.acked, self.stopped, self.error = cluster, name, [], 0, False, None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def batch(self, number):
        """Key to value. Every second batch has the keys of the one before, half of them with a new value."""
        first = number // 2 * 40
        return {f"{self.name}{i}": 10 * i + (number % 2 if i % 2 == 0 else 0) for i in range(first, first + 40)}

    def run(self):
        try:
            while not self.stopped:
                batch = self.batch(len(self.sent))
                self.sent.append(batch)
                answer = post(self.cluster, "p", [{"dims": {"k": k}, "measures": {"v": v}} for k, v in batch.items()])
                assert answer["inserted_records"] == (40 if len(self.sent) % 2 == 1 else 20)
                self.acked += 1
        except Exception as error:  # the test looks at it
            self.error = error

    def stop(self):
        self.stopped = True
        self.thread.join()
        assert self.error is None, self.error


def export(cluster, as_of=""):
    """Every version of every record, as bytes, in an order of their own: merging changes that of the store."""
    url = f"{cluster.url}/api/records:export?profile_id=p&all_versions=true&format=ndjson"
    with urllib.request.urlopen(url + (f"&as_of={as_of}" if as_of else ""), timeout=60) as answer:
        return sorted(answer.read().splitlines())


def test_what_is_restored_is_the_ledger_of_the_batch_that_the_backup_names(tmp_path, backups):
    (tmp_path / "a").mkdir()
    # The index is small, so that batches are sealed and merged while the backups are made.
    cluster = Cluster(tmp_path / "a", flags=["--backup-dir", backups, "--dedupe-memory", "512KB", "--store-memory", "8MB"])
    posters = [Poster(cluster, name) for name in ("a", "b", "c")]
    made = []
    try:
        for _ in range(2):
            counts = [poster.acked for poster in posters]
            wait_until(lambda: all(p.error or p.acked > n + 20 for p, n in zip(posters, counts)), "the load")
            before = [poster.acked for poster in posters]
            backup = make_backup(cluster)
            made.append((before, backup, [len(poster.sent) for poster in posters]))
        for poster in posters:
            poster.stop()
        ledgers = [export(cluster, as_of=backup["last_ack_time"]) for _, backup, _ in made]
        assert all(len(ledger) == backup["records"] for ledger, (_, backup, _) in zip(ledgers, made))
        assert len({len(ledger) for ledger in ledgers}) == len(ledgers)
    finally:
        for poster in posters:
            poster.stopped = True
        cluster.kill_control()
    for index, ((before, backup, after), ledger) in enumerate(zip(made, ledgers)):
        folder = tmp_path / f"restored{index}"
        folder.mkdir()
        restored = Restored(folder, cluster, backups, backup["name"])
        try:
            # What the live store said it knew then, to the byte: records, versions, times, origins, ids.
            assert export(restored) == ledger
            current = all_records(restored, "p")
            for poster, least, most in zip(posters, before, after):
                # What was acked before it began is there, nothing that was sent after it ended, and each batch whole.
                own = {k: v for k, v in current.items() if k.startswith(poster.name)}
                fits = [n for n in range(least, most + 1) if own == newest(poster.sent[:n])]
                assert fits, f"{poster.name}: {len(own)} records are those of no number of batches in {least}..{most}"
                # Who sends again what came behind, and the last before, ends with everything, once.
                for batch in poster.sent[fits[-1] - 1:]:
                    post(restored, "p", [{"dims": {"k": k}, "measures": {"v": v}} for k, v in batch.items()])
            assert all_records(restored, "p") == newest(batch for poster in posters for batch in poster.sent)
            checked = restored.cli("store", "verify")
            assert checked.returncode == 0 and " 0 faults" in checked.stdout, checked.stdout
        finally:
            restored.kill_control()


def newest(batches):
    state = {}
    for batch in batches:
        state.update(batch)
    return state


def test_profiles_runs_keys_reports_and_the_audit_log_come_back(single, source, tmp_path, backups):
    source.routes["/k"] = lambda _q: (200, "application/json", json.dumps(
        {"rows": [{"k": f"k{i}", "v": i} for i in range(100)]}).encode())
    single.create_profile(PROFILE.format(id="people", url=source.url + "/k", more=""))
    single.drone()
    run = single.run_to_end("people")
    single.post("/api/keys", {"key_id": "robot", "role": "viewer"})
    saved = single.post("/api/reports/mine", {"display_name": "Mine", "report": {
        "join": ["k"], "inputs": [{"profile_id": "people", "measure": "v"}], "output": {"type": "table"}}}, method="PUT")
    events = single.call("GET", "/api/audit/v0/events", key=single.key)["events"]
    backup = make_backup(single)
    # Behind the backup: its records are fetched again, or told as lost.
    later = single.run_to_end("people")
    assert later["status"] == "succeeded"
    single.kill_control()
    restored = Restored(tmp_path / "b", single, backups, backup["name"])
    try:
        got = restored.get(f"/api/runs/{run['run_id']}")
        assert got["status"] == "succeeded" and got["balance"] == run["balance"]
        assert [p["id"] for p in restored.get("/api/profiles")["profiles"]] == ["people"]
        assert any(k["name"] == "keys/robot" for k in restored.call("GET", "/api/keys", key=restored.key)["keys"])
        assert restored.get("/api/reports/mine") == saved
        after = {e["seq"]: e["action"] for e in restored.call("GET", "/api/audit/v0/events", key=restored.key)["events"]}
        assert all(after[e["seq"]] == e["action"] for e in events)
        why = restored.get("/api/records:why", profile_id="people", key="dims.k=k7")
        revision = why["records"][0]["versions"][0]["record"]["provenance"]["revision"]
        assert revision in [r["name"] + "@" + r["revision"] for r in restored.get("/api/profiles/people/revisions")["revisions"]]
        # The drone is in again, and runs go on.
        again = restored.run_to_end("people")
        assert again["status"] == "succeeded" and again["balance"]["closed"]
        assert again["balance"]["duplicate"] == 100
    finally:
        restored.close()


def test_a_flipped_byte_is_found_by_verify_and_refused_by_restore(single, tmp_path, backups):
    post(single, "p", rows(0, 5000))
    name = make_backup(single)["name"]
    assert verify(single, name)["state"] == "ready"
    files = [f for f in backups.glob("parts/*/shared_checksum/*") if f.stat().st_size > 1000]
    for file in [min(files), max(files)]:
        good = file.read_bytes()
        file.write_bytes(good[:500] + bytes([good[500] ^ 1]) + good[501:])
        checked = verify(single, name)
        assert checked["state"] == "failed" and file.name in checked["faults"][0]
        refused = restore(backups, name, tmp_path / "b")
        assert refused.returncode == 1 and "damaged" in refused.stderr and file.name in refused.stderr
        assert not (tmp_path / "b").exists()
        told = single.cli("backup", "verify", name)
        assert told.returncode == 1 and file.name in told.stdout
        file.write_bytes(good)
    assert single.cli("backup", "verify", name.removeprefix("backups/")).returncode == 0
    assert restore(backups, name, tmp_path / "b").returncode == 0
    again = restore(backups, name, tmp_path / "b")
    assert again.returncode == 1 and "new folder" in again.stderr
    absent = restore(backups, "20200101t000000z", tmp_path / "c")
    assert absent.returncode == 1 and name.removeprefix("backups/") in absent.stderr


def test_a_kill_in_the_middle_leaves_the_backups_before(single, tmp_path, backups):
    post(single, "p", rows(0, 1000))
    first = make_backup(single)
    for i in range(6):
        post(single, "p", rows(1000 * (i + 1), 1000))
        begin(single)
        time.sleep(0.004 * i)
        single.kill_control()
        single.start_control()
    listed = single.call("GET", "/api/backups", key=single.key)["backups"]
    assert all(b["state"] == "ready" for b in listed) and first["name"] in [b["name"] for b in listed]
    for backup in listed:
        assert verify(single, backup["name"])["state"] == "ready"
    done = restore(backups, first["name"], tmp_path / "b")
    assert done.returncode == 0 and "1000 records" in done.stdout
    assert make_backup(single)["records"] == 7000


def test_the_second_backup_copies_only_what_is_new_and_old_ones_go(single, backups):
    for i in range(10):
        post(single, "p", rows(10000 * i, 10000))
    first = make_backup(single)
    post(single, "p", rows(10**6, 10))
    second = make_backup(single)
    assert second["size_bytes"] > first["size_bytes"] and second["copied_bytes"] < first["copied_bytes"] / 4
    names = [first["name"], second["name"]] + [make_backup(single)["name"] for _ in range(3)]
    listed = wait_until(lambda: kept(single, 3), "the oldest to go")
    assert [b["name"] for b in listed] == names[:1:-1]
    out = single.cli("backup", "create")
    assert out.returncode == 0 and "100010 records" in out.stdout
    assert "ready" in single.cli("backup", "list").stdout
    numbers = [len(list((part / "meta").iterdir())) for part in (backups / "parts").iterdir()]
    assert len(numbers) == 7 and all(n <= 4 for n in numbers)


def kept(cluster, count):
    listed = cluster.call("GET", "/api/backups", key=cluster.key)["backups"]
    return listed if len(listed) == count else None


def test_without_a_folder_a_backup_says_what_to_do(tmp_path):
    cluster = Cluster(tmp_path)
    try:
        with pytest.raises(ApiError) as refused:
            cluster.post("/api/backups")
        assert refused.value.error["reason"] == "BACKUP_DIR_NOT_SET" and "--backup-dir" in refused.value.error["message"]
        with pytest.raises(ApiError) as anonymous:
            cluster.call("POST", "/api/backups", {})
        assert anonymous.value.status == 401
    finally:
        cluster.close()
