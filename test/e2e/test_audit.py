"""The audit log on the shipped programs: what it holds, what it proves, and that changes of it are found."""

import base64
import hashlib
import json
import re
import shutil
import urllib.error
import urllib.request

import pytest

from harness import ApiError, Cluster, cli, wait_until

PROFILE = """
id: {id}
version: 1.0.0
source: {{type: http_rest, url: "{url}/x.json", format: json, records: "rows[*]"}}
schedule: {{enabled: false}}
mapping:
  k: dims.k
  v: {{to: measures.v, type: decimal}}
"""


@pytest.fixture
def audited(tmp_path):
    cluster = Cluster(tmp_path, flags=["--audit-checkpoints", tmp_path / "checkpoints.txt", "--audit-origin", "log.test/audit"])
    yield cluster
    cluster.close()


def change(cluster, times):
    for number in range(times):
        cluster.post("/api/deployments", {"release_version": f"1.0.{number}", "environment": "dev", "commit": "a" * 40,
                                          "image_digest": "sha256:" + "b" * 64, "request_id": f"r-{number}"})


def events(cluster):
    return cluster.get("/api/audit/events", page_size=1000)["events"]


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node(root_of(leaves[:split]), root_of(leaves[split:]))


def export(cluster, tmp_path):
    """The log, and a file of the checkpoints that do not reach beyond it: the end of the export is an entry, too, and a
    checkpoint of that may be there at once."""
    log, known = tmp_path / "log.ndjson", tmp_path / "known.txt"
    assert cluster.cli("audit", "export", log).returncode == 0
    size = len(log.read_text().splitlines())
    origin = "log.test/audit\n"
    notes = [origin + note for note in (tmp_path / "checkpoints.txt").read_text().split(origin)[1:]]
    known.write_text("".join(note for note in notes if int(note.split("\n")[1]) <= size))
    return log, known


def test_a_change_is_in_the_log_and_its_root_is_that_of_the_definition(audited):
    change(audited, 5)
    newest_first = events(audited)
    assert any(e["action"] == "ReleasesService.OpenDeployment" and e["actor"] == "admin" and e["outcome"] == "OK"
               for e in newest_first)
    checkpoint = audited.get("/api/audit/checkpoint", fresh="true")
    leaves = [bytes.fromhex(e["hash"]) for e in reversed(events(audited))][:int(checkpoint["size"])]
    assert root_of(leaves).hex() == checkpoint["root"]
    origin, size, root = checkpoint["checkpoint"].split("\n")[:3]
    assert (origin, size) == ("log.test/audit", str(checkpoint["size"]))
    assert base64.b64decode(root).hex() == checkpoint["root"]


def test_commands_prove_export_and_verify(audited, tmp_path):
    change(audited, 5)
    assert "is in the log of" in audited.cli("audit", "proof", "3").stdout
    listed = audited.cli("audit", "list")
    assert "ReleasesService.OpenDeployment" in listed.stdout
    keys = audited.cli("audit", "checkpoint", "--keys").stdout
    assert keys.startswith("log.test/audit+")
    (tmp_path / "keys.txt").write_text(keys)
    (tmp_path / "kept.txt").write_text(audited.cli("audit", "checkpoint").stdout)
    change(audited, 3)
    log, known = export(audited, tmp_path)
    trust = ["--checkpoint", tmp_path / "kept.txt", "--checkpoint", known, "--key", tmp_path / "keys.txt"]
    whole = cli("audit", "verify", log, *trust)
    assert whole.returncode == 0, whole.stderr
    lines = log.read_text().splitlines(keepends=True)
    changed = tmp_path / "changed.ndjson"
    changed.write_text("".join([*lines[:2], lines[2].replace('"outcome":"OK"', '"outcome":"NO"'), *lines[3:]]))
    found = cli("audit", "verify", changed, *trust)
    assert found.returncode == 1 and "entry 2:" in found.stderr
    changed.write_text("".join(lines[:-1]))
    assert "missing" in cli("audit", "verify", changed, *trust).stderr


def test_a_new_key_and_an_erased_person_leave_the_log_whole(audited, tmp_path):
    change(audited, 3)
    (tmp_path / "keys.txt").write_text(audited.cli("audit", "checkpoint", "--keys").stdout)
    assert "new key of the log" in audited.cli("audit", "rotate-key").stdout
    change(audited, 2)
    erased = audited.cli("audit", "erase", "--actor", "admin")
    assert int(erased.stdout.split()[0]) >= 3
    assert all(e.get("actor", "") != "admin" for e in events(audited) if e["action"].startswith("Releases"))
    log, known = export(audited, tmp_path)
    whole = cli("audit", "verify", log, "--checkpoint", known, "--key", tmp_path / "keys.txt")
    assert whole.returncode == 0, whole.stderr
    assert "no longer name" in whole.stdout


def status_of(call):
    try:
        call()
    except ApiError as error:
        return error.status, error.error.get("reason")
    return 200, ""


def test_while_the_audit_part_is_down_reads_go_on_and_nothing_is_changed(tmp_path, source):
    cluster = Cluster(tmp_path, split=True)
    try:
        cluster.create_profile(PROFILE.format(id="before", url=source.url))
        wait_until(lambda: status_of(lambda: cluster.post("/api/profiles/before:pause"))[0] == 200, "the parts to find each other")
        drone = cluster.drone()
        wait_until(lambda: cluster.get("/api/drones")["drones"], "the drone")
        audit = next(c for c in cluster.controls if "audit" in c.arguments)
        audit.kill()
        unavailable = (503, "AUDIT_UNAVAILABLE")
        refused = {
            "create": lambda: cluster.create_profile(PROFILE.format(id="meanwhile", url=source.url)),
            "resume": lambda: cluster.post("/api/profiles/before:resume"),
            "key": lambda: cluster.post("/api/keys", {"key_id": "meanwhile", "role": "admin"}),
            "deployment": lambda: cluster.post("/api/deployments", {"release_version": "9.9.9", "environment": "prod"}),
            "export": lambda: cluster.call("GET", "/api/records:export?profile_id=before&format=csv", key=cluster.key),
            "session": lambda: cluster.post("/api/session", {"api_key": cluster.key}),
        }
        for name, change_ in refused.items():
            assert status_of(change_) == unavailable, name
        assert [p["id"] for p in cluster.get("/api/profiles")["profiles"]] == ["before"]
        assert cluster.get("/api/profiles/before")["paused"]
        assert [k["name"] for k in cluster.call("GET", "/api/keys", key=cluster.key).get("keys", [])] == []
        assert cluster.get("/api/deployments").get("deployments", []) == []
        assert drone.alive() and cluster.get("/api/drones")["drones"]
        audit.start()
        wait_until(lambda: status_of(refused["create"])[0] == 200, "the audit part to be back")
        outcomes = [e["outcome"] for e in events(cluster) if e["action"] == "RegistryService.CreateProfile"]
        assert outcomes == ["OK", "STARTED", "OK", "STARTED"]
    finally:
        cluster.close()


def test_a_change_is_in_the_log_before_and_after_it_is_made_and_says_from_where(audited):
    change(audited, 1)
    entries = [e for e in events(audited) if e["action"] == "ReleasesService.OpenDeployment"]
    assert [e["outcome"] for e in entries] == ["OK", "STARTED"]
    assert entries[0]["request_id"] == entries[1]["request_id"] and entries[0]["tenant"] == "default"
    assert entries[0]["address"] == "127.0.0.1"


def metric(drone, name):
    admin = next(a for a in reversed(drone.arguments) if re.fullmatch(r"127\.0\.0\.1:\d+", a))
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as response:
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", response.read().decode(), re.M)
    return sum(map(float, found))


def test_a_log_that_was_set_back_is_noticed_by_its_witness_and_at_its_start(audited, tmp_path):
    change(audited, 3)
    audited.controls[0].stop()
    shutil.copytree(audited.data / "audit", tmp_path / "older")
    audited.start_control()
    change(audited, 4)
    size = int(audited.get("/api/audit/checkpoint", fresh="true")["size"])
    drone = audited.drone("witness", flags=["--witness", f"--audit=127.0.0.1:{audited.rpc['audit']}"])
    seen = tmp_path / "witness" / "witness" / "checkpoint.txt"
    wait_until(lambda: seen.exists() and int(seen.read_text().split("\n")[1]) >= size, "the witness to see the log")
    wait_until(lambda: metric(drone, "chartly_witness_size") >= size, "the metric of the witness")
    audited.controls[0].stop()
    shutil.rmtree(audited.data / "audit")
    shutil.move(tmp_path / "older", audited.data / "audit")
    audited.controls[0].start()
    wait_until(lambda: metric(drone, "chartly_witness_alarms_total") > 0, "the alarm of the witness")
    assert (tmp_path / "witness" / "witness" / "fork.txt").exists()
    with pytest.raises(urllib.error.HTTPError) as ill:
        urllib.request.urlopen(audited.url + "/health", timeout=10)
    assert "does not continue the checkpoint" in json.loads(ill.value.read())["services"]["audit"]["message"]
