"""The surfaces people and programs use: REST, OpenAPI, events, page, metrics, health, gRPC reflection."""

import json
import re
import urllib.request

import grpc
import pytest

from harness import PARTS, ROOT, ApiError, Cluster, wait_until

SAMPLES = sorted((ROOT / "profiles" / "sample").glob("*.yaml"))


def load_samples(cluster):
    for file in SAMPLES:
        cluster.create_profile(file.read_text())
    return [re.search(r"^id: *(\S+)", f.read_text(), re.M).group(1) for f in SAMPLES]


def fetch(url):
    with urllib.request.urlopen(url, timeout=30) as response:
        return response.status, dict(response.headers), response.read()


def test_sample_profiles_run_and_join(cluster):
    ids = load_samples(cluster)
    cluster.drone()
    for profile_id in ids:
        run = wait_until(lambda p=profile_id: next(
            (r for r in cluster.get("/api/runs", profile_id=p)["runs"] if r["status"] == "succeeded"), None),
            f"a scheduled run of {profile_id}")
        assert run["balance"]["closed"] and run["balance"]["stored"] > 0
    summary = cluster.get("/api/results/summary")
    assert summary["total_results"] > 0 and summary["unique_drones"] == 1
    assert [p["profile_id"] for p in summary["profiles"]] == sorted(ids)
    fields = {p: cluster.get(f"/api/profiles/{p}/fields") for p in ids}
    left, right = ids[0], ids[1]
    answer = cluster.post("/api/reports", {
        "join": ["geo.name", "time.year"],
        "inputs": [{"profile_id": p, "measure": fields[p]["measures"][0]} for p in (left, right)],
        "output": {"type": "correlation"}})
    assert answer["n"] >= 20 and -1 <= answer["pearson"] <= 1
    status = cluster.get("/api/status")
    assert status["status"] == "ok" and len(status["parts"]) == 9
    assert cluster.get("/api/drones/stats")["active"] == 1


def test_every_route_of_the_openapi_document_answers(single):
    load_samples(single)
    document = single.get("/api/openapi.json")
    assert document["openapi"].startswith("3.")
    routes = [(method.upper(), path) for path, item in document["paths"].items() for method in item
              if method in ("get", "post", "put", "delete", "patch")]
    assert len(routes) >= 40
    for method, path in routes:
        if path in ("/api/events", "/api/profiles:watch"):
            continue  # endless streams; the next test reads one
        concrete = re.sub(r"\{[^}]*\}", "population", path)
        try:
            single.call(method, concrete, {} if method != "GET" else None, single.key)
        except json.JSONDecodeError:
            assert ":export" in path, f"{method} {path} answers with something else than one JSON document"
        except ApiError as error:
            # An answer of the service, never "no such route" or a crash.
            assert error.error.get("reason") not in ("ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED"), f"{method} {path}: {error}"
            assert error.status in (400, 404, 409, 412), f"{method} {path}: {error}"
            assert error.error["message"] and error.error["request_id"], f"{method} {path}: {error}"


def test_events_tell_of_runs(single):
    load_samples(single)
    request = urllib.request.Request(single.url + "/api/events")
    with urllib.request.urlopen(request, timeout=30) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        single.drone()
        seen = []
        for line in stream:
            if line.startswith(b"data:") and b"run_id" in line:
                seen.append(json.loads(line[5:]))
                if seen[-1].get("run", {}).get("status") == "succeeded":
                    break
        assert seen


def test_writes_need_a_key_and_reads_do_not(single):
    body = SAMPLES[0].read_bytes()
    for key, status in ((None, 401), ("wrong", 401)):
        with pytest.raises(ApiError) as refused:
            single.call("POST", "/api/profiles", body, key)
        assert refused.value.status == status
    assert single.get("/api/profiles")["profiles"] == []
    document = single.get("/api/openapi.json")
    for path, item in document["paths"].items():
        for method in item:
            # A report changes nothing, a webhook is let in by its signature alone (test_webhooks.py), and a session is begun
            # with a key and ended by whoever has it (test_sign_in.py).
            keyless = path.endswith("/webhooks/{profile}") or path in ("/api/reports", "/api/reports:export",
                                                                       "/api/drones:enroll")
            if path == "/api/session":
                continue
            if method in ("put", "delete") or (method == "post" and not keyless):
                concrete = re.sub(r"\{[^}]*\}", "x", path)
                with pytest.raises(ApiError) as refused:
                    single.call(method.upper(), concrete, {})
                assert refused.value.status == 401, f"{method} {path} is open: {refused.value}"


def test_the_registry_key_of_the_environment_is_accepted(tmp_path):
    import os
    from harness import Cluster
    os.environ["REGISTRY_API_KEY"] = "a-key-from-the-environment"
    try:
        class WithKey(Cluster):
            def make_controls(self):
                super().make_controls()
                for control in self.controls:
                    control.env["REGISTRY_API_KEY"] = "a-key-from-the-environment"
        cluster = WithKey(tmp_path)
    finally:
        del os.environ["REGISTRY_API_KEY"]
    try:
        assert cluster.call("POST", "/api/profiles", SAMPLES[0].read_bytes(), "a-key-from-the-environment")["id"]
        caller = cluster.call("GET", "/api/auth/caller", key="a-key-from-the-environment")
        assert caller["can_write"] and caller["principal"] != "admin"
    finally:
        cluster.close()


def test_clients_of_the_earlier_api_are_served(single):
    posted = single.post("/api/results", {"drone_id": "old", "profile_id": "legacy", "run_id": "r1", "data": [
        {"dims": {"geo.name": "Aland", "big": 9007199254740993}, "measures": {"x": 1.5}},
        {"dims": {"geo.name": "Bland", "big": 9007199254740992}, "measures": {"x": 2}}]})
    assert (posted["inserted_records"], posted["deduped_records"], posted["run_id"]) == (2, 0, "r1")
    again = single.post("/api/results", {"drone_id": "old", "profile_id": "legacy", "run_id": "r2", "data": [
        {"dims": {"geo.name": "Aland", "big": 9007199254740993}, "measures": {"x": 1.5}}]})
    assert (again["inserted_records"], again["deduped_records"]) == (0, 1)
    records = single.get("/api/records", profile_id="legacy")["records"]
    assert sorted(r["dims"]["big"] for r in records) == [9007199254740992, 9007199254740993]
    assert single.get("/api/results/summary")["total_results"] == 2
    single.post("/api/drones/register", {"drone_id": "old-drone"})
    single.post("/api/drones/heartbeat", {"drone_id": "old-drone"})
    assert [d["drone_id"] for d in single.get("/api/drones")["drones"]] == ["old-drone"]
    single.post("/api/runs", {"run_id": "ext-1", "drone_id": "old-drone", "profile_id": "legacy",
                              "status": "succeeded", "rows_out": 2, "duration_ms": 40})
    assert single.get("/api/runs/ext-1")["rows_out"] == 2
    events = single.get("/api/audit/v0/events")["events"]
    assert any("CreateRun" in e["action"] for e in events)


def test_records_are_shown_as_they_were_known_at_a_time(single):
    def post(value):
        single.post("/api/results", {"drone_id": "d", "profile_id": "past", "data": [
            {"dims": {"year": 2020}, "measures": {"x": value}}]})
        newest = single.get("/api/records", profile_id="past")["records"]
        return newest[0]["provenance"]["acked_at"]

    times = [post(value) for value in (1, 2, 3)]
    assert times == sorted(times)
    for value, time in zip((1, 2, 3), times):
        records = single.get("/api/records", profile_id="past", as_of=time)["records"]
        assert [r["measures"]["x"] for r in records] == [value]
    assert single.get("/api/records", profile_id="past", as_of="2020-01-01T00:00:00Z")["records"] == []
    with pytest.raises(ApiError):
        single.get("/api/records", profile_id="past", as_of="yesterday")


def test_health_readiness_metrics_and_page(cluster):
    status, headers, page = fetch(cluster.url + "/")
    assert status == 200 and b"Chartly" in page
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    # Each process is ready in its own time, and its parts are well when they have heard of each other: the coordinator
    # says that it waits until it knows the registry's profiles. The cluster waits for the gateway alone.
    health = wait_until(lambda: well(f"127.0.0.1:{cluster.http_port}"), "all parts to be well")
    assert "registry" in health["services"]
    for part, port in cluster.admin.items():
        if not cluster.split and part != "gateway":
            continue
        wait_until(lambda: answers_200(f"127.0.0.1:{port}", "/ready"), f"{part} to be ready")
        wait_until(lambda: well(f"127.0.0.1:{port}"), f"{part} to be well")
        assert b"# TYPE chartly_" in fetch(f"http://127.0.0.1:{port}/metrics")[2]
    drone = cluster.drone()
    admin = next(a for a in reversed(drone.arguments) if re.fullmatch(r"127\.0\.0\.1:\d+", a))
    wait_until(lambda: answers_200(admin, "/ready"), "the drone to be ready")
    assert b"chartly_spool_bytes" in fetch(f"http://{admin}/metrics")[2]


def test_a_part_that_waits_for_another_is_no_reason_to_restart_it(tmp_path):
    """Kubernetes restarts what does not answer 200 to /health; a registry that is away must not end the coordinator."""
    cluster = Cluster(tmp_path, split=True)
    try:
        registry, coordinator = (cluster.controls[PARTS.index(part)] for part in ("registry", "coordinator"))
        registry.kill()
        coordinator.kill()
        coordinator.start()
        admin = f"127.0.0.1:{cluster.admin['coordinator']}"
        wait_until(lambda: answers_200(admin, "/ready"), "the coordinator to be ready")
        status, _, body = fetch(f"http://{admin}/health")
        told = json.loads(body)
        assert status == 200 and told["status"] == "degraded"
        assert told["services"]["coordinator"] == {"status": "degraded",
                                                   "message": "the registry's profiles are not known yet"}
        registry.start()
        wait_until(lambda: well(admin), "the coordinator to be well")
    finally:
        cluster.close()


def well(address):
    """What /health says, once it has nothing to complain of."""
    try:
        told = json.loads(fetch(f"http://{address}/health")[2])
    except OSError:
        return None
    return told if told["status"] == "ok" else None


def answers_200(address, path):
    try:
        return fetch(f"http://{address}{path}")[0] == 200
    except OSError:
        return False


def varint(number):
    out = b""
    while True:
        out, number = out + bytes([(number & 0x7F) | (0x80 if number > 0x7F else 0)]), number >> 7
        if not number:
            return out


def test_grpc_reflection_lists_the_services(cluster):
    wanted = {"registry": "RegistryService", "aggregator": "RecordService", "coordinator": "CoordinatorService",
              "reporter": "ReporterService", "auth": "AuthService", "audit": "AuditService",
              "observer": "ObserverService", "releases": "ReleasesService"}
    for part, service in wanted.items():
        with grpc.insecure_channel(f"127.0.0.1:{cluster.rpc[part]}") as channel:
            reflect = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
            listed = next(reflect(iter([b"\x3a\x01*"]), timeout=10))  # list_services: "*"
            assert f"chartly.v1.{service}".encode() in listed
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            name = f"chartly.v1.{service}".encode()
            assert check(b"\x0a" + varint(len(name)) + name, timeout=10) == b"\x08\x01"  # SERVING


def test_sigterm_drains_within_ten_seconds(cluster):
    load_samples(cluster)
    drone = cluster.drone()
    wait_until(lambda: cluster.get("/api/drones/stats")["active"] == 1, "the drone")
    assert drone.stop(10) == 0
    for control in cluster.controls:
        assert control.stop(10) == 0, control.tail()
