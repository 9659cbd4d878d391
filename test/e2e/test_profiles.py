"""Profiles over their life: channels, plans, signatures, folders in git; with the shipped binaries alone."""

import json
import re
import shutil
import subprocess

import pytest

from harness import ApiError, wait_until

PROFILE = """id: {id}
name: {id}
version: {version}
source: {{type: http_rest, url: "{url}/rows", format: json}}
schedule: {{enabled: false, interval: 1d}}
mapping:
  n: dims.n
  v: {{to: measures.v, type: integer}}
{more}"""


@pytest.fixture
def rows(source):
    source.routes["/rows"] = lambda _query: (200, "application/json", b'[{"n": "a", "v": 1}, {"n": "b", "v": 2}]')
    return source


def text_of(source, id="people", version="1.0.0", more=""):
    return PROFILE.format(id=id, version=version, url=source.url, more=more)


def ok(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(done, reason):
    assert done.returncode == 2 and f"[{reason}]" in done.stderr, done.stdout + done.stderr
    return done.stderr


def versions(cluster, id="people"):
    return {p["channel"]: p["version"] for p in cluster.get(f"/api/profiles/{id}/channels")["pointers"]}


def test_a_revision_runs_once_it_was_promoted_and_no_more_once_it_was_rolled_back(cluster, rows, tmp_path):
    file = tmp_path / "people.yaml"
    file.write_text(text_of(rows))
    ok(cluster.cli("profile", "apply", file))
    cluster.drone()
    first = cluster.run_to_end("people")
    assert first["status"] == "succeeded"
    file.write_text(text_of(rows, version="1.1.0"))
    ok(cluster.cli("profile", "apply", "--channel", "dev", file))
    assert versions(cluster) == {"dev": "1.1.0", "staging": "1.0.0", "prod": "1.0.0"}
    assert cluster.run_to_end("people")["revision"] == first["revision"]
    refused(cluster.cli("profile", "promote", "people", "--to", "prod", "--revision", "1.1.0"), "CHANNEL_HAS_ANOTHER")
    ok(cluster.cli("profile", "promote", "people", "--to", "staging"))
    shown = ok(cluster.cli("profile", "promote", "people", "--to", "prod", "--reason", "two days in staging"))
    assert "two days in staging" in shown
    second = cluster.run_to_end("people")
    assert second["status"] == "succeeded" and second["revision"] != first["revision"]
    ok(cluster.cli("profile", "rollback", "people", "--reason", "wrong numbers"))
    assert cluster.run_to_end("people")["revision"] == first["revision"]
    history = json.loads(ok(cluster.cli("profile", "history", "people", "-o", "json")))["moves"]
    assert [(m["channel"], m["kind"]) for m in history[:3]] == [("prod", "rollback"), ("prod", "promote"), ("staging", "promote")]
    assert history[0]["reason"] == "wrong numbers" and history[0]["actor"] == "admin"
    again = ok(cluster.cli("profile", "apply", file))
    assert "unchanged" in again


def test_a_profile_that_was_never_promoted_is_not_run(single, rows, tmp_path):
    file = tmp_path / "people.yaml"
    file.write_text(text_of(rows))
    ok(single.cli("profile", "apply", "--channel", "dev", file))
    single.drone()
    with pytest.raises(ApiError) as error:
        single.post("/api/profiles/people:runNow")
    assert error.value.status == 404
    ok(single.cli("profile", "promote", "people", "--to", "staging"))
    ok(single.cli("profile", "promote", "people", "--to", "prod"))
    assert single.run_to_end("people")["status"] == "succeeded"


def test_what_breaks_readers_of_the_records_is_never_silent(single, rows, tmp_path):
    file = tmp_path / "people.yaml"
    file.write_text(text_of(rows))
    ok(single.cli("profile", "apply", file))
    file.write_text(text_of(rows, version="2.0.0").replace("type: integer", "type: text").replace("measures.v", "attrs.v"))
    message = refused(single.cli("profile", "apply", file), "PROFILE_BREAKING")
    assert "measures.v FIELD_LOST" in message
    ok(single.cli("profile", "apply", "--allow-breaking", file))
    assert "records: breaking" in ok(single.cli("profile", "diff", "people"))


def test_a_plan_is_applied_as_it_was_shown_or_not_at_all(cluster, rows, tmp_path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    for id in ("a", "b", "c"):
        (folder / f"{id}.yaml").write_text(text_of(rows, id))
    ok(cluster.cli("profile", "apply", folder / "a.yaml", folder / "b.yaml", folder / "c.yaml"))
    consent = tmp_path / "consent.yaml"
    consent.write_text("hosts: [127.0.0.1]\n")
    cluster.drone(flags=["--consent", consent])
    for id in ("a", "b", "c"):
        wait_until(lambda id=id: cluster.get(f"/api/profiles/{id}/status")["drone_id"], "the drone to have its profiles")
    (folder / "a.yaml").write_text(text_of(rows, "a", "1.1.0", "description: better\n"))
    (folder / "b.yaml").unlink()
    (folder / "d.yaml").write_text(text_of(rows, "d").replace("127.0.0.1", "localhost"))
    plan = json.loads(ok(cluster.cli("profile", "plan", folder, "--prune", "-o", "json")))
    assert [(p["profile_id"], p["action"]) for p in plan["profiles"]] == [
        ("a", "update"), ("b", "delete"), ("c", "unchanged"), ("d", "create")]
    drone = plan["drones"][0]
    assert (drone["gained"], drone["lost"], drone["changed"]) == (["d"], ["b"], ["a"])
    assert [(r["profile_id"], r["reason"]) for r in drone["refusals"]] == [("d", "CONSENT_DENIED")]
    shown = ok(cluster.cli("profile", "plan", folder, "--prune"))
    assert "will refuse d" in shown and f"plan {plan['hash']}" in shown
    ok(cluster.cli("profile", "apply", folder / "c.yaml"))
    (tmp_path / "c.yaml").write_text(text_of(rows, "c", "1.0.1"))
    ok(cluster.cli("profile", "apply", tmp_path / "c.yaml"))
    message = refused(cluster.cli("profile", "apply", "--plan", plan["hash"]), "PLAN_DRIFTED")
    assert "profile c was at 1.0.0" in message and "is at 1.0.1" in message
    assert {p["id"]: p["version"] for p in cluster.get("/api/profiles")["profiles"]} == {
        "a": "1.0.0", "b": "1.0.0", "c": "1.0.1"}
    again = json.loads(ok(cluster.cli("profile", "plan", folder, "--prune", "-o", "json")))
    assert again["hash"] != plan["hash"]
    applied = ok(cluster.cli("profile", "apply", "--plan", again["hash"]))
    assert re.search(r"b +1.0.0 +deleted", applied)
    assert {p["id"]: p["version"] for p in cluster.get("/api/profiles")["profiles"]} == {
        "a": "1.1.0", "c": "1.0.0", "d": "1.0.0"}
    assert "unchanged" in ok(cluster.cli("profile", "apply", "--plan", again["hash"]))


def test_a_drone_with_keys_runs_what_was_signed_and_says_why_not(single, rows, tmp_path):
    file, key, other = tmp_path / "people.yaml", tmp_path / "key", tmp_path / "other"
    for made in (key, other):
        ok(single.cli("profile", "keygen", made))
        assert made.stat().st_mode & 0o777 == 0o600
    assert single.cli("profile", "keygen", key).returncode != 0
    file.write_text(text_of(rows))
    ok(single.cli("profile", "apply", file))
    flags = ["--profile-keys", f"{key}.pub"]
    drone = single.drone(flags=flags)
    run = single.run_to_end("people")
    assert (run["status"], run["error_reason"]) == ("failed", "PROFILE_UNSIGNED"), run
    assert "/rows" not in rows.hits
    ok(single.cli("profile", "sign", "--key", other, "--upload", file))
    assert single.run_to_end("people")["error_reason"] == "PROFILE_KEY_UNTRUSTED"
    ok(single.cli("profile", "sign", "--key", key, "--upload", file))
    assert len(single.get("/api/profiles/people")["signatures"]) == 2
    good = single.run_to_end("people")
    assert good["status"] == "succeeded", good

    # The next revision and its signature arrive together; the one after that has none, and the last good one runs.
    file.write_text(text_of(rows, version="1.1.0"))
    ok(single.cli("profile", "sign", "--key", key, file))
    assert "updated" in ok(single.cli("profile", "apply", file))
    signed = single.run_to_end("people")
    assert signed["status"] == "succeeded" and signed["revision"] != good["revision"]
    file.write_text(text_of(rows, version="1.2.0"))
    message = refused(single.cli("profile", "apply", file), "SIGNATURE_OF_ANOTHER")
    assert "sign it again" in message
    (tmp_path / "people.yaml.sig").unlink()
    ok(single.cli("profile", "apply", file))
    fallen_back = single.run_to_end("people")
    assert (fallen_back["status"], fallen_back["error_reason"]) == ("partial", "PROFILE_UNSIGNED"), fallen_back
    assert fallen_back["revision"] == signed["revision"] and fallen_back["rows_out"] == 2
    assert "the last good one" in ok(single.cli("run", "list", "-o", "json"))
    assert 'chartly_profiles_refused_total{reason="PROFILE_UNSIGNED"}' in metrics_of(drone)

    # A newer one may go back by itself to the one that ran well here before it.
    file.write_text(text_of(rows, version="1.3.0"))
    ok(single.cli("profile", "sign", "--key", key, file))
    ok(single.cli("profile", "apply", file))
    assert single.run_to_end("people")["status"] == "succeeded"
    ok(single.cli("profile", "rollback", "people", "--to", "1.1.0", "--reason", "one step back"))
    one_step = single.run_to_end("people")
    assert (one_step["status"], one_step["revision"]) == ("succeeded", signed["revision"]), one_step

    # Anything older is older even with its true signature, also after the drone was started again.
    ok(single.cli("profile", "rollback", "people", "--to", "1.0.0", "--reason", "going back"))
    drone.stop()
    single.drone(flags=flags)
    run = wait_until(lambda: single.run_to_end("people"), "a run")
    assert (run["status"], run["error_reason"]) == ("partial", "PROFILE_DOWNGRADED"), run
    assert run["revision"] == signed["revision"]
    old = tmp_path / "old.yaml"
    old.write_text(text_of(rows))
    ok(single.cli("profile", "sign", "--key", key, "--upload", old))
    back = single.run_to_end("people")
    assert back["status"] == "succeeded" and back["revision"] == good["revision"]
    keys = single.get("/api/drones/d1")["consent"]["profile_key_ids"]
    assert len(keys) == 1 and keys[0] in [s["key_id"] for s in single.get("/api/profiles/people")["signatures"]]


def metrics_of(drone):
    import urllib.request
    admin = next(a for a, b in zip(drone.arguments[1:], drone.arguments) if b == "--admin")
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as response:
        return response.read().decode()


def git(folder, *arguments):
    done = subprocess.run(["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_folder_in_git_and_the_registry_are_kept_the_same(single, rows, tmp_path):
    folder, key = tmp_path / "repo", tmp_path / "key"
    folder.mkdir()
    ok(single.cli("profile", "keygen", key))
    (folder / "a.yaml").write_text(text_of(rows, "a"))
    (folder / "b.yaml").write_text(text_of(rows, "b"))
    ok(single.cli("profile", "sign", "--key", key, folder))
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    commit = git(folder, "rev-parse", "HEAD")
    dry = ok(single.cli("profile", "sync", folder, "--dry-run"))
    assert re.search(r"a +create", dry) and single.get("/api/profiles")["profiles"] == []
    assert ok(single.cli("profile", "sync", folder)).count("created") == 2
    profile = single.get("/api/profiles/a")
    assert profile["origin"]["commit"] == commit and not profile["origin"].get("modified")
    assert profile["signatures"][0]["counter"] > 0
    generation = profile["generation"]
    assert ok(single.cli("profile", "sync", folder)).count("unchanged") == 2
    assert single.get("/api/profiles/a")["generation"] == generation

    (folder / "b.yaml").unlink()
    (folder / "b.yaml.sig").unlink()
    (folder / "a.yaml").write_text(text_of(rows, "a", "1.1.0"))
    refused(single.cli("profile", "sync", folder, "--prune"), "SIGNATURE_OF_ANOTHER")
    ok(single.cli("profile", "sign", "--key", key, folder))
    result = ok(single.cli("profile", "sync", folder, "--prune"))
    assert "updated" in result and "deleted" in result
    assert single.get("/api/profiles/a")["origin"] == {"commit": commit, "modified": True}

    exported = tmp_path / "exported"
    assert "wrote 1 profile " in ok(single.cli("profile", "export", exported))
    assert sorted(p.name for p in exported.iterdir()) == ["a.yaml", "a.yaml.sig"]
    for file in exported.iterdir():
        assert file.read_bytes() == (folder / file.name).read_bytes()
    assert "unchanged" in ok(single.cli("profile", "sync", exported, "--prune"))
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(single.cli("profile", "sync", empty, "--prune"), "NO_PROFILES")
    assert len(single.get("/api/profiles")["profiles"]) == 1
