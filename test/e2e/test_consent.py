"""What the owner of a drone's host allows holds, whatever the control plane orders."""

from pathlib import Path

from harness import wait_until

PROFILE = """
id: {id}
name: {id}
version: 1.0.0
source: {{type: http_rest, url: "{url}", format: json}}
schedule: {{enabled: false, interval: 1d}}
limits: {{max_bytes: {max_bytes}}}
mapping:
  n: dims.n
"""


def test_the_owner_of_a_host_has_the_last_word(single, source, tmp_path):
    source.routes["/rows"] = lambda _query: (200, "application/json", b'[{"n": 1}, {"n": 2}]')
    consent = tmp_path / "consent.yaml"
    consent.write_text("hosts: [127.0.0.1]\npaths: [in]\nmax_bytes: 1MiB\ncpu: 0.9\nmemory: 512MiB\n")
    single.create_profile(PROFILE.format(id="fits", url=f"{source.url}/rows", max_bytes="1MiB"))
    single.create_profile(PROFILE.format(id="too-large", url=f"{source.url}/rows", max_bytes="2MiB"))
    single.create_profile(PROFILE.format(id="elsewhere", url=source.url.replace("127.0.0.1", "localhost") + "/rows",
                                         max_bytes="1MiB"))
    single.drone(flags=["--consent", consent])

    assert single.run_to_end("fits")["status"] == "succeeded"
    for refused in ("too-large", "elsewhere"):
        run = single.run_to_end(refused)
        assert (run["status"], run["error_reason"]) == ("failed", "CONSENT_DENIED"), run
    assert source.hits["/rows"] == 1


def test_memory_is_granted_before_it_is_taken(single, source, tmp_path):
    # One document of rows with few bytes a token, which is what takes most memory for its size.
    rows = b"[" + b",".join(b'{"n":%d,"v":[%s]}' % (n, b",".join([b"{}"] * 400)) for n in range(4500)) + b"]"
    assert 5 << 20 < len(rows) < 6 << 20
    source.routes["/rows"] = lambda _query: (200, "application/json", rows)
    consent = tmp_path / "consent.yaml"
    consent.write_text("memory: 64MiB\n")
    names = [f"large{n}" for n in range(6)]
    for name in names:
        single.create_profile(PROFILE.format(id=name, url=f"{source.url}/rows", max_bytes="8MiB"))
    drone = single.drone(flags=["--consent", consent, "--capacity", "6"])
    wait_until(lambda: single.get("/api/drones")["drones"], "the drone")
    runs = [single.wait_run(run_id) for run_id in [single.run_now(name) for name in names]]
    outcomes = {(run["status"], run.get("error_reason", "")) for run in runs}
    assert outcomes <= {("succeeded", ""), ("failed", "CONSENT_DENIED")} and ("succeeded", "") in outcomes, outcomes
    status = Path(f"/proc/{drone.process.pid}/status").read_text()
    most = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert most <= 64 << 10, f"{most} KiB were held at most"
