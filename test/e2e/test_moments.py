"""Moments between two backups: what the archived log behind a backup gives back."""

import shutil
import subprocess
import threading
import time
import urllib.request
from datetime import datetime, timezone

import pytest

from harness import BIN, Cluster, wait_until
from object_store import ObjectStore
from posted_rows import PROFILE, post, rows
from test_backup import Restored, all_records, export, make_backup, verify

OFTEN = ["--backup-log-seconds", "1"]


def show(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def restore_to(backups, moment, data, *flags):
    return subprocess.run([str(BIN / "chartly-control"), "--backup-dir", str(backups), "--restore-to", show(moment),
                           "--data", str(data), *map(str, flags)], capture_output=True, text=True, timeout=120)


class AtMoment(Restored):
    """The control plane of another cluster as it was at a moment."""

    def restore(self):
        return restore_to(self.backups, self.name, self.data)


def at_moment(tmp_path, origin, backups, moment):
    folder = tmp_path / f"at-{moment}"
    folder.mkdir()
    return AtMoment(folder, origin, backups, moment)


def archived_until(cluster, moment):
    """Waits until every moment up to this one can be restored."""
    def reached():
        newest = cluster.call("GET", "/api/backups", key=cluster.key)["backups"][0]
        return "log_until_time" in newest and seconds_of(newest["log_until_time"]) >= moment
    wait_until(reached, "the log to be archived")


class Poster:
    """Posts batches one after another and notes when each was begun and acked."""

    def __init__(self, cluster, name, size=40):
        self.cluster, self.name, self.size, self.begun, self.acked = cluster, name, size, [], []
        self.stopped, self.error = False, None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.stopped:
                first = len(self.begun) * self.size
                self.begun.append(time.time())
                post(self.cluster, "p", [{"dims": {"k": f"{self.name}{i}"}, "measures": {"v": i}}
                                         for i in range(first, first + self.size)])
                self.acked.append(time.time())
        except Exception as error:  # the test looks at it
            self.error = error

    def stop(self):
        self.stopped = True
        self.thread.join()
        assert self.error is None, self.error


@pytest.fixture
def backups(tmp_path):
    return tmp_path / "backups"


def start(tmp_path, backups, split=False, flags=()):
    (tmp_path / "a").mkdir()
    return Cluster(tmp_path / "a", split=split, flags=["--backup-dir", backups, *OFTEN, *flags])


@pytest.mark.parametrize("split", [False, True], ids=["one process", "nine processes"])
def test_moments_between_two_backups_under_load_are_the_ledger_of_that_moment(split, tmp_path, backups):
    # The index is small, so that batches are sealed and merged meanwhile.
    cluster = start(tmp_path, backups, split, ["--dedupe-memory", "512KB", "--store-memory", "8MB"])
    posters = []
    moments = []
    try:
        post(cluster, "p", rows(0, 10))
        make_backup(cluster)
        posters = [Poster(cluster, name) for name in ("a", "b", "c")]
        for index in range(5):
            counts = [len(poster.acked) for poster in posters]
            wait_until(lambda: all(p.error or len(p.acked) > n + 8 for p, n in zip(posters, counts)), "the load")
            moments.append(time.time())
            if index == 3:
                make_backup(cluster)
        for poster in posters:
            poster.stop()
        archived_until(cluster, moments[-1])
        listed = cluster.cli("backup", "list").stdout
        assert "ANY MOMENT UNTIL" in listed
        everything = export(cluster)
    finally:
        for poster in posters:
            poster.stopped = True
        cluster.kill_control()
    for moment in moments:
        restored = at_moment(tmp_path, cluster, backups, moment)
        try:
            records = all_records(restored, "p")
            own = export(restored)
            assert set(own) <= set(everything) and len(own) == len(records)
            for poster in posters:
                # What was acked by then is there, nothing that was begun later, and each batch whole.
                held = sorted(v for k, v in records.items() if k.startswith(poster.name))
                batches, odd = divmod(len(held), poster.size)
                assert odd == 0 and held == list(range(len(held)))
                assert sum(acked <= moment for acked in poster.acked) <= batches
                assert batches <= sum(begun <= moment for begun in poster.begun)
            checked = restored.cli("store", "verify")
            assert checked.returncode == 0 and " 0 faults" in checked.stdout, checked.stdout
            assert post(restored, "p", rows(10**6, 10))["inserted_records"] == 10
        finally:
            restored.kill_control()


def test_every_part_comes_back_as_it_was_and_a_moment_that_is_not_kept_is_told(tmp_path, backups):
    cluster = start(tmp_path, backups)
    try:
        make_backup(cluster)
        cluster.create_profile(PROFILE.format(id="first", url="http://127.0.0.1:1/x", more=""))
        before = time.time()
        cluster.create_profile(PROFILE.format(id="second", url="http://127.0.0.1:1/x", more=""))
        cluster.post("/api/keys", {"key_id": "robot", "role": "viewer"})
        post(cluster, "p", rows(0, 10))
        after = time.time()
        cluster.create_profile(PROFILE.format(id="third", url="http://127.0.0.1:1/x", more=""))
        last = time.time()
        archived_until(cluster, last)
        with urllib.request.urlopen(f"http://127.0.0.1:{cluster.admin['gateway']}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        assert all(f'chartly_backup_log_behind_seconds{{part="{part}"}}' in metrics for part in ("registry", "aggregator", "audit"))
        events = cluster.call("GET", "/api/audit/v0/events", key=cluster.key)["events"]
    finally:
        cluster.kill_control()
    seen = {}
    for moment in (before, after, last):
        restored = at_moment(tmp_path, cluster, backups, moment)
        try:
            log = {e["seq"]: e["action"] for e in restored.call("GET", "/api/audit/v0/events", key=restored.key)["events"]}
            assert all(log[e["seq"]] == e["action"] for e in events if seconds_of(e["time"]) < moment - 1)
            seen[moment] = (sorted(p["id"] for p in restored.get("/api/profiles")["profiles"]),
                            [k["name"] for k in restored.call("GET", "/api/keys", key=restored.key)["keys"]],
                            len(all_records(restored, "p")))
            # Its own moments begin with its own first backup.
            make_backup(restored)
            later = time.time()
            archived_until(restored, later)
        finally:
            restored.kill_control()
    assert seen[before] == (["first"], [], 0)
    assert seen[after] == (["first", "second"], ["keys/robot"], 10)
    assert seen[last] == (["first", "second", "third"], ["keys/robot"], 10)
    for moment, told in ((time.time() + 3600, "the last moment that can be restored is"), (before - 3600, "no backup was whole by")):
        refused = restore_to(backups, moment, tmp_path / "none")
        assert refused.returncode == 1 and told in refused.stderr, refused.stderr
        assert not (tmp_path / "none").exists()
    wrong = subprocess.run([str(BIN / "chartly-control"), "--backup-dir", str(backups), "--restore-to", "yesterday", "--data",
                            str(tmp_path / "none")], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2 and "2026-01-31T09:00:00Z" in wrong.stderr


def test_a_process_that_is_killed_while_it_archives_leaves_no_gap(tmp_path, backups):
    cluster = start(tmp_path, backups)
    try:
        name = make_backup(cluster)["name"]
        moments = []
        for index in range(6):
            for batch in range(3):
                post(cluster, "p", rows(100 * (3 * index + batch), 100))
            moments.append((time.time(), 300 * (index + 1)))
            time.sleep(0.3 * index)  # at another place of the second in which it archives
            cluster.kill_control()
            cluster.start_control()
        archived_until(cluster, time.time())
        assert verify(cluster, name)["state"] == "ready"
        health = cluster.get("/health")
        assert all("message" not in part for part in health["services"].values()), health
    finally:
        cluster.kill_control()
    for moment, count in moments[::2]:
        restored = at_moment(tmp_path, cluster, backups, moment)
        try:
            assert all_records(restored, "p") == {f"k{i}": i for i in range(count)}
        finally:
            restored.kill_control()


def test_damage_in_the_log_is_named_with_the_last_moment_before_it(tmp_path, backups):
    cluster = start(tmp_path, backups)
    try:
        name = make_backup(cluster)["name"]
        whole = time.time()
        post(cluster, "p", rows(0, 500))
        later = time.time()
        archived_until(cluster, later)
        file = max(backups.glob("parts/aggregator/log/*/*.log"))
        good = file.read_bytes()
        file.write_bytes(good[:300] + bytes([good[300] ^ 1]) + good[301:])
        checked = cluster.cli("backup", "verify", name.removeprefix("backups/"))
        assert checked.returncode == 1 and file.name in checked.stdout
        refused = restore_to(backups, later, tmp_path / "b")
        assert refused.returncode == 1 and file.name in refused.stderr and "--restore " + name.removeprefix("backups/") in refused.stderr
        assert not (tmp_path / "b").exists()
        file.write_bytes(good)
        done = restore_to(backups, later, tmp_path / "b")
        assert done.returncode == 0 and "writes" in done.stdout, done.stderr
        assert whole < later
    finally:
        cluster.kill_control()


@pytest.fixture
def store():
    made = ObjectStore()
    yield made
    made.close()


def test_the_bucket_alone_gives_a_moment_back_and_a_whole_folder_needs_no_bucket(tmp_path, backups, store):
    flags = store.flags(tmp_path)
    cluster = start(tmp_path, backups, flags=flags)
    try:
        name = make_backup(cluster)["name"].removeprefix("backups/")
        post(cluster, "p", rows(0, 300))
        moment = time.time()
        post(cluster, "p", rows(300, 300))
        archived_until(cluster, moment)

        def sent():
            here = {str(path.relative_to(backups)) for path in backups.glob("parts/*/log/*/*.log")}
            there = {key.removeprefix("of-a/") for key in store.objects if "/log/" in key and key.endswith(".log")}
            marks = [content for key, content in store.objects.items() if key.endswith("/mark")]
            # A mark begins with the number of the last write and the time up to which there is none behind it, in us.
            return here == there and len(marks) == 7 and all(int(mark.split()[1]) >= moment * 1e6 for mark in marks)
        wait_until(sent, "the logs to be in the bucket")
    finally:
        cluster.close()
    # The bucket is away, and nobody asks it.
    store.close()
    done = restore_to(backups, moment, tmp_path / "b", *flags)
    assert done.returncode == 0, done.stderr
    plain = subprocess.run([str(BIN / "chartly-control"), "--backup-dir", str(backups), "--restore", name, "--data",
                            str(tmp_path / "c"), *map(str, flags)], capture_output=True, text=True, timeout=120)
    assert plain.returncode == 0, plain.stderr
    nowhere = restore_to(tmp_path / "empty", moment, tmp_path / "d", *flags)
    assert nowhere.returncode == 1 and "nor does the bucket" in nowhere.stderr
    again = ObjectStore()
    again.objects = store.objects
    try:
        shutil.move(backups, tmp_path / "lost")
        fetched = tmp_path / "fetched"
        done = restore_to(fetched, moment, tmp_path / "e", *again.flags(tmp_path))
        assert done.returncode == 0, done.stderr
        assert "up to " + show(moment)[:19] in done.stdout
        data = tmp_path / "f" / "data"
        data.mkdir(parents=True, mode=0o700)
        for kept in ("admin.key", "audit-keys", "tls"):
            copy = shutil.copytree if (cluster.data / kept).is_dir() else shutil.copy
            copy(cluster.data / kept, data / kept)
        done = restore_to(fetched, moment, data)
        assert done.returncode == 0, done.stderr
        restored = Cluster(tmp_path / "f", flags=["--backup-dir", fetched])
        try:
            assert all_records(restored, "p") == {f"k{i}": i for i in range(300)}
        finally:
            restored.close()
    finally:
        again.close()
