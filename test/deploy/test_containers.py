"""Real containers: the image is built, the compose files and scripts are run, and the hardening is read off the kernel."""

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from engine import Engine
from harness import BIN, FINAL, ROOT, wait_until
from test_rendered_processes import get
from tools import run

URL = "http://127.0.0.1:8090"
TAG = "chartly:v0.1.0"


@pytest.fixture(scope="module")
def engine():
    for program in ("chartly-control", "chartly-drone", "chartly"):
        if not (BIN / program).exists():
            pytest.skip(f"{program} is not built; ./dev build")
    for port in [*range(8090, 8099), 8199]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                pytest.skip(f"port {port} is taken; the compose files use the default ports")
    made = Engine()
    try:
        made.build(TAG)
        yield made
    finally:
        made.close()


def chartly(engine, *arguments):
    key = engine.folder / "admin.key"
    engine.docker("cp", f"{engine.container('control')}:/app/data/admin.key", key)
    return subprocess.run([BIN / "chartly", *arguments], capture_output=True, text=True, timeout=60,
                          env={"CHARTLY_URL": URL, "CHARTLY_KEY_FILE": str(key)})


def runs():
    code, body = get(URL + "/api/runs")
    return json.loads(body).get("runs", []) if code == 200 else []


def test_C40_C42_the_control_plane_comes_up(engine):
    engine.script("control-plane-up.sh")
    assert engine.inspect("control", "{{.State.Health.Status}}") == "healthy"


def test_C42_a_second_run_changes_nothing(engine):
    before = engine.container("control")
    engine.script("control-plane-up.sh")
    assert engine.container("control") == before


def test_C43_the_addresses_of_the_seeds_answer(engine):
    for path in ("/health", "/api/status", "/api/profiles", "/api/results/summary"):
        code, body = get(URL + path)
        assert code == 200 and isinstance(json.loads(body), dict), path


def test_C42_a_drone_joins(engine):
    engine.script("drone-up.sh", "--control-plane", "http://localhost:8090", "--id", "edge-1")
    wait_until(lambda: [d["drone_id"] for d in json.loads(get(URL + "/api/drones")[1])["drones"] if d["state"] == "active"]
               == ["edge-1"], "the drone to be known")


def identity_of(engine):
    """Paths in the volume of the drone -> contents."""
    copied = subprocess.run(["docker", "cp", f"{engine.container('drone')}:/app/data/.", "-"], env=engine.env, capture_output=True,
                            check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(copied)) as archive:
        return {os.path.normpath(each.name): archive.extractfile(each).read() for each in archive if each.isfile()}


def test_C42_E67_a_drone_shows_a_certificate_and_holds_no_key(engine):
    kept = identity_of(engine)
    assert "identity/identity.pem" in kept and "admin.key" not in kept
    for port in range(8091, 8099):
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            with contextlib.suppress(ConnectionError):
                assert not plain.recv(16).startswith(b"\0\0"), "clear text was taken"
    before = engine.container("drone")
    engine.script("drone-up.sh", "--control-plane", "http://localhost:8090", "--id", "edge-1")
    assert engine.container("drone") == before and identity_of(engine)["identity/identity.pem"] == kept["identity/identity.pem"]


def test_C42_E67_a_drone_that_was_shut_out_comes_back_when_it_is_told_to(engine):
    def state():
        return next((each["state"] for each in json.loads(get(URL + "/api/drones")[1])["drones"]), None)
    wait_until(lambda: state() == "active", "the drone to be active")
    done = chartly(engine, "drone", "revoke", "edge-1")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: state() == "offline", "the drone to be shut out")
    engine.script("drone-up.sh", "--control-plane", "http://localhost:8090", "--id", "edge-1", "--again")
    wait_until(lambda: state() == "active", "the drone to be back")


@pytest.mark.parametrize("name", ["control", "drone"])
def test_E62_E64_E71_E72_E73_the_kernel_confirms_the_hardening(engine, name):
    status = engine.status(name)
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"10440"}
    assert {status[mask] for mask in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    mounts = [line.split() for line in Path(f"/proc/{engine.pid(name)}/mountinfo").read_text().splitlines()]
    [root] = [fields for fields in mounts if fields[4] == "/"]
    assert "ro" in root[5].split(",")
    kernel = ("/proc", "/sys", "/dev")
    writable = {fields[4] for fields in mounts if "rw" in fields[5].split(",") and not fields[4].startswith(kernel)}
    # The engine makes these three files itself; their user cannot write to them.
    assert writable - {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"} == {"/app/data", "/tmp"}


def test_E65_nothing_is_written_elsewhere(engine):
    for name in ("control", "drone"):
        changed = engine.docker("diff", engine.container(name)).splitlines()
        assert {line[2:] for line in changed} <= {"/etc", "/etc/mtab", "/app", "/app/data", "/tmp"}, changed


def test_J140_the_packed_image_is_the_one_of_the_dockerfile(engine):
    def settings(tag):
        found = json.loads(engine.docker("image", "inspect", "--format", "{{json .Config}}", tag))
        found["Labels"].pop("org.opencontainers.image.version", None)
        # The engine adds where shells look for programs; there is no shell.
        found["Env"] = [each for each in found["Env"] if not each.startswith("PATH=")]
        return {key: found[key] for key in ("User", "WorkingDir", "Cmd", "Env", "ExposedPorts", "Labels")}

    def contents(tag):
        container = engine.docker("create", tag)
        try:
            exported = subprocess.run(["docker", "export", container], env=engine.env, capture_output=True, check=True).stdout
        finally:
            engine.docker("rm", container)
        with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
            return {each.name.rstrip("/"): (each.mode, each.uid, each.gid, each.size) for each in archive}
    assert settings(TAG) == settings("built:test")
    assert settings(TAG)["User"] == "10440:10440"
    assert contents(TAG) == contents("built:test")


def test_E62_the_image_holds_no_shell(engine):
    for program in ("/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/dpkg"):
        done = subprocess.run(["docker", "run", "--rm", TAG, program], env=engine.env, capture_output=True, text=True)
        assert done.returncode == 127, program


def test_E68_ports_are_bound_to_loopback(engine):
    ports = json.loads(engine.inspect("control", "{{json .NetworkSettings.Ports}}"))
    bound = {each["HostIp"] for bindings in ports.values() for each in bindings or []}
    assert bound == {"127.0.0.1"}


def test_O220_the_sample_join_through_the_gateway(engine):
    profiles = sorted(str(path) for path in (ROOT / "profiles/sample").glob("*.yaml"))
    done = chartly(engine, "profile", "apply", *profiles)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: {r["profile_id"] for r in runs() if r["status"] == "succeeded"} ==
               {"sample-co2", "sample-gdp", "sample-population"}, "a run of each sample profile")
    done = chartly(engine, "report", "run", "--join", "geo.name", "--join", "time.year", "--type", "correlation",
                   "--input", "sample-population:population.total", "--input", "sample-gdp:gdp.current_usd")
    assert done.returncode == 0 and "pearson" in done.stdout.lower(), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["control", "drone"])
def test_B21_a_container_that_is_killed_comes_back_and_balances_close(engine, name):
    for profile in ("sample-co2", "sample-gdp", "sample-population"):
        chartly(engine, "run", "start", profile)
    before = engine.pid(name)
    os.kill(before, signal.SIGKILL)

    def back():
        if not engine.container(name) or engine.pid(name) in (0, before):
            return False
        return get(URL + "/ready")[0] == 200 and get("http://127.0.0.1:8199/ready")[0] == 200
    wait_until(back, f"the {name} to be back")

    def settled():
        found = runs()
        return found and all(each["status"] in FINAL for each in found) and found
    for each in wait_until(settled, "every run to end", limit=120):
        balance = json.loads(get(f"{URL}/api/runs/{each['run_id']}")[1])["balance"]
        assert balance["closed"] and balance["in_spool"] == 0, each
        assert balance["fetched"] == (balance["stored"] + balance["duplicate"] + balance["filtered"] +
                                      balance["quarantined"] + balance["lost"]) and balance["lost"] == 0, each


def state():
    """What a restored system must show again: rows, revisions, and the log of changes with its hashes."""
    summary = json.loads(get(URL + "/api/results/summary")[1])
    profiles = json.loads(get(URL + "/api/profiles")[1])["profiles"]
    return ({each["profile_id"]: each for each in summary["profiles"]}, summary["total_results"],
            sorted((each["id"], each["revision"]) for each in profiles),
            json.loads(get(URL + "/api/audit/events")[1])["events"])


def test_S260_S264_everything_is_wiped_and_restored(engine, tmp_path):
    backup = tmp_path / "backup.tar"
    # Nothing may arrive between the look and the copy.
    engine.docker("stop", "--time", "20", engine.container("drone"))
    before = state()
    assert before[1] > 0 and len(before[2]) == 3 and before[3]
    engine.script("backup-data.sh", backup)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert engine.inspect("control", "{{.State.Health.Status}}") == "healthy", "it was not started again"
    assert engine.script("restore-data.sh", backup, check=False).returncode != 0, "data was replaced"
    engine.script("stop-all.sh")
    engine.script("reset-data.sh", "--yes")
    engine.script("restore-data.sh", backup)
    assert state() == before
    # The key came back with the data, and a new drone works for it.
    engine.script("drone-up.sh", "--control-plane", "http://localhost:8090")
    done = chartly(engine, "run", "start", "sample-gdp", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr


def test_S264_a_file_that_is_no_backup_is_refused(engine, tmp_path):
    other = tmp_path / "other.tar"
    other.write_bytes(b"no tar")
    done = engine.script("restore-data.sh", other, check=False)
    assert done.returncode != 0 and "is not what backup-data.sh writes" in done.stderr


def test_C44_stop_leaves_nothing_running_and_may_be_repeated(engine):
    engine.script("stop-all.sh")
    assert engine.docker("ps", "--all", "--quiet") == ""
    engine.script("stop-all.sh")


def test_C45_C47_data_stays_until_it_is_asked_to_go(engine):
    def volumes():
        return set(engine.docker("volume", "ls", "--quiet").split())
    kept = volumes()
    assert len(kept) == 2
    told = engine.script("reset-data.sh")
    assert kept <= set(told.stdout.split()) and volumes() == kept
    engine.script("control-plane-up.sh")
    assert len(json.loads(get(URL + "/api/profiles")[1])["profiles"]) == 3
    assert engine.script("reset-data.sh", "--yes", check=False).returncode != 0, "data of a running system was deleted"
    engine.script("stop-all.sh")
    engine.script("reset-data.sh", "--yes")
    assert volumes() == set()
    assert "no data" in engine.script("reset-data.sh").stderr


def test_C39_E67_with_tls_at_the_gateway_drones_join_over_it_and_no_script_takes_it_away(engine):
    folder = engine.folder / "gateway-tls"
    folder.mkdir()
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "tls.key", "-out", folder / "tls.crt")
    shutil.copy2(folder / "tls.crt", folder / "ca.crt")
    os.chown(folder / "tls.key", 10440, 10440)
    plain, engine.env = engine.env, {**engine.env, "CHARTLY_TLS_DIR": str(folder), "CHARTLY_TLS_NAME": "localhost"}
    try:
        assert "https://localhost:8090/" in engine.script("control-plane-up.sh").stdout
        assert get(URL + "/health")[0] == 400, "clear text was taken"
        engine.script("drone-up.sh", "--control-plane", "https://localhost:8090")
        key = engine.folder / "admin.key"
        engine.docker("cp", f"{engine.container('control')}:/app/data/admin.key", key)

        def active():
            done = subprocess.run([BIN / "chartly", "drone", "list", "--output", "json"], capture_output=True, text=True, timeout=60, env={
                "CHARTLY_URL": "https://localhost:8090", "CHARTLY_CA_FILE": str(folder / "ca.crt"), "CHARTLY_KEY_FILE": str(key)})
            return done.returncode == 0 and [each["state"] for each in json.loads(done.stdout)["drones"]] == ["active"]
        wait_until(active, "the drone to be active")
        before = engine.container("control")
        engine.env = plain  # as in another shell
        refused = engine.script("control-plane-up.sh", check=False)
        assert refused.returncode != 0 and "the gateway takes TLS" in refused.stderr and engine.container("control") == before
    finally:
        engine.env = plain
        engine.script("stop-all.sh")
        engine.script("reset-data.sh", "--yes")


@pytest.fixture(scope="module")
def roots():
    """The contents of the image, laid out twice."""
    if not (BIN / "chartly").exists():
        pytest.skip("chartly is not built; ./dev build")
    with tempfile.TemporaryDirectory() as folder:
        made = [Path(folder) / name for name in ("first", "second")]
        for each in made:
            run("python3", ROOT / "deploy/docker/image_root.py", BIN, ROOT / "profiles", each,
                env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
        yield made


def test_J140_the_contents_of_the_image_are_the_same_bytes_each_time(roots):
    archives = {subprocess.run(["tar", "--sort=name", "--numeric-owner", "-cf", "-", "-C", root, "root"], check=True,
                               capture_output=True).stdout for root in roots}
    assert len(archives) == 1


def test_J140_two_builds_have_one_digest_and_say_where_they_come_from(roots, tmp_path):
    pack = ROOT / "deploy/docker/pack.py"
    digests = [run("python3", pack, root, "v0.1.0", tmp_path / root.name, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}).stdout
               for root in roots]
    assert len(set(digests)) == 1 and digests[0].startswith("sha256:")
    archives = {(tmp_path / root.name / "chartly-0.1.0.tar").read_bytes() for root in roots}
    assert len(archives) == 1
    statement = json.loads((tmp_path / "first/chartly-0.1.0.provenance.json").read_text())
    assert statement["subject"] == [{"name": "chartly:v0.1.0", "digest": {"sha256": digests[0].strip().removeprefix("sha256:")}}]
    assert {each["name"] for each in statement["predicate"]["buildDefinition"]["resolvedDependencies"]} == {"source", "sbom.spdx.json"}
    assert run("python3", pack, roots[0], "latest", tmp_path / "no", check=False).returncode != 0


def test_J140_the_list_of_contents_is_whole(roots):
    import hashlib
    root = roots[0] / "root"
    document = json.loads((root / "usr/share/chartly/sbom.spdx.json").read_text())
    assert document["spdxVersion"] == "SPDX-2.3" and document["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    listed = {each["fileName"]: each["checksums"][1]["checksumValue"] for each in document["files"]}
    there = {f"./{path.relative_to(root)}": hashlib.sha256(path.read_bytes()).hexdigest()
             for path in root.rglob("*") if path.is_file()}
    there.pop("./usr/share/chartly/sbom.spdx.json")
    assert listed == there
    names = {each["name"] for each in document["packages"]}
    assert {"chartly", "libc6", "ca-certificates"} <= names and len(names) > 20
    assert all(each["versionInfo"] for each in document["packages"])
    ids = [each["SPDXID"] for each in document["packages"] + document["files"]]
    assert len(ids) == len(set(ids))


def test_E64_nothing_in_the_image_is_writable_or_runs_as_another(roots):
    root = roots[0] / "root"
    for path in root.rglob("*"):
        mode = path.lstat().st_mode
        assert not mode & 0o6000 and (path == root / "tmp" or not mode & 0o022), path
