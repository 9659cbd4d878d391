"""Drones join with a token, talk TLS with certificates of a day, and are shut out again, on the shipped binaries."""

import socket
import time
import urllib.request

import pytest

from harness import ApiError, Cluster, PARTS, ROOT, wait_until

SAMPLES = sorted((ROOT / "profiles/sample").glob("*.yaml"))


@pytest.fixture(params=["one process", "nine processes"])
def tls_cluster(request, tmp_path):
    made = Cluster(tmp_path, split=request.param == "nine processes", flags=["--rpc-tls"])
    yield made
    made.close()


@pytest.fixture
def tls_single(tmp_path):
    made = Cluster(tmp_path, flags=["--rpc-tls"])
    yield made
    made.close()


def join(cluster, drone_id, *arguments):
    folder = cluster.folder / f"{drone_id}-identity"
    done = cluster.cli("drone", "join", drone_id, "--identity-dir", folder, *arguments)
    return folder, done


def state_of(cluster, drone_id):
    return next((drone["state"] for drone in cluster.get("/api/drones")["drones"] if drone["drone_id"] == drone_id), None)


def start(cluster, drone_id, **kwargs):
    folder, done = join(cluster, drone_id)
    assert done.returncode == 0, done.stderr
    cluster.drone(drone_id, identity=folder, **kwargs)
    wait_until(lambda: state_of(cluster, drone_id) == "active", f"{drone_id} to be active")
    return folder


def test_a_drone_that_joined_does_its_runs_over_tls(tls_cluster):
    start(tls_cluster, "d1")
    profile = tls_cluster.create_profile(SAMPLES[0].read_text())
    run = tls_cluster.run_to_end(profile["id"])
    assert run["status"] == "succeeded" and run["rows_out"] > 0


def test_a_key_alone_opens_no_port_that_takes_tls(tls_single):
    keyed = tls_single.drone("keyed")
    with socket.create_connection(("127.0.0.1", tls_single.rpc["coordinator"]), 5) as plain:
        plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        plain.settimeout(10)
        try:
            answer = plain.recv(1 << 16)
        except ConnectionError:
            answer = b""
        assert not answer.startswith(b"\x00\x00")  # no settings of HTTP/2 come back
    start(tls_single, "d1")
    assert state_of(tls_single, "keyed") is None and keyed.alive()


def test_a_token_lets_one_drone_in_once(tls_single):
    token = tls_single.folder / "token"
    token.write_text(tls_single.cli("drone", "token").stdout)
    _, first = join(tls_single, "d1", "--token-file", token)
    assert first.returncode == 0, first.stderr
    _, second = join(tls_single, "d2", "--token-file", token)
    assert second.returncode == 4 and "JOIN_TOKEN_USED" in second.stderr
    metrics = metrics_of(tls_single, "gateway")
    assert 'chartly_join_refusals_total{reason="JOIN_TOKEN_USED"} 1' in metrics

    def told():
        events = tls_single.call("GET", "/api/audit/events?page_size=10", key=tls_single.key)["events"]
        return any(event["subject"] == "drones/d2" and "JOIN_TOKEN_USED" in event["outcome"] for event in events)
    wait_until(told, "the entry of the second use")


def metrics_of(cluster, part):
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.admin[part]}/metrics", timeout=10) as answer:
        return answer.read().decode()


def test_a_token_that_was_changed_lets_nobody_in(tls_single):
    secret = tls_single.cli("drone", "token").stdout.strip()
    token = tls_single.folder / "token"
    head, fingerprint = secret.rsplit("_", 1)
    token.write_text(f"{head}_{'0' * len(fingerprint)}")
    folder, done = join(tls_single, "d1", "--token-file", token)
    assert done.returncode == 4 and not (folder / "identity.pem").exists()


def test_a_revoked_drone_is_cut_off_and_comes_back_with_a_new_token(tls_single):
    start(tls_single, "d1")
    assert tls_single.cli("drone", "revoke", "d1").returncode == 0
    revoked = time.monotonic()
    wait_until(lambda: state_of(tls_single, "d1") == "offline", "the revoked drone to be offline", 60)
    assert time.monotonic() - revoked < 60
    tls_single.drones.pop("d1").kill()
    folder, done = join(tls_single, "d1", "--again")
    assert done.returncode == 0, done.stderr
    tls_single.drone("d1", identity=folder)
    wait_until(lambda: state_of(tls_single, "d1") == "active", "the drone to be back")


def test_certificates_are_renewed_under_work_and_no_run_notices(tmp_path):
    """Those of the drone and of every part. At the end a part starts again: what connects to it anew, in both directions, has
    nothing but renewed certificates to show, for the first ones have ended."""
    cluster = Cluster(tmp_path, split=True, flags=["--rpc-tls", "--certificate-seconds", "20"])
    try:
        files = [start(cluster, "d1") / "identity.pem", *(cluster.data / "tls" / f"{part}.pem" for part in [*PARTS, "gateway"])]
        profile = cluster.create_profile(SAMPLES[0].read_text())
        seen = {file: {file.read_bytes()} for file in files}

        def renewed():
            assert cluster.run_to_end(profile["id"])["status"] == "succeeded"
            for file in files:
                seen[file].add(file.read_bytes())
            return min(map(len, seen.values())) >= 3
        wait_until(renewed, "every certificate to have been renewed twice", 120)
        assert state_of(cluster, "d1") == "active"
        [coordinator] = [each for each in cluster.controls if "coordinator" in each.arguments]
        assert coordinator.stop() == 0
        coordinator.start()
        cluster.wait_ready()
        wait_until(lambda: state_of(cluster, "d1") == "active", "the drone to be back")
        assert cluster.run_to_end(profile["id"])["status"] == "succeeded"
        metrics = metrics_of(cluster, "reporter")
        assert "chartly_certificate_expire_time_seconds" in metrics
        assert 'chartly_certificate_renewals_total{outcome="failed"}' not in metrics
    finally:
        cluster.close()


def test_a_drone_without_a_good_identity_says_how_to_get_one(tls_single):
    folder, _ = join(tls_single, "d1")
    other = tls_single.drone("d2", identity=folder)
    wait_until(lambda: not other.alive(), "the drone to end")
    assert "chartly drone join d2" in other.tail()


def test_joining_needs_a_key_that_may_let_drones_in(tls_single):
    viewer = tls_single.folder / "viewer"
    viewer.write_text(tls_single.cli("key", "create", "v", "--role", "publisher").stdout)
    done = tls_single.cli("drone", "join", "d1", "--identity-dir", tls_single.folder / "x", "--key-file", viewer)
    assert done.returncode == 4 and "ROLE_TOO_LOW" in done.stderr
    with pytest.raises(ApiError) as refused:
        tls_single.call("POST", "/api/drones:enroll", {"join_token": "x", "drone_id": "d1"})
    assert refused.value.status == 401
