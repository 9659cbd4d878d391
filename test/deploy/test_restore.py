"""Everything is lost but the backups and the keys: what the chart's jobs run brings it back (docs/disaster-recovery.md)."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

import object_store
from harness import BIN, FINAL, ROOT, wait_until
from rendering import component, load, of_kind, pod_spec, template
from test_rendered_processes import USER, Host, get

BACKUPS = ["--set", "backup.enabled=true"]
# Of a system of this size; the bound of the page is minutes.
LIMIT = 120


@pytest.fixture
def host():
    folder = Path(tempfile.mkdtemp(prefix="chartly-restore-"))
    folder.chmod(0o755)
    made = Host(folder, load(template(*BACKUPS).stdout))
    made.start()
    yield made
    made.close()
    shutil.rmtree(folder)


def ready(host, *names):
    started = [host.processes[name] for name in names or host.processes]
    for each in started:
        name = each.log_path.stem
        assert each.alive(), f"{name} {each.arguments} ended:\n{each.tail()}"
    return all(get(url)[0] == 200 for each in started for url in each.probes.values())


def state(host):
    """What must be there again: rows, revisions, runs that ended, and the log of changes with its hashes."""
    def ask(path):
        code, body = get(host.url + path)
        assert code == 200, f"{path}: {body}"
        return json.loads(body)
    summary = ask("/api/results/summary")
    return {"results": (summary["total_results"], sorted((each["profile_id"], json.dumps(each, sort_keys=True)) for each in summary["profiles"])),
            "profiles": sorted((each["id"], each["revision"]) for each in ask("/api/profiles")["profiles"]),
            "runs": sorted((each["run_id"], each["status"]) for each in ask("/api/runs")["runs"]
                           if each["status"] in FINAL),
            "changes": ask("/api/audit/events")["events"]}


def runs_of_the_samples(host):
    profiles = sorted(str(path) for path in (host.folder / "profiles/sample").glob("*.yaml"))
    done = host.chartly("profile", "apply", *profiles)
    assert done.returncode == 0, done.stdout + done.stderr

    def over():
        runs = json.loads(get(host.url + "/api/runs")[1]).get("runs", [])
        return {each["profile_id"] for each in runs if each["status"] == "succeeded"} and all(
            each["status"] == "succeeded" for each in runs) and len(runs) >= len(profiles)
    wait_until(over, "a run of every sample profile")


def what_the_cron_job_runs(host):
    [job] = of_kind(host.objects, "CronJob")
    [container] = pod_spec(job)["containers"]
    assert container["command"] == ["/usr/bin/chartly"]
    return host.chartly(*[host.paths(host.local(each), "") for each in container["args"]])


def start_restore(host, job):
    """The container of a job, on the volume of its part."""
    [container] = pod_spec(job)["containers"]
    part = next(each.removeprefix("--services=") for each in container["args"] if each.startswith("--services="))
    return subprocess.Popen([*host.prefix(), str(host.folder / "bin/chartly-control"),
                             *[host.paths(each, host.folder / "data" / part) for each in container["args"]]],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={"PATH": "/usr/bin:/bin"})


def restore(host, backup, moment=""):
    """Runs the container of every job, each on its volume."""
    to = ["--set", f"backup.restoreTo={moment}"] if moment else []
    jobs = of_kind(load(template(*BACKUPS, "--set", f"backup.restore={backup}", *to).stdout), "Job")
    for job in jobs:
        started = start_restore(host, job)
        out, _ = started.communicate(timeout=120)
        assert started.returncode == 0, out
    return len(jobs)


# --- the schedule for Velero ---

VELERO = ROOT / "deploy/velero"
# Of velero.io/v1: what a Schedule and the backup in it may say.
SCHEDULE = {"schedule", "template", "useOwnerReferencesInBackup", "paused", "skipImmediately"}
TEMPLATE = {"includedNamespaces", "excludedNamespaces", "includedResources", "excludedResources", "labelSelector",
            "orLabelSelectors", "snapshotVolumes", "ttl", "includeClusterResources", "hooks", "storageLocation",
            "volumeSnapshotLocations", "defaultVolumesToFsBackup", "snapshotMoveData", "resourcePolicy", "metadata"}


def test_S261_the_schedules_select_what_a_restore_needs():
    schedules = {each["metadata"]["name"]: each["spec"] for each in load((VELERO / "schedules.yaml").read_text())}
    assert set(schedules) == {"chartly-objects", "chartly-backups"}
    for spec in schedules.values():
        assert set(spec) <= SCHEDULE and set(spec["template"]) <= TEMPLATE
        assert re.fullmatch(r"[0-9*/,-]+( [0-9*/,-]+){4}", spec["schedule"])
        assert spec["template"]["includedNamespaces"] == ["chartly"] and re.fullmatch(r"\d+h0m0s", spec["template"]["ttl"])
    # Neither leaves Secrets out, which git does not have, nor takes volumes that a part is writing to.
    objects = schedules["chartly-objects"]["template"]
    assert "secrets" not in objects["excludedResources"] and objects["snapshotVolumes"] is False
    wanted = schedules["chartly-backups"]["template"]["labelSelector"]["matchLabels"].items()
    claims = of_kind(load(template(*BACKUPS).stdout), "PersistentVolumeClaim")
    assert [each["metadata"]["name"] for each in claims if wanted <= each["metadata"]["labels"].items()] == ["chartly-backup"]
    made = schedules["chartly-backups"]["schedule"].split()
    [job] = of_kind(load(template(*BACKUPS).stdout), "CronJob")
    assert int(made[1]) > int(job["spec"]["schedule"].split()[1]), "the copy is made before the backup"


def test_S264_the_pod_that_copies_keys_is_restricted_and_finds_their_claim():
    [pod] = load((VELERO / "keys-pod.yaml").read_text())
    done = subprocess.run([str(BIN / "chartly"), "lint", "deploy", str(VELERO / "keys-pod.yaml"), "--rule",
                           "E62,E64,E65,E71,E72,E73,E74,F92"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    [volume] = pod["spec"]["volumes"]
    jobs = of_kind(load(template(*BACKUPS, "--set", "backup.restore=20260131t090000z").stdout), "Job")
    assert volume["persistentVolumeClaim"] in [each["persistentVolumeClaim"] for job in jobs for each in pod_spec(job)["volumes"]
                                              if each["name"] == "data"]


# --- the way back ---

def test_S260_S264_a_cluster_is_wiped_and_restored_from_its_backups(host):
    wait_until(lambda: ready(host), "every probe of every pod to answer 200")
    runs_of_the_samples(host)
    assert host.processes["drone"].stop(limit=20) == 0  # so that nothing arrives behind the look
    before = state(host)
    assert before["results"][0] > 0 and len(before["profiles"]) == 3 and before["changes"]

    done = what_the_cron_job_runs(host)
    assert done.returncode == 0, done.stdout + done.stderr
    backup = done.stdout.split(":")[0]
    done = host.chartly("backup", "verify", backup)
    assert done.returncode == 0, done.stdout + done.stderr

    keys = host.folder / "kept"
    shutil.copytree(host.folder / "data/audit/audit-keys", keys / "audit-keys")
    subprocess.run(["chown", "-R", "--reference", str(host.folder / "data/audit"), str(keys)], check=True)
    begun = time.monotonic()
    host.close()
    shutil.rmtree(host.folder / "data")

    for name in map(component, of_kind(host.objects, "StatefulSet", "Deployment")):
        (host.volume(name) / "lost+found").mkdir()  # as at the root of a new disk
    subprocess.run(["cp", "-a", str(keys / "audit-keys"), str(host.folder / "data/audit/")], check=True)
    assert restore(host, backup) == 7
    # The drone comes later: what it fetches by itself at once would be more than there was.
    parts = [name for name in host.processes if name != "drone"]
    host.start(*parts)
    wait_until(lambda: ready(host, *parts), "every probe of every pod to answer 200")
    print(f"restored and ready after {time.monotonic() - begun:.1f} s")
    assert time.monotonic() - begun < LIMIT
    wait_until(lambda: json.loads(get(host.url + "/api/status")[1]).get("status") == "ok", "the parts to find each other")
    after = state(host)
    assert {each: after[each] for each in ("results", "profiles", "runs")} == {each: before[each] for each in ("results", "profiles", "runs")}
    # The backup is a change too.
    assert [each for each in after["changes"] if each in before["changes"]] == before["changes"]
    # It goes on: a new drone runs a profile, and the backups that there were are known.
    host.start("drone")
    done = host.chartly("run", "start", "sample-gdp", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert backup in host.chartly("backup", "list").stdout


BUCKET = ["--set", "backup.bucket.url=https://store.example:9000/backups/eu,backup.bucket.credentialsSecret=chartly-bucket",
          "--set", f"backup.bucket.region={object_store.REGION}"]


def test_S260_S264_the_claim_of_backups_is_lost_too_and_the_jobs_restore_from_the_bucket():
    """All jobs at once, as a cluster runs them, each out of the one new claim that they share."""
    folder = Path(tempfile.mkdtemp(prefix="chartly-restore-"))
    folder.chmod(0o755)
    store = object_store.ObjectStore()

    def rendered(*more):  # the store of the test speaks no TLS, which is taken on loopback alone
        text = template(*BACKUPS, *BUCKET, *more).stdout
        return load(text.replace("https://store.example:9000/backups/eu", store.url.replace("127.0.0.1", "localhost")))
    host = Host(folder, rendered())
    try:
        (folder / "bucket").mkdir()
        store.flags(folder / "bucket")
        if os.geteuid() == 0:
            os.chown(folder / "bucket/credentials", 0, USER)
        (folder / "bucket/credentials").chmod(0o440)
        host.start()
        wait_until(lambda: ready(host), "every probe of every pod to answer 200")
        runs_of_the_samples(host)
        assert host.processes["drone"].stop(limit=20) == 0
        before = state(host)
        done = what_the_cron_job_runs(host)
        assert done.returncode == 0 and store.objects, done.stdout + done.stderr
        backup = done.stdout.split(":")[0]
        shutil.copytree(folder / "data/audit/audit-keys", folder / "kept")
        host.close()
        for lost in [*(folder / "data").iterdir(), *(folder / "backup").iterdir()]:
            shutil.rmtree(lost)

        for name in map(component, of_kind(host.objects, "StatefulSet", "Deployment")):
            host.volume(name)
        jobs = [start_restore(host, job) for job in of_kind(rendered("--set", f"backup.restore={backup}"), "Job")]
        assert len(jobs) == 7
        for job in jobs:
            out, _ = job.communicate(timeout=120)
            assert job.returncode == 0, out
        assert not [path for path in (folder / "backup").rglob("*") if ".part" in path.name]
        shutil.copytree(folder / "kept", folder / "data/audit/audit-keys")
        subprocess.run(["chown", "-R", "--reference", str(folder / "data/audit"), str(folder / "data/audit/audit-keys")], check=True)
        parts = [name for name in host.processes if name != "drone"]
        host.start(*parts)
        wait_until(lambda: ready(host, *parts), "every probe of every pod to answer 200")
        wait_until(lambda: json.loads(get(host.url + "/api/status")[1]).get("status") == "ok", "the parts to find each other")
        after = state(host)
        assert {each: after[each] for each in ("results", "profiles", "runs")} == {
            each: before[each] for each in ("results", "profiles", "runs")}
    finally:
        host.close()
        store.close()
        shutil.rmtree(folder)


def test_S262_a_moment_between_backups_is_restored_by_the_jobs(host):
    wait_until(lambda: ready(host), "every probe of every pod to answer 200")
    done = what_the_cron_job_runs(host)
    assert done.returncode == 0, done.stdout + done.stderr
    backup = done.stdout.split(":")[0]
    # All of it is behind the backup: profiles, runs, rows.
    runs_of_the_samples(host)
    assert host.processes["drone"].stop(limit=20) == 0
    before = state(host)
    assert before["results"][0] > 0 and len(before["profiles"]) == 3
    moment = datetime.now(timezone.utc)
    # What must not come back: somebody deletes everything.
    for name in ("sample-gdp", "sample-population"):
        done = host.chartly("profile", "delete", name)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(state(host)["profiles"]) == 1

    def archived():
        until = json.loads(host.chartly("backup", "list", "--output", "json").stdout)["backups"][0].get("log_until_time", "")
        return until and datetime.fromisoformat(until.replace("Z", "+00:00")) > moment
    wait_until(archived, "the log to be archived")
    keys = host.folder / "kept"
    shutil.copytree(host.folder / "data/audit/audit-keys", keys / "audit-keys")
    subprocess.run(["chown", "-R", "--reference", str(host.folder / "data/audit"), str(keys)], check=True)
    host.close()
    shutil.rmtree(host.folder / "data")
    for name in map(component, of_kind(host.objects, "StatefulSet", "Deployment")):
        host.volume(name)
    subprocess.run(["cp", "-a", str(keys / "audit-keys"), str(host.folder / "data/audit/")], check=True)
    assert restore(host, backup, moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")) == 7
    parts = [name for name in host.processes if name != "drone"]
    host.start(*parts)
    wait_until(lambda: ready(host, *parts), "every probe of every pod to answer 200")
    wait_until(lambda: json.loads(get(host.url + "/api/status")[1]).get("status") == "ok", "the parts to find each other")
    after = state(host)
    assert {each: after[each] for each in ("results", "profiles", "runs")} == {each: before[each] for each in ("results", "profiles", "runs")}
    assert [each for each in after["changes"] if each in before["changes"]] == before["changes"]


def test_S262_a_moment_without_a_backup_is_refused():
    refused = template(*BACKUPS, "--set", "backup.restoreTo=2026-01-31T09:00:00Z", check=False)
    assert refused.returncode != 0 and "backup.restoreTo needs backup.restore" in refused.stderr
