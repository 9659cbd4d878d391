"""All drones together ask a source no more often than its quota says, and use nearly all of it; one 429 slows them all.
The source counts. CHARTLY_CHAOS=full has 200 drones, each a process."""

import http.server
import json
import os
import threading
import time

import pytest

from harness import wait_until

RATE = 10
FULL = os.environ.get("CHARTLY_CHAOS", "quick") == "full"
PROFILE = """
id: {name}
name: {name}
version: 1.0.0
source:
  type: http_rest
  url: "{url}/{name}"
  format: json
  records: "rows[*]"
  pagination: {{type: page, param: page, pages: pages}}
schedule: {{enabled: false}}
limits: {{fleet_rate: {rate}/s, max_pages: 100000}}
retry: {{max_attempts: 5, backoff: 100ms}}
mapping: {{page: dims.page, n: measures.n}}
"""


class CountingSource:
    """Answers pages without end and remembers when it was asked."""

    def __init__(self, source, names):
        self.times, self.lock, self.throttle = [], threading.Lock(), 0
        for name in names:
            source.routes[f"/{name}"] = self.answer

    def answer(self, query):
        with self.lock:
            self.times.append(time.monotonic())
            refuse, self.throttle = self.throttle, 0
        if refuse:
            return 429, "text/plain", b"too often"
        page = int(query.get("page", 1))
        return 200, "application/json", json.dumps({"rows": [{"page": page, "n": 1}], "pages": 100000}).encode()

    def between(self, start, end):
        with self.lock:
            return [moment for moment in self.times if start <= moment < end]


def most_in_a_second(times):
    most, first = 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def start(cluster, source, drones):
    names = [f"p{i}" for i in range(drones)]
    counting = CountingSource(source, names)
    for i in range(drones):
        cluster.drone(f"d{i}")
    wait_until(lambda: cluster.get("/api/drones/stats")["active"] == drones, "the drones to be active", 300)
    for name in names:
        cluster.create_profile(PROFILE.format(name=name, url=source.url, rate=RATE))
    runs = [wait_until(lambda name=name: cluster.run_now(name), "the parts to find each other") for name in names]
    wait_until(lambda: all(cluster.get(f"/api/runs/{run}")["status"] == "running" for run in runs), "all runs to begin", 300)
    return counting, runs


def test_drones_together_keep_to_the_quota_of_a_source_and_use_it(single, source):
    drones = 200 if FULL else 4
    counting, runs = start(single, source, drones)
    assert len({single.get(f"/api/runs/{run}")["drone_id"] for run in runs}) > 1

    begin = time.monotonic()
    time.sleep(20)  # the measurement itself
    asked = counting.between(begin, begin + 20)
    assert most_in_a_second(counting.times) <= RATE
    assert len(asked) > 0.9 * RATE * 20, f"{len(asked)} requests in 20 s"

    shown = single.get("/api/quotas")["quotas"]
    assert [(quota["quota"], quota["requests"], quota["period_ms"]) for quota in shown] == [
        (source.url, RATE, 1000)]
    listed = single.cli("quota", "list")
    assert listed.returncode == 0 and shown[0]["quota"] in listed.stdout and "10 in 1s" in listed.stdout

    # Neither a drone that dies with its turns nor a coordinator that is killed makes it more.
    single.drones["d0"].kill()
    single.kill_control()
    single.start_control()
    before = len(counting.times)
    wait_until(lambda: len(counting.times) > before + 3 * RATE, "the other drones to go on")
    assert most_in_a_second(counting.times) <= RATE


def test_one_429_slows_all_drones(single, source):
    counting, _ = start(single, source, 3)
    wait_until(lambda: len(counting.times) > 2 * RATE, "requests to flow")
    counting.throttle = 1
    wait_until(lambda: single.get("/api/quotas")["quotas"][0]["share_percent"] == 50, "the quota to be halved")
    wait_until(lambda: "paused_until" not in single.get("/api/quotas")["quotas"][0], "the pause to end")
    resumed = time.monotonic()
    wait_until(lambda: len(counting.between(resumed, resumed + 60)) > RATE, "requests to flow again")
    first = counting.between(resumed, resumed + 60)[0]
    wait_until(lambda: time.monotonic() > first + 4, "four seconds of slower requests")
    assert len(counting.between(first, first + 4)) <= 4 * RATE / 2 + 1
    assert single.get("/api/quotas")["quotas"][0]["throttled"] == 1


class Roundabout:
    """A publisher that leads every page to another address of its own, and wants a token that is good for a second."""

    def __init__(self):
        self.times, self.lock = {"page": [], "rows": [], "token": []}, threading.Lock()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                kind, _, query = self.path.strip("/").partition("?")
                owner.note(kind)
                page = int(query.removeprefix("page=") or 1)
                if kind == "page":
                    return self.answer(302, {"Location": f"/rows?page={page}"}, b"")
                self.answer(200, {}, json.dumps({"rows": [{"page": page, "n": 1}], "pages": 100000}).encode())

            def do_POST(self):
                owner.note("token")
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(200, {}, b'{"access_token":"t","expires_in":31}')  # half a minute of it is left unused

            def answer(self, status, headers, body):
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # of a drone that is ended

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def note(self, kind):
        with self.lock:
            self.times[kind].append(time.monotonic())

    def all(self):
        with self.lock:
            return sorted(sum(self.times.values(), []))

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def roundabout():
    made = Roundabout()
    yield made
    made.close()


def test_redirects_within_the_host_and_requests_for_tokens_count(single, roundabout, tmp_path):
    secret = tmp_path / "secrets" / "publisher" / "secret"
    secret.parent.mkdir(parents=True)
    secret.write_text("s")
    secret.chmod(0o600)
    auth = f'type: oauth2, client_id: us, token_url: "{roundabout.url}/token", ' \
           "secretRef: {name: publisher, key: secret}"
    for i in range(2):
        single.drone(f"d{i}", flags=["--secrets-dir", tmp_path / "secrets"])
        profile = PROFILE.format(name="page", url=roundabout.url, rate=RATE).replace("id: page", f"id: p{i}")
        single.create_profile(profile.replace("  pagination", f"  auth: {{{auth}}}\n  pagination"))
        wait_until(lambda i=i: single.run_now(f"p{i}"), "the parts to find each other")
    wait_until(lambda: len(roundabout.times["rows"]) > 5, "pages to come")
    begin = time.monotonic()
    time.sleep(8)  # the measurement itself
    asked = [moment for moment in roundabout.all() if begin <= moment < begin + 8]
    assert most_in_a_second(roundabout.all()) <= RATE
    assert len(asked) > 0.8 * RATE * 8, f"{len(asked)} requests in 8 s"
    assert len(roundabout.times["token"]) > 4 and len(roundabout.times["page"]) > 20, roundabout.times
