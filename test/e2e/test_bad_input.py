"""Bad input: one clear message that names the file, field or address and what to do, and nothing stored is lost."""

import json
import os
import subprocess

import pytest

from harness import BIN, ApiError, Process, cli, wait_until

PROFILE = """
id: {id}
name: Rows
version: 1.0.0
source: {{type: http_rest, url: "{url}", format: {format}, records: "{records}"}}
schedule: {{enabled: false, interval: 1d}}
retry: {{max_attempts: 1, backoff: 50ms}}
limits: {{timeout: 5s, max_bytes: 1GiB}}
mapping:
  name: {{to: dims.name, required: true}}
  value: {{to: measures.value, type: integer}}
"""

THREE_FAULTS = """id: three-faults
name: Three faults
version: not-a-version
source:
  type: http_rest
  url: https://example.org/data.json
shedule: {interval: 1h}
mapping:
  a: dims.a
  b: {to: measures.b, type: number}
"""


def profile(cluster, profile_id, url, records="rows[*]", kind="json"):
    cluster.create_profile(PROFILE.format(id=profile_id, url=url, records=records, format=kind))


def test_three_planted_faults_are_reported_in_one_run_with_lines(tmp_path):
    file = tmp_path / "three.yaml"
    file.write_text(THREE_FAULTS)
    result = cli("profile", "validate", file)
    assert result.returncode == 2
    text = result.stdout + result.stderr
    for line in (f"{file}:3", f"{file}:7", f"{file}:10"):
        assert line in text, text
    assert "schedule" in text, "an unknown key names the nearest known one"


def test_a_profile_that_does_not_parse_is_refused_with_its_faults(single):
    with pytest.raises(ApiError) as refused:
        single.create_profile(THREE_FAULTS)
    assert refused.value.status == 400 and refused.value.error["reason"] == "PROFILE_INVALID"
    assert refused.value.error["message"].count("\n") >= 2
    assert single.get("/api/profiles")["profiles"] == []


def test_profile_test_prints_records_and_balance_and_stores_nothing(tmp_path):
    file, sample = tmp_path / "p.yaml", tmp_path / "sample.json"
    file.write_text(PROFILE.format(id="p", url="https://example.org/x", records="rows[*]", format="json"))
    sample.write_text('{"rows":[{"name":"a","value":9007199254740993},{"name":"b","value":"x"},{"value":1}]}')
    result = cli("profile", "test", file, "--input", sample, "--output", "json")
    assert result.returncode in (0, 1), result.stderr
    lines = result.stdout.splitlines()
    assert '"value":9007199254740993' in lines[0].replace(" ", "")
    balance = json.loads(lines[-1])["balance"]
    assert (balance["fetched"], balance["quarantined"], balance["closed"]) == (3, 2, True)
    assert not (tmp_path / ".chartly").exists()


CASES = {
    "unreachable": ("http://127.0.0.1:1/x", None, "SOURCE_UNREACHABLE", "127.0.0.1:1"),
    "html": (None, (200, "text/html", b"<html><body>Service down</body></html>"), "PAYLOAD_NOT_JSON", "html"),
    "truncated": (None, (200, "application/json", b'{"rows":[{"name":"a","value":1},{"name"'),
                  "PAYLOAD_TRUNCATED", "/truncated"),
    "no-records": (None, (200, "application/json", b'{"other":[]}'), "PAYLOAD_NO_RECORDS", "rows"),
    "not-found": (None, (404, "text/plain", b"gone"), "SOURCE_HTTP_STATUS", "404"),
}


def test_sources_that_fail_give_failed_runs_that_say_why(single, source):
    single.drone()
    for name, (url, answer, reason, named) in CASES.items():
        if answer:
            source.routes[f"/{name}"] = lambda _query, a=answer: a
        profile(single, name, url or f"{source.url}/{name}")
        run = single.run_to_end(name)
        assert run["status"] == "failed", (name, run)
        assert run["error_reason"] == reason, (name, run)
        assert named in run["error"], (name, run)
        assert run["balance"]["closed"], (name, run)


def test_rows_that_break_their_contract_wait_in_quarantine(single, source):
    source.routes["/rows"] = lambda _query: (200, "application/json", (
        b'{"rows":[{"name":"a","value":1},{"name":"b","value":"NaN"},{"value":3},'
        b'{"name":"c","value":170141183460469231731687303715884105728}]}'))
    single.drone()
    profile(single, "rows", f"{source.url}/rows")
    run = single.run_to_end("rows")
    assert run["status"] == "partial", run
    assert (run["balance"]["stored"], run["balance"]["quarantined"]) == (1, 3) and run["balance"]["closed"]
    rows = single.get("/api/quarantine", profile_id="rows")["rows"]
    assert {(r["reason_code"], r["field"]) for r in rows} >= {("mapping.missing_required_field", "name"),
                                                             ("mapping.type_coercion_failed", "value")}
    assert all(r["raw"].startswith("{") for r in rows)


def test_private_addresses_are_denied_unless_opened(single, source):
    source.routes["/rows"] = lambda _query: (200, "application/json", b'{"rows":[]}')
    single.drone(egress=())
    profile(single, "rows", f"{source.url}/rows")
    run = single.run_to_end("rows")
    assert run["status"] == "failed" and run["error_reason"] == "EGRESS_DENIED"
    assert "--egress-allow" in run["error"]
    assert source.hits == {}, "a connection was made"


def ends_with_message(process, *named):
    code = process.process.wait(20)
    assert code not in (0, None) and code > 0
    text = process.log_path.read_text()
    for word in named:
        assert word in text, text


def test_a_port_in_use_is_named(single, tmp_path):
    other = Process("chartly-control", tmp_path / "other.log",
                    ["--data", tmp_path / "other", "--listen", f"127.0.0.1:{single.http_port}",
                     *[f"--rpc={part}=127.0.0.1:0" for part in single.rpc], "--admin", "127.0.0.1:0"]).start()
    ends_with_message(other, f"127.0.0.1:{single.http_port}")
    rpc = Process("chartly-control", tmp_path / "rpc.log",
                  ["--data", tmp_path / "rpc", "--services", "registry", "--admin", "127.0.0.1:0",
                   f"--rpc=registry=127.0.0.1:{single.rpc['registry']}"]).start()
    ends_with_message(rpc, f"127.0.0.1:{single.rpc['registry']}")


def test_a_second_process_on_the_same_folder_is_refused(single, tmp_path):
    second = Process("chartly-control", tmp_path / "second.log",
                     ["--data", single.data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).start()
    ends_with_message(second, str(single.data))
    single.drone("d1")
    wait_until(lambda: single.get("/api/drones/stats")["active"] == 1, "the first drone")
    arguments = list(single.drones["d1"].arguments)
    arguments[arguments.index("--admin") + 1] = "127.0.0.1:0"
    twin = Process("chartly-drone", tmp_path / "twin.log", arguments).start()
    ends_with_message(twin, str(single.folder / "d1"))
    assert single.drones["d1"].alive()


def test_wrong_flags_exit_with_two():
    for program, arguments in (("chartly-control", ["--services", "storeage"]), ("chartly-control", ["--nonsense"]),
                               ("chartly-drone", ["--egress-allow", "10.0.0.0/99"]), ("chartly", ["profile", "validate"])):
        result = subprocess.run([str(BIN / program), *arguments], capture_output=True, text=True, timeout=20)
        assert result.returncode == 2, (program, arguments, result)
        assert result.stderr.strip() or result.stdout.strip()


def test_the_cli_says_when_nothing_answers():
    result = cli("status", env={"CHARTLY_URL": "http://127.0.0.1:1"})
    assert result.returncode == 3
    assert "127.0.0.1:1" in result.stderr


@pytest.fixture
def small_disk(tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=224m", "tmpfs", str(mount)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a small disk needs the right to mount: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=False)


def health_of(cluster, part):
    status = cluster.get("/api/status")
    return status["status"], next((each["health"], each["message"]) for each in status["parts"] if each["part"] == part)


@pytest.mark.parametrize("processes", ["one process", "nine processes"])
def test_a_full_disk_pushes_back_and_loses_nothing(small_disk, tmp_path, source, processes):
    from harness import Cluster
    def page(query):
        rows = ",".join('{"name":"%s-%d-%s","value":%d}' % (query["page"], i, os.urandom(900).hex(), i) for i in range(300))
        return 200, "application/json", ('{"pages":300,"rows":[%s]}' % rows).encode()
    source.routes["/big"] = page
    cluster = Cluster(small_disk, split=processes == "nine processes")
    try:
        cluster.folder = tmp_path  # the drone's disk has room
        cluster.create_profile(PROFILE.format(id="big", url=f"{source.url}/big", records="rows[*]", format="json").replace(
            "records: \"rows[*]\"", "records: \"rows[*]\", pagination: {type: page, param: page, pages: pages}"))
        cluster.drone()
        run_id = cluster.post("/api/profiles/big:runNow")["run_id"]
        wait_until(lambda: "STORE_FULL" in cluster.drones["d1"].log_path.read_text(), "the store to be full", 90)
        # Whoever looks at the page, /api/status or /health of the gateway is told which part it is and what to do.
        wait_until(lambda: health_of(cluster, "aggregator")[0] == "degraded", "the disk to be told of")
        health, message = health_of(cluster, "aggregator")[1]
        assert health == "degraded" and "is full; free some space" in message
        assert cluster.get("/health")["services"]["aggregator"] == {"status": "degraded", "message": message}
        before = cluster.get("/api/results/summary")["total_results"]
        assert before > 0 and cluster.controls[0].alive() and cluster.drones["d1"].alive()
        # Room comes back: the drone delivers the rest by itself.
        subprocess.run(["mount", "-o", "remount,size=1g", str(small_disk)], check=True)
        run = cluster.wait_run(run_id, 120)
        assert run["balance"]["closed"] and run["balance"]["stored"] == 300 * 300, run
        assert cluster.get("/api/results/summary")["total_results"] == 300 * 300
        wait_until(lambda: health_of(cluster, "aggregator") == ("ok", ("serving", "")), "all to be well again")
    finally:
        cluster.close()
