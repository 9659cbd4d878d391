"""Backups that are copied to an object store, and the way back from there alone."""

import hashlib
import shutil
import subprocess

import pytest

from harness import BIN, Cluster
from object_store import ObjectStore
from posted_rows import post, rows
from test_backup import all_records, make_backup


@pytest.fixture
def store():
    made = ObjectStore()
    yield made
    made.close()


def start(folder, backups, flags):
    folder.mkdir()
    return Cluster(folder, flags=["--backup-dir", backups, "--backup-keep", "2", *flags])


def restore(backups, name, data, flags):
    return subprocess.run([str(BIN / "chartly-control"), "--backup-dir", str(backups), "--restore",
                           name.removeprefix("backups/"), "--data", str(data), *flags],
                          capture_output=True, text=True, timeout=120)


def test_a_restore_from_the_bucket_alone_gives_everything_back(tmp_path, store):
    flags = store.flags(tmp_path)
    cluster = start(tmp_path / "a", tmp_path / "backups", flags)
    try:
        post(cluster, "p", rows(0, 500))
        first = make_backup(cluster)
        assert first["copy"]["state"] == "ready" and first["copy"]["sent_bytes"] == first["size_bytes"]
        post(cluster, "p", rows(500, 500))
        second = make_backup(cluster)
        # What both share was sent once. Marks of logs are written anew.
        puts = [key for key in store.puts if not key.endswith("/mark")]
        assert second["copy"]["sent_bytes"] < second["size_bytes"] and len(puts) == len(set(puts))
        expected = all_records(cluster, "p")
        assert len(expected) == 1000
    finally:
        cluster.close()
    shutil.rmtree(tmp_path / "backups")
    data = tmp_path / "b" / "data"
    data.mkdir(parents=True, mode=0o700)
    for kept in ("admin.key", "audit-keys", "tls"):
        copy = shutil.copytree if (cluster.data / kept).is_dir() else shutil.copy
        copy(cluster.data / kept, data / kept)
    unknown = restore(tmp_path / "fetched", "backups/20200101t000000z", data, flags)
    assert unknown.returncode == 1 and second["name"].removeprefix("backups/") in unknown.stderr
    done = restore(tmp_path / "fetched", second["name"], data, flags)
    assert done.returncode == 0, done.stderr
    restored = Cluster(tmp_path / "b", flags=["--backup-dir", tmp_path / "fetched"])
    try:
        assert all_records(restored, "p") == expected
    finally:
        restored.close()


def test_old_backups_leave_the_bucket_with_what_only_they_had(tmp_path, store):
    cluster = start(tmp_path / "a", tmp_path / "backups", store.flags(tmp_path))
    try:
        made = []
        for index in range(4):
            post(cluster, "p", rows(index * 10, 10))
            made.append(make_backup(cluster)["name"].removeprefix("backups/"))
        assert store.manifests() == made[2:]
        here = {str(path.relative_to(tmp_path / "backups")) for path in (tmp_path / "backups/parts").rglob("*") if path.is_file()}
        # Logs go by their own time (test_moments.py).
        there = {key.removeprefix("of-a/") for key in store.objects if "/parts/" in key and "/log/" not in key}
        assert there <= here and there
    finally:
        cluster.close()


def test_a_store_that_is_away_or_refuses_fails_the_copy_and_not_the_backup(tmp_path, store):
    cluster = start(tmp_path / "a", tmp_path / "backups", store.flags(tmp_path, secret="a wrong one"))
    try:
        post(cluster, "p", rows(0, 10))
        backup = make_backup(cluster)
        assert backup["copy"]["state"] == "failed" and "SignatureDoesNotMatch" in backup["copy"]["error"]
        assert "a wrong one" not in str(backup) and not store.objects
        done = cluster.cli("backup", "create")
        assert done.returncode == 1 and "not in the bucket" in done.stderr
        assert "not in the bucket" in cluster.cli("backup", "list").stdout
        # The credentials are read anew, and what the bucket lacks is made up for. A store may be busy for a moment.
        store.flags(tmp_path)
        store.faults = {"PUT": [503, 500], "GET": [503]}
        assert make_backup(cluster)["copy"]["state"] == "ready"
        assert len(store.manifests()) == 2 == len(cluster.call("GET", "/api/backups", key=cluster.key)["backups"])
    finally:
        cluster.close()


def test_files_of_another_control_plane_are_not_overwritten(tmp_path, store):
    flags = store.flags(tmp_path)
    for name in ("a", "b"):
        cluster = start(tmp_path / name, tmp_path / f"backups-{name}", flags)
        try:
            post(cluster, "p", rows(0, 10, value=ord(name)))
            before = dict(store.objects)
            backup = make_backup(cluster)
        finally:
            cluster.close()
    assert backup["copy"]["state"] == "failed" and "another control plane" in backup["copy"]["error"]
    assert {key: store.objects[key] for key in before} == before


def test_a_manifest_that_leads_out_of_the_folder_is_refused(tmp_path, store):
    flags = store.flags(tmp_path)
    cluster = start(tmp_path / "a", tmp_path / "backups", flags)
    try:
        backup = make_backup(cluster)
    finally:
        cluster.close()
    key = f"of-a/manifests/{backup['name'].removeprefix('backups/')}.json"
    line = store.objects[key].split(b"\n")[0].replace(b'"path":"meta/', b'"path":"../../../meta/') + b"\n"
    store.objects[key] = line + hashlib.sha256(line).hexdigest().encode() + b"\n"
    done = restore(tmp_path / "deep/er/fetched", backup["name"], tmp_path / "b", flags)
    assert done.returncode == 1 and "outside of the folder" in done.stderr
    assert not (tmp_path / "deep").exists() and not (tmp_path / "b").exists()


@pytest.mark.parametrize("url", ["http://example.org/b", "https://example.org", "s3://b"])
def test_an_address_that_is_none_is_refused_at_the_start(tmp_path, url):
    done = subprocess.run([str(BIN / "chartly-control"), "--data", str(tmp_path / "d"), "--listen", "127.0.0.1:0",
                           "--backup-dir", str(tmp_path / "x"), "--backup-s3", url], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and url in done.stderr and "https://HOST" in done.stderr
