"""What the earlier system got wrong in security and operation, each as a test of its own: the number is that of the list
of its faults."""

import http.client
import json
import os
import re
import signal
import socket
import urllib.request

import pytest

from harness import ApiError, Cluster, wait_until
from token_issuer import TokenIssuer

PROFILE = """
id: {id}
version: 1.0.0
source: {{type: http_rest, url: "{url}", format: json, records: "rows[*]"}}
schedule: {{enabled: false}}
mapping:
  k: dims.k
  v: {{to: measures.v, type: decimal}}
"""
DATA = {"drone_id": "d", "profile_id": "p", "data": [{"dims": {"i": 1}, "measures": {"x": 1}}]}


def status_of(call):
    try:
        call()
    except ApiError as error:
        return error.status
    return 200


def metrics(cluster):
    return urllib.request.urlopen(f"http://127.0.0.1:{cluster.admin['gateway']}/metrics", timeout=10).read().decode()


def test_W26_nobody_writes_or_deletes_without_a_key(single):
    single.create_profile(PROFILE.format(id="p", url="https://example.org/x.json"))
    for method, path, body in (("POST", "/api/results", DATA), ("DELETE", "/api/profiles/p", None),
                               ("POST", "/api/profiles/p:runNow", {}), ("POST", "/api/drones/register", {"drone_id": "x"})):
        assert status_of(lambda: single.call(method, path, body)) == 401, f"{method} {path}"
    assert single.get("/api/results/summary")["total_results"] == 0
    assert [p["id"] for p in single.get("/api/profiles")["profiles"]] == ["p"]


def test_W27_a_key_in_a_file_alone_closes_the_door(tmp_path):
    key = tmp_path / "a.key"
    key.write_text("a-key-that-stands-in-a-file-of-its-own")
    key.chmod(0o600)

    class WithFile(Cluster):
        def make_controls(self):
            self.key_file = key
            super().make_controls()

    cluster = WithFile(tmp_path, flags=["--key-file", key])
    try:
        assert status_of(lambda: cluster.call("POST", "/api/results", DATA)) == 401
        assert cluster.call("POST", "/api/results", DATA, key.read_text())["inserted_records"] == 1
    finally:
        cluster.close()


@pytest.mark.parametrize("header", ["X-Principal", "X-Tenant-ID", "X-Tenant", "X-User", "X-Forwarded-User", "X-Roles"])
def test_W28_who_a_caller_says_to_be_in_a_header_is_not_believed(single, header):
    spoofed = {header: "admin"}
    assert status_of(lambda: single.call("POST", "/api/results", DATA, headers=spoofed)) == 401
    caller = single.call("GET", "/api/auth/caller", headers=spoofed)
    assert caller == single.call("GET", "/api/auth/caller") and caller["principal"] != "admin"
    single.call("POST", "/api/results", DATA, single.key, {header: "somebody"})
    actors = {event["actor"] for event in single.get("/api/audit/v0/events")["events"]}
    assert "somebody" not in actors


def test_W29_no_profile_makes_the_control_plane_or_a_drone_reach_inside(single, source):
    source.routes["/in"] = lambda _q: (200, "application/json", b'{"rows":[]}')
    single.create_profile(PROFILE.format(id="inside", url=source.url + "/in"))
    single.drone(egress=())
    run = single.run_to_end("inside")
    assert run["status"] == "failed" and run["error_reason"] == "EGRESS_DENIED" and not source.hits


def test_W30_no_variable_of_the_environment_gets_into_a_request(single, source):
    asked = []
    source.routes["/v"] = lambda query: (asked.append(query), (200, "application/json", b'{"rows":[]}'))[1]
    text = PROFILE.format(id="vars", url=source.url + "/v?q=${PATH}&r=$HOME")
    if status_of(lambda: single.create_profile(text)) == 200:
        single.drone()
        single.run_to_end("vars")
    assert all(os.environ["PATH"] not in json.dumps(query) and query.get("r") in (None, "$HOME") for query in asked)


def test_W31_what_is_stored_is_of_the_tenant_that_stored_it(cluster):
    keys = {tenant: wait_until(lambda t=tenant: made(cluster, t), "auth to answer") for tenant in ("acme", "globex")}
    for tenant, key in keys.items():
        text = PROFILE.format(id="orders", url=f"https://{tenant}.example/x.json").encode()
        cluster.call("POST", "/api/profiles", text, key, {"Content-Type": "application/yaml"})
        cluster.call("POST", "/api/results", {"drone_id": "d", "profile_id": "orders", "data": [
            {"dims": {"of": tenant}, "measures": {"x": 1}}]}, key)
    for tenant, key in keys.items():
        other = "globex" if tenant == "acme" else "acme"
        for headers in ({}, {"X-Tenant": other}, {"X-Tenant-ID": other}, {"X-Chartly-Tenant": other}):
            for path in ("/api/profiles/orders", "/api/profiles", "/api/records?profile_id=orders", "/api/audit/events"):
                text = json.dumps(cluster.call("GET", path, key=key, headers=headers))
                assert other not in text and (tenant in text or path == "/api/audit/events"), f"{path} as {tenant}"
        report = {"join": ["of"], "inputs": [{"profile_id": "orders", "measure": "x"}], "output": {"type": "table"}}
        assert other not in json.dumps(cluster.call("POST", "/api/reports", report, key))
    for path in ("/api/profiles/orders", "/api/profiles/orders/revisions"):
        assert status_of(lambda p=path: cluster.call("GET", p, key=cluster.key)) == 404
    assert cluster.get("/api/results/summary")["total_results"] == 0


def made(cluster, tenant):
    """The secret of an admin key of the tenant, or nothing while the parts do not reach each other yet."""
    try:
        return cluster.post("/api/keys", {"key_id": "boss", "role": "admin", "tenant": tenant})["secret"]
    except ApiError as error:
        if error.status != 503:
            raise
        return None


@pytest.mark.parametrize("path", ["/api/status", "/api/profiles", "/health", "/"])
def test_W33_no_other_origin_may_read_an_answer(single, path):
    request = urllib.request.Request(single.url + path, headers={"Origin": "https://elsewhere.example"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_W34_the_page_keeps_no_key_in_the_storage_of_the_browser(single):
    page = urllib.request.urlopen(single.url + "/", timeout=10).read().decode()
    scripts = re.findall(r'src="([^"]+\.js)"', page)
    assert scripts
    for script in scripts:
        text = urllib.request.urlopen(single.url + "/" + script.lstrip("/"), timeout=10).read().decode()
        assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie\s*=", text), script


def test_W35_bodies_headers_and_slow_senders_have_their_limit(single):
    host, port = single.url.removeprefix("http://").split(":")
    slow = []
    for _ in range(50):
        connection = socket.create_connection((host, int(port)), timeout=60)
        connection.sendall(b"POST /api/results HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n")
        slow.append(connection)
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.putrequest("POST", "/api/results")
    connection.putheader("X-API-Key", single.key)
    connection.putheader("Content-Length", str(1 << 34))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("GET", "/api/status", headers={"X-Long": "x" * 200_000})
    assert connection.getresponse().status in (400, 431)
    assert single.get("/health")["status"] == "ok"
    for connection in slow:
        answer = connection.recv(4096)  # waits until the server gives up
        assert answer == b"" or b" 408 " in answer


def test_W36_nobody_gets_or_makes_a_token_that_was_not_given_to_him(tmp_path):
    issuer = TokenIssuer(tmp_path)
    cluster = Cluster(tmp_path, flags=issuer.flags())
    try:
        # Nothing here signs tokens; a session, a key and the place of a drone are had for a credential alone.
        for method, path, body in (("POST", "/api/auth/token", {}), ("POST", "/api/token", {}), ("POST", "/oauth/token", {})):
            assert status_of(lambda: cluster.call(method, path, body)) in (404, 405)
        assert status_of(lambda: cluster.call("POST", "/api/session", {})) == 400
        for path, body in (("/api/session", {"api_key": "admin"}), ("/api/session", {"api_key": "chk_" + "0" * 64}),
                           ("/api/session", {"api_key": issuer.token("admin")}), ("/api/keys", {"key_id": "x", "role": "admin"}),
                           ("/api/joinTokens", {}), ("/api/drones:enroll", {"join_token": "x", "drone_id": "d"})):
            assert status_of(lambda: cluster.call("POST", path, body)) == 401, path
        good = issuer.token("admin")
        changed = good[:-8] + ("A" * 8)
        for token in (changed, issuer.token("admin", header={"alg": "none"}), issuer.token("admin", aud="another")):
            assert status_of(lambda: cluster.call("POST", "/api/keys", {"key_id": "x", "role": "admin"}, token)) == 401
        assert status_of(lambda: cluster.call("POST", "/api/keys", {"key_id": "x", "role": "admin"}, good)) == 200
    finally:
        cluster.close()
        issuer.close()


def test_W37_a_control_plane_is_ready_measured_and_ends_in_order(single):
    assert single.get("/ready")["ready"]
    for line in metrics(single).splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{[^}]*\})? [0-9.eE+-]+(Inf|NaN)?', line), line
    single.post("/api/results", DATA)
    single.controls[0].process.send_signal(signal.SIGTERM)
    assert single.controls[0].process.wait(15) == 0
    single.start_control()
    assert single.get("/api/results/summary")["total_results"] == 1


def test_W38_drones_and_the_page_work_while_writes_need_a_key(single, source):
    source.routes["/d"] = lambda _q: (200, "application/json", b'{"rows":[{"k":"a","v":1}]}')
    single.create_profile(PROFILE.format(id="d", url=source.url + "/d"))
    single.drone()
    assert single.run_to_end("d")["balance"]["stored"] == 1
    assert b"Chartly" in urllib.request.urlopen(single.url + "/", timeout=10).read()


def test_W39_health_events_and_the_page_are_never_throttled(single):
    for path in ("/health", "/ready", "/", "/api/status"):
        for _ in range(200):
            with urllib.request.urlopen(single.url + path, timeout=10) as answer:
                assert answer.status == 200
    streams = [urllib.request.urlopen(single.url + "/api/events", timeout=10) for _ in range(20)]
    assert all(stream.status == 200 for stream in streams)
    drones = [single.drone(f"d{i}") for i in range(3)]
    wait_until(lambda: len(single.get("/api/drones")["drones"]) == 3, "the drones")
    assert all(drone.alive() for drone in drones)
