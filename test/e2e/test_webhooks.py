"""Webhooks on the shipped binaries: what is signed is taken, once, and lives through any crash."""

import base64
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from harness import FINAL, ROOT, ApiError, Cluster, wait_until

KEY = "whsec_" + base64.b64encode(b"the key of this test, 32 bytes..").decode()
NEXT_KEY = "whsec_" + base64.b64encode(b"the key after it, also 32 bytes.").decode()
KILLS = int(os.environ.get("CHARTLY_WEBHOOK_KILLS", "10"))

PROFILE = """
id: sensors
name: Sensors
version: 1.0.{patch}
source:
  type: webhook
  format: json
  records: rows[*]
  webhook: {{key: {{name: sensors, key: current}}, previous: {{name: sensors, key: previous}}}}
retry: {{max_attempts: 3, backoff: 50ms}}
limits: {{max_records: {max_records}}}
mapping:
  delivery: dims.delivery
  row: {{to: dims.row, type: integer}}
  value: {{to: measures.value, type: integer}}
"""


def write_key(folder, name, text):
    file = folder / "sensors" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(text + "\n")
    return file


@pytest.fixture
def secrets(tmp_path):
    write_key(tmp_path / "secrets", "current", KEY)
    return tmp_path / "secrets"


@pytest.fixture(params=["one process", "nine processes"])
def cluster(request, tmp_path, secrets):
    made = Cluster(tmp_path, split=request.param == "nine processes", flags=("--secrets-dir", secrets))
    yield made
    made.close()


@pytest.fixture
def single(tmp_path, secrets):
    made = Cluster(tmp_path, flags=("--secrets-dir", secrets))
    yield made
    made.close()


def payload(delivery, rows=3):
    return json.dumps({"rows": [{"delivery": delivery, "row": i, "value": i * i} for i in range(rows)]}).encode()


def signature(delivery, timestamp, body, key=KEY):
    secret = base64.b64decode(key.removeprefix("whsec_"))
    digest = hmac.new(secret, f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers_for(delivery, body, key=KEY, age=0):
    timestamp = str(int(time.time()) - age)
    return {"Content-Type": "application/json", "webhook-id": delivery, "webhook-timestamp": timestamp,
            "webhook-signature": signature(delivery, timestamp, body, key)}


def post(cluster, delivery, body=None, key=KEY, age=0, profile="sensors", headers=None):
    body = payload(delivery) if body is None else body
    headers = headers if headers is not None else headers_for(delivery, body, key, age)

    def sent():
        try:
            return cluster.call("POST", f"/api/webhooks/{profile}", body, headers=headers)
        except ApiError as error:
            # From a coordinator that has just started; a sender tries again.
            if error.error["reason"] != "WEBHOOK_NOT_READY":
                raise
    return wait_until(sent, "the profiles to be known")


def refusal(cluster, *args, **kwargs):
    with pytest.raises(ApiError) as caught:
        post(cluster, *args, **kwargs)
    return caught.value.status, caught.value.error["reason"]


def records(cluster):
    found, token = [], ""
    while True:
        answer = cluster.get("/api/records", profile_id="sensors", limit=10000, page_token=token, all_versions="true")
        found += [(r["dims"]["delivery"], r["dims"]["row"]) for r in answer["records"]]
        token = answer.get("next_page_token", "")
        if not token:
            return found


def rows_of(*deliveries, rows=3):
    return sorted((d, i) for d in deliveries for i in range(rows))


def wait_records(cluster, expected, limit=60):
    wait_until(lambda: len(records(cluster)) >= len(expected), f"{len(expected)} records", limit)
    assert sorted(records(cluster)) == expected


def metric(cluster, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.admin['gateway']}/metrics", timeout=30) as response:
        text = response.read().decode()
    found = re.search(rf"^{re.escape(name)} ([0-9.e+]+)$", text, re.M)
    return float(found.group(1)) if found else 0.0


def test_what_is_signed_goes_through_the_profile_and_nothing_else_does(cluster, secrets):
    cluster.create_profile(PROFILE.format(patch=0, max_records=1000))
    cluster.drone()
    assert post(cluster, "first") == {"webhook_id": "first", "already_taken": False}
    wait_records(cluster, rows_of("first"))
    runs = cluster.get("/api/runs", profile_id="sensors")["runs"]
    assert [r["trigger"] for r in runs] == ["webhook"]
    assert "webhook" in cluster.cli("run", "list").stdout

    copy = headers_for("second", payload("second"))
    assert not post(cluster, "second", headers=copy)["already_taken"]
    assert post(cluster, "second", headers=copy)["already_taken"]
    assert refusal(cluster, "second", body=payload("other")) == (409, "WEBHOOK_ID_REUSED")
    assert refusal(cluster, "x", key=NEXT_KEY) == (401, "WEBHOOK_SIGNATURE_INVALID")
    assert refusal(cluster, "x", body=payload("changed"), headers=headers_for("x", payload("x"))) == (
        401, "WEBHOOK_SIGNATURE_INVALID")
    assert refusal(cluster, "x", age=301) == (401, "WEBHOOK_TIMESTAMP_INVALID")
    assert refusal(cluster, "x", age=-302) == (401, "WEBHOOK_TIMESTAMP_INVALID")
    assert refusal(cluster, "x", headers={"X-API-Key": cluster.key}) == (401, "WEBHOOK_HEADER_MISSING")
    assert refusal(cluster, "x", profile="nobody") == (404, "WEBHOOK_NOT_FOUND")
    assert refusal(cluster, "x", body=b"x" * (1048576 + 1)) == (413, "WEBHOOK_TOO_LARGE")

    write_key(secrets, "previous", KEY)
    write_key(secrets, "current", NEXT_KEY)
    post(cluster, "third", key=KEY)
    post(cluster, "fourth", key=NEXT_KEY)
    (secrets / "sensors" / "previous").unlink()
    assert refusal(cluster, "x", key=KEY) == (401, "WEBHOOK_SIGNATURE_INVALID")
    (secrets / "sensors" / "current").chmod(0o644)
    assert refusal(cluster, "x", key=NEXT_KEY) == (503, "WEBHOOK_KEY_UNAVAILABLE")
    wait_records(cluster, rows_of("first", "second", "third", "fourth"))


def test_a_payload_that_breaks_its_run_lets_the_others_pass_and_waits_for_a_better_profile(single):
    single.create_profile(PROFILE.format(patch=0, max_records=10))
    good = [f"good{i}" for i in range(4)]
    for delivery in good[:2]:
        post(single, delivery)
    post(single, "large", body=payload("large", rows=50))
    for delivery in good[2:]:
        post(single, delivery)
    single.drone()
    wait_until(lambda: set(rows_of(*good)) <= set(records(single)) and metric(single, "chartly_webhook_waiting") == 1,
               "the good ones to be stored and the large one to be left")
    wait_until(lambda: metric(single, "chartly_webhook_aside") == 1, "the large one to be set aside")
    single.call("PUT", "/api/profiles/sensors", PROFILE.format(patch=1, max_records=1000).encode(), single.key,
                {"Content-Type": "application/yaml"})
    wait_records(single, sorted(rows_of(*good) + rows_of("large", rows=50)))
    wait_until(lambda: metric(single, "chartly_webhook_waiting") == 0, "nothing to wait")


def test_the_command_and_the_examples_of_the_docs_sign_as_the_control_plane_checks(single, secrets, tmp_path):
    single.create_profile(PROFILE.format(patch=0, max_records=1000))
    single.drone()
    for name in ("cli", "shell", "python"):
        (tmp_path / f"{name}.json").write_bytes(payload(name))
    sent = single.cli("webhook", "send", "sensors", tmp_path / "cli.json", "--secret-file",
                      secrets / "sensors" / "current")
    assert sent.returncode == 0, sent.stderr
    page = (ROOT / "docs" / "webhooks.md").read_text()
    script = re.search(r"In shell, with OpenSSL:\n\n```sh\n(.*?)```", page, re.S).group(1)
    script = script.replace("http://127.0.0.1:8090", single.url).replace("readings.json", "shell.json")
    expected = ["cli", "python"]
    if shutil.which("openssl") and shutil.which("curl"):
        done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        expected.append("shell")
    names = {}
    exec(re.search(r"```python\n(.*?)```", page, re.S).group(1), names)  # pylint: disable=exec-used
    names["send"](single.url + "/api/webhooks/sensors", KEY, payload("python"))
    wait_records(single, rows_of(*expected))


class Sender(threading.Thread):
    """A source that posts each delivery until it is answered, and often once more."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.stopping, self.taken, self.attempts = cluster, threading.Event(), [], 0

    def run(self):
        chance = random.Random(5)
        while not self.stopping.is_set():
            delivery = f"d{len(self.taken)}"
            self.post_until_taken(delivery)
            self.taken.append(delivery)
            if chance.random() < 0.3:
                self.post_until_taken(delivery)
            time.sleep(0.2)

    def post_until_taken(self, delivery):
        while True:
            self.attempts += 1
            try:
                post(self.cluster, delivery)
                return
            except (ApiError, urllib.error.URLError, ConnectionError, TimeoutError) as error:
                assert not isinstance(error, ApiError) or error.status in (429, 503, 499, 500, 504), error
                time.sleep(0.1)


def test_kill_of_control_plane_and_drone_loses_no_delivery_and_doubles_none(single):
    single.create_profile(PROFILE.format(patch=0, max_records=1000))
    single.drone()
    chance = random.Random(11)
    sender = Sender(single)
    sender.start()
    for round_number in range(KILLS):
        before = len(sender.taken)
        wait_until(lambda: len(sender.taken) > before, "a delivery to be taken")
        time.sleep(chance.random() * 0.4)
        if round_number % 2:
            single.drones["d1"].kill()
            single.drone()
        else:
            single.kill_control()
            single.start_control()
    sender.stopping.set()
    sender.join(60)
    assert not sender.is_alive() and sender.attempts > len(sender.taken)
    # The gauge follows within a second, so that it may still show none for what was posted last.
    wait_records(single, rows_of(*sender.taken), 120)
    wait_until(lambda: metric(single, "chartly_webhook_waiting") == 0, "nothing to wait")
    runs = single.get("/api/runs", profile_id="sensors", page_size=1000)["runs"]
    wait_until(lambda: all(r["status"] in FINAL for r in single.get("/api/runs", page_size=1000)["runs"]), "the runs")
    assert sum(r["status"] == "succeeded" for r in runs) >= 1
