"""Clients that are broken or mean harm, against the shipped control plane: nothing that they send ends it, takes more memory
than its budget, or keeps it from serving others. CHARTLY_CHAOS=full makes as many as the promises name."""

import gzip
import http.client
import os
import socket
import statistics
import threading
import time
import urllib.request

import grpc
import pytest

from harness import Cluster, wait_until
from hostile_traffic import (CONTINUATION, END_HEADERS, HEADERS, PREFACE, SETTINGS, Calls, attacker, call_headers, field,
                             frame, http2_connection, http_request, message, seeded, send_and_read)
from test_access import PART_OF, methods

FULL = os.environ.get("CHARTLY_CHAOS", "quick") == "full"
SEED = os.environ.get("CHARTLY_SEED", "1")
INPUTS = 100_000 if FULL else 3_000
SLOW = 2_000 if FULL else 300
FLOODS = 2_000 if FULL else 100
# The quota of gRPC, half a gigabyte, and as much again for the gateway and the stores.
BUDGET_KIB = 1 << 20
ATTACKER = "127.0.0.66"
CODES = {code.value[0]: code for code in grpc.StatusCode}


def peak_kib(process):
    for line in open(f"/proc/{process.process.pid}/status", encoding="utf-8"):
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise AssertionError("no peak of memory in /proc")


def cpu_seconds(process):
    fields = open(f"/proc/{process.process.pid}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class GoodClient(threading.Thread):
    """Asks, each time on a new connection, for what anybody may read and for what needs a key."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.stopping = cluster, threading.Event()
        self.times, self.failures, self.put_off = [], [], 0

    def run(self):
        while not self.stopping.wait(0.02):
            begun = time.monotonic()
            try:
                self.ask()
            except (OSError, AssertionError, http.client.HTTPException, grpc.RpcError) as error:
                self.failures.append(repr(error))
            self.times.append(time.monotonic() - begun)

    def ask(self):
        for path in ("/health", "/api/profiles", "/api/keys"):
            self.patiently(lambda path=path: self.rest(path))
        self.patiently(self.rpc)

    def patiently(self, one):
        """Comes back after the second that a busy part asks for, as clients do."""
        for _ in range(5):
            if one():
                return
            self.put_off += 1
            time.sleep(1)
        raise AssertionError("put off five times")

    def rest(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.cluster.http_port, timeout=20)
        connection.request("GET", path, headers={"X-API-Key": self.cluster.key})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status == 503 and b"PART_BUSY" in text and answer.getheader("Retry-After") == "1":
            return False
        assert answer.status == 200, (path, answer.status, text)
        return True

    def rpc(self):
        with grpc.insecure_channel(f"127.0.0.1:{self.cluster.rpc['registry']}", [("grpc.enable_http_proxy", 0)]) as channel:
            try:
                return channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=20) == b"\x08\x01"
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                    return False
                raise

    def end(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive() and self.times
        assert self.failures == []


@pytest.fixture
def good(single):
    """A client that has its answers all the while."""
    made = GoodClient(single)
    made.start()
    yield made
    made.end()
    quantile = statistics.quantiles(made.times, n=100)[98] if len(made.times) > 2 else max(made.times)
    print(f"good client: {len(made.times)} rounds, median {statistics.median(made.times) * 1e3:.1f} ms, "
          f"p99 {quantile * 1e3:.1f} ms, put off {made.put_off} times; peak of the control plane {peak_kib(single.controls[0]) >> 10} MiB")


def check_well(cluster):
    assert all(control.alive() for control in cluster.controls), cluster.controls[0].tail()
    assert cluster.get("/health")["status"] == "ok"
    assert peak_kib(cluster.controls[0]) < BUDGET_KIB
    assert "profiles" in cluster.get("/api/profiles")


def in_turns(count, work, threads=4):
    """work(number) for each number below `count`."""
    failed = []

    def run(first):
        try:
            for number in range(first, count, threads):
                work(number)
        except Exception as error:  # pylint: disable=broad-except
            failed.append((number, repr(error)))
    workers = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failed == []


@pytest.fixture(scope="module")
def rest_routes():
    # Streams that do not end by themselves only cost the time that one waits for them.
    return [route for _, _, _, routes, _ in methods() for route in routes if not route[1].endswith((":watch", "/events"))]


def test_malformed_requests_to_the_gateway_get_an_answer_or_a_closed_connection(single, good, rest_routes):
    seen = {}

    def work(number):
        rng = seeded(SEED, f"http {number}")
        answer = send_and_read(single.http_port, http_request(rng, rest_routes, single.key), attacker(number))
        status = answer[9:12].decode(errors="replace") if answer.startswith(b"HTTP/1.1 ") else "closed" if not answer else "?"
        seen[status] = seen.get(status, 0) + 1
        assert status != "?" and status not in ("500", "501"), (number, answer[:300])
    in_turns(INPUTS, work)
    print(dict(sorted(seen.items())))
    assert seen.get("400", 0) > INPUTS // 20 and seen.get("404", 0) > 0
    check_well(single)


def test_one_address_that_sends_nonsense_is_read_slowly_and_no_other(single, good):
    """Each of a few clients sends the next request as soon as the one before is answered."""
    pauses = counted(single, "chartly_http_pauses_total")
    begun, answered, rounds = time.monotonic(), [], len(good.times)

    def work(number):
        status = send_and_read(single.http_port, b"POST /api/runs HTTP/1.1\r\nHost: x\r\nX-API-Key: " + single.key.encode() +
                               b"\r\nContent-Length: 4\r\nConnection: close\r\n\r\n{}}}", ATTACKER, patience=20)[9:12]
        assert status in (b"400", b"429"), status
        if status == b"400":
            answered.append(number)
    in_turns(300, work)
    wait_until(lambda: len(good.times) >= rounds + 20, "the good client to have its answers", 120)
    # Its budget: 30 milliseconds at once, 10 a second, of which each takes 0.2.
    assert len(answered) < 200 + 60 * (time.monotonic() - begun)
    assert counted(single, "chartly_http_pauses_total") > pauses
    check_well(single)


def counted(cluster, metric):
    """The sum of a metric over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.admin['gateway']}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric))


def test_broken_http2_closes_its_connection_and_no_other(single, good):
    paths = [f"/chartly.v1.{service}/{method}" for service, method, *_ in methods()]

    def work(number):
        rng = seeded(SEED, f"http2 {number}")
        port = single.rpc[rng.choice(sorted(set(PART_OF.values())))]
        send_and_read(port, http2_connection(rng, paths), ATTACKER, patience=0.05)
    in_turns(INPUTS, work)
    check_well(single)


def test_malformed_messages_of_every_type_are_answered_by_a_status(single, good):
    every = [(service, method) for service, method, *_ in methods()]
    mine = threading.local()  # connections of a thread to each part, from the same address for a while
    seen = {}

    def work(number):
        service, method = every[number % len(every)]
        source = attacker(number)
        if getattr(mine, "source", None) != source:
            for calls in getattr(mine, "calls", {}).values():
                calls.close()
            mine.source, mine.calls = source, {}
        calls = mine.calls.setdefault(PART_OF[service], Calls(single.rpc[PART_OF[service]], source))
        rng = seeded(SEED, f"message {number}")
        status = calls.ask(f"/chartly.v1.{service}/{method}", message(rng), [("x-api-key", single.key)])
        code = CODES.get(status)
        seen[code] = seen.get(code, 0) + 1
        # A stream that watches goes on until it is cut off.
        assert code not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS), (number, service, method, code)
    in_turns(INPUTS, work, threads=8)
    print({code.name if code else "none": count for code, count in seen.items()})
    assert seen.get(grpc.StatusCode.INVALID_ARGUMENT, 0) + seen.get(grpc.StatusCode.INTERNAL, 0) > INPUTS // 20
    check_well(single)


def test_slow_connections_of_every_kind_keep_nobody_else_waiting(single, good):
    rpc = sorted(single.rpc.values())
    post = b"POST /api/profiles HTTP/1.1\r\nHost: x\r\nX-API-Key: " + single.key.encode() + b"\r\nContent-Length: 5000\r\n"
    kinds = [
        (single.http_port, b""), (single.http_port, b"GE"), (single.http_port, post), (single.http_port, post + b"\r\nid: x"),
        (single.http_port, b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20),  # and reads nothing
        (None, b""), (None, PREFACE[:10]), (None, PREFACE + frame(SETTINGS)),
        (None, PREFACE + frame(SETTINGS) + frame(HEADERS, END_HEADERS, 1, call_headers("/chartly.v1.RegistryService/ListProfiles"))),
    ]
    slow = []
    for number in range(SLOW):
        port, content = kinds[number % len(kinds)]
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.bind((ATTACKER, 0))
        client.connect(("127.0.0.1", port or rpc[number % len(rpc)]))
        client.sendall(content)
        slow.append(client)
    rounds = len(good.times)
    wait_until(lambda: len(good.times) >= rounds + 20, "the good client to have its answers", 120)
    check_well(single)
    for client in slow:
        client.close()


def test_a_flood_of_headers_in_a_request_is_refused(single, good):
    lines = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(1000))
    request = b"GET /api/keys HTTP/1.1\r\nX-API-Key: " + single.key.encode() + b"\r\n" + lines + b"\r\n"
    for _ in range(FLOODS):
        answer = send_and_read(single.http_port, request, ATTACKER)
        assert answer == b"" or answer[9:12] in (b"400", b"431"), answer[:200]
    check_well(single)


def test_a_flood_of_metadata_in_a_call_is_refused(single, good):
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_metadata_size", 1 << 24)]
    with grpc.insecure_channel(f"127.0.0.1:{single.rpc['auth']}", options) as channel:
        ask = channel.unary_unary("/chartly.v1.AuthService/ListKeys")
        key = ("x-api-key", single.key)
        assert ask(b"", metadata=[key], timeout=20) == b""  # the key is let in, and there is none to list yet
        for _ in range(FLOODS):
            with pytest.raises(grpc.RpcError) as refused:
                ask(b"", metadata=[key] + [(f"x-{i}", "y" * 100) for i in range(1000)], timeout=20)
            # The second one if it hung up before all was sent.
            assert refused.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    check_well(single)


def test_header_blocks_without_an_end_are_cut_off(single, good):
    many = field("x-flood", "y" * 100) * 120
    headers = call_headers("/chartly.v1.RegistryService/ListProfiles", [("x-api-key", single.key)])
    content = PREFACE + frame(SETTINGS) + frame(HEADERS, 0, 1, headers) + frame(CONTINUATION, 0, 1, many) * 300
    before = peak_kib(single.controls[0])
    for _ in range(FLOODS):
        send_and_read(single.rpc["registry"], content, ATTACKER, patience=0.3)
    # What one connection sent, 4 MB, is not kept of them all.
    assert peak_kib(single.controls[0]) - before < 128 << 10
    check_well(single)


def test_what_is_said_to_be_compressed_is_not_unpacked(single, good):
    bomb = gzip.compress(b"\0" * (64 << 20))
    before = peak_kib(single.controls[0])
    for _ in range(50 if FULL else 5):
        extra = [("grpc-encoding", "gzip"), ("x-api-key", single.key)]
        begin = frame(HEADERS, END_HEADERS, 1, call_headers("/chartly.v1.RegistryService/ListProfiles", extra))
        body = b"\1" + len(bomb).to_bytes(4, "big") + bomb
        pieces = [body[i:i + 16000] for i in range(0, len(body), 16000)]
        data = b"".join(frame(0, 1 if i + 1 == len(pieces) else 0, 1, piece) for i, piece in enumerate(pieces))
        send_and_read(single.rpc["registry"], PREFACE + frame(SETTINGS) + begin + data, ATTACKER, patience=0.3)
        connection = http.client.HTTPConnection("127.0.0.1", single.http_port, timeout=30)
        connection.request("POST", "/api/profiles", bomb, {"X-API-Key": single.key, "Content-Encoding": "gzip",
                                                           "Content-Type": "application/yaml"})
        assert connection.getresponse().status in (400, 415)
    assert peak_kib(single.controls[0]) - before < 64 << 10
    check_well(single)


def test_with_all_descriptors_taken_it_waits_and_serves_again(tmp_path):
    limit = 400

    class Small(Cluster):
        def make_controls(self):
            super().make_controls()
            for control in self.controls:
                control.prefix = ["prlimit", f"--nofile={limit}"]
    cluster = Small(tmp_path)
    try:
        taken = []
        ports = [cluster.http_port, *cluster.rpc.values()]
        for number in range(2 * limit):
            client = socket.socket()
            client.setblocking(False)
            client.bind((ATTACKER, 0))
            client.connect_ex(("127.0.0.1", ports[number % 2 * (1 + number // 2 % (len(ports) - 1))]))
            taken.append(client)
        descriptors = f"/proc/{cluster.controls[0].process.pid}/fd"
        wait_until(lambda: len(os.listdir(descriptors)) >= limit - 8, "its descriptors to be taken")
        before, begun = cpu_seconds(cluster.controls[0]), time.monotonic()
        time.sleep(2)  # what it does with nothing to do
        share = (cpu_seconds(cluster.controls[0]) - before) / (time.monotonic() - begun)
        assert share < 0.8, f"it spins: {share:.2f} cores"
        assert cluster.controls[0].alive(), cluster.controls[0].tail()
        for client in taken:
            client.close()
        wait_until(lambda: len(os.listdir(descriptors)) < limit // 2, "its descriptors to be free")
        wait_until(lambda: healthy(cluster), "it to serve again")
        check_well(cluster)
    finally:
        cluster.close()


def healthy(cluster):
    try:
        return cluster.get("/health")["status"] == "ok" and "keys" in cluster.call("GET", "/api/keys", key=cluster.key)
    except OSError:
        return False
