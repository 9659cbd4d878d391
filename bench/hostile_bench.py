"""What clients that mean harm take from others: how long a good client waits for its answers, without and under each flood.

Runs the shipped control plane. Server and good client share one core, the flood has another one to itself and the lowest
priority, so that what is measured is the server and not the machine. Each flood is measured beside the quiet seconds before
it. The figure is the p99 of a good client under the flood, as times of the quiet one: by REST on a new connection each time,
and by gRPC on one connection.
"""

import argparse
import gzip
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import figures

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "e2e"))
import grpc  # noqa: E402
from harness import Cluster  # noqa: E402
from hostile_traffic import (CONTINUATION, END_HEADERS, HEADERS, PREFACE, RST_STREAM, SETTINGS, call, call_headers,  # noqa: E402
                             field, frame, http2_connection, http_request, message, seeded, send_and_read)
from test_access import PART_OF, methods  # noqa: E402

BOUND = 2  # times the quiet p99
ATTACKER = "127.0.0.66"
PAUSE = 0.002  # of the good client between two answers
PATIENCE = 5  # seconds, of the good client with one answer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", help="one flood")
    parser.add_argument("--seconds", type=float, help="of each measurement")
    arguments = parser.parse_args()
    seconds = arguments.seconds or (2 if arguments.quick else 12)
    cores = sorted(os.sched_getaffinity(0))
    ours, theirs = cores[-1], cores[0]
    if ours == theirs:
        print("hostile: one core only; the flood and the server take from each other what the figures show")
    with tempfile.TemporaryDirectory(prefix="chartly-hostile-") as folder:
        cluster = Pinned(Path(folder), ours)
        try:
            print(f"{'':46}{'quiet p50':>10}{'p99':>9}{'flood p50':>11}{'p99':>9}{'times':>8}{'put off':>9}{'server':>8}")
            for name in [arguments.only] if arguments.only else FLOODS:
                measure_flood(cluster, name, seconds, ours, theirs)
        finally:
            cluster.close()


class Pinned(Cluster):
    """A control plane on one core."""

    def __init__(self, folder, core):
        self.core = core
        super().__init__(folder)

    def make_controls(self):
        super().make_controls()
        for control in self.controls:
            control.prefix = ["taskset", "-c", str(self.core)]

    def cpu_seconds(self):
        pid = self.controls[0].process.pid
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_flood(cluster, name, seconds, ours, theirs):
    where = json.dumps({"http": cluster.http_port, "rpc": cluster.rpc, "key": cluster.key})
    quiet = good_client(where, seconds, ours)
    flood = subprocess.Popen(["taskset", "-c", str(theirs), "nice", "-n", "19", sys.executable, __file__, "flood", name, where],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert flood.stdout.readline() == "ready\n"
        before, begun = cluster.cpu_seconds(), time.monotonic()
        loaded = good_client(where, seconds, ours)
        share = (cluster.cpu_seconds() - before) / (time.monotonic() - begun)
    finally:
        flood.kill()
        flood.wait()
    assert cluster.controls[0].alive(), cluster.controls[0].tail()
    for kind in ("REST", "gRPC"):
        calm, stormy = quiet[kind], loaded[kind]
        times = p99(stormy) / p99(calm)
        print(f"{FLOODS[name][0] + ', ' + kind:46}{ms(statistics.median(calm))}{ms(p99(calm), 9)}{ms(statistics.median(stormy), 11)}"
              f"{ms(p99(stormy), 9)}{times:8.2f}{loaded['put off ' + kind]:9d}{share:8.2f}", flush=True)
        figures.record("hostile", f"p99 of a good client: {FLOODS[name][0]}", "ours", kind, times, "times the quiet one",
                       less_is_better=True, bound=BOUND)


def p99(times):
    return statistics.quantiles(times, n=100)[98] if len(times) > 100 else max(times)


def ms(value, width=10):
    return f"{value * 1e3:{width}.2f}"


# --- the good client, a process of its own ---

def good_client(where, seconds, core):
    done = subprocess.run(["taskset", "-c", str(core), sys.executable, __file__, "good", str(seconds), where], check=True,
                          stdout=subprocess.PIPE, text=True, timeout=seconds + 120)
    return json.loads(done.stdout)


def be_good(seconds, where):
    taken = {"REST": [], "gRPC": [], "put off REST": 0, "put off gRPC": 0}
    request = (f"GET /api/keys HTTP/1.1\r\nHost: x\r\nX-API-Key: {where['key']}\r\nConnection: close\r\n\r\n").encode()
    end = time.monotonic() + seconds
    with grpc.insecure_channel(f"127.0.0.1:{where['rpc']['registry']}", [("grpc.enable_http_proxy", 0)]) as channel:
        ask = channel.unary_unary("/chartly.v1.RegistryService/ListProfiles")
        rpc(ask, where["key"])  # the channel connects
        while len(taken["gRPC"]) < 3 or time.monotonic() < end:
            for kind, one in (("REST", lambda: rest(where["http"], request)), ("gRPC", lambda: rpc(ask, where["key"]))):
                begun = time.monotonic()
                good = one()
                taken[kind].append(time.monotonic() - begun)
                taken["put off " + kind] += 0 if good else 1
            time.sleep(PAUSE)
    print(json.dumps(taken))


def rest(port, request):
    """Whether the answer came, and is the one that was asked for; a busy part may ask to come back."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(request)
            while piece := connection.recv(65536):
                answer += piece
    except TimeoutError:
        return False
    status = answer[9:12]
    assert status in (b"200", b"503", b"504"), answer[:300]
    return status == b"200"


def rpc(ask, key):
    try:
        ask(b"", metadata=[("x-api-key", key)], timeout=PATIENCE)
        return True
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED), error
        return False


# --- the floods, each a process of its own: they tell when they are at it, and go on until they are killed ---

def ready():
    print("ready", flush=True)


def without_end(work, threads=4):
    """work(number) over and over, on some threads."""
    def run(first):
        number = first
        while True:
            work(number)
            number += threads
    for first in range(threads):
        threading.Thread(target=run, args=(first,), daemon=True).start()
    time.sleep(0.5)
    ready()
    threading.Event().wait()


def slow(where, count=2000):
    rpc_ports = sorted(where["rpc"].values())
    post = b"POST /api/profiles HTTP/1.1\r\nHost: x\r\nX-API-Key: " + where["key"].encode() + b"\r\nContent-Length: 5000\r\n"
    page = b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20  # and reads nothing
    begun = PREFACE + frame(SETTINGS) + frame(HEADERS, END_HEADERS, 1, call_headers("/chartly.v1.RegistryService/ListProfiles"))
    kinds = [(True, b""), (True, b"GE"), (True, post), (True, post + b"\r\nid: x"), (True, page), (False, b""),
             (False, PREFACE[:10]), (False, PREFACE + frame(SETTINGS)), (False, begun)]

    def open_one(number):
        to_gateway, content = kinds[number % len(kinds)]
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.bind((ATTACKER, 0))
        client.connect(("127.0.0.1", where["http"] if to_gateway else rpc_ports[number % len(rpc_ports)]))
        client.sendall(content)
        return client
    held = [open_one(number) for number in range(count)]
    ready()
    # What is given up on comes back, a few at a time.
    for number in range(10 ** 9):
        time.sleep(0.01)
        place = number % count
        held[place].setblocking(False)
        try:
            gone = held[place].recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            gone = False
        except ConnectionError:
            gone = True
        if gone:
            held[place].close()
            held[place] = open_one(place)


def malformed_http(where):
    routes = [route for *_, routes, _ in methods() for route in routes if not route[1].endswith((":watch", "/events"))]
    without_end(lambda number: send_and_read(where["http"], http_request(seeded(1, number), routes, where["key"]), ATTACKER))


def broken_http2(where):
    paths = [f"/chartly.v1.{service}/{method}" for service, method, *_ in methods()]
    ports = sorted(where["rpc"].values())
    without_end(lambda number: send_and_read(ports[number % len(ports)], http2_connection(seeded(1, number), paths), ATTACKER,
                                             patience=0.05))


def malformed_messages(where):
    every = [(service, method) for service, method, *_ in methods()]
    channels = {part: grpc.insecure_channel(f"127.0.0.1:{where['rpc'][part]}", [("grpc.enable_http_proxy", 0)])
                for part in set(PART_OF.values())}

    def one(number):
        service, method = every[number % len(every)]
        ask = channels[PART_OF[service]].stream_stream(f"/chartly.v1.{service}/{method}")
        answers = ask(iter([message(random.Random(number))]), metadata=[("x-api-key", where["key"])], timeout=0.5)
        try:
            for count, _ in enumerate(answers):
                if count > 3:
                    answers.cancel()
        except grpc.RpcError:
            pass
    without_end(one, threads=8)


def header_flood(where):
    lines = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(1000))
    request = b"GET /api/keys HTTP/1.1\r\nX-API-Key: " + where["key"].encode() + b"\r\n" + lines + b"\r\n"
    without_end(lambda _: send_and_read(where["http"], request, ATTACKER))


def metadata_flood(where):
    key = ("x-api-key", where["key"])
    extra = [(f"x-{i}", "y" * 100) for i in range(1000)]
    with grpc.insecure_channel(f"127.0.0.1:{where['rpc']['auth']}", [("grpc.enable_http_proxy", 0),
                                                                     ("grpc.max_metadata_size", 1 << 24)]) as channel:
        ask = channel.unary_unary("/chartly.v1.AuthService/ListKeys")

        def one(_):
            try:
                ask(b"", metadata=[key, *extra], timeout=20)
            except grpc.RpcError:
                pass
        without_end(one)


def endless_header_blocks(where):
    many = field("x-flood", "y" * 100) * 120
    headers = call_headers("/chartly.v1.RegistryService/ListProfiles", [("x-api-key", where["key"])])
    content = PREFACE + frame(SETTINGS) + frame(HEADERS, 0, 1, headers) + frame(CONTINUATION, 0, 1, many) * 300
    without_end(lambda _: send_and_read(where["rpc"]["registry"], content, ATTACKER, patience=0.3))


def bombs(where):
    bomb = gzip.compress(b"\0" * (64 << 20))
    request = (f"POST /api/profiles HTTP/1.1\r\nHost: x\r\nX-API-Key: {where['key']}\r\nContent-Encoding: gzip\r\n"
               f"Content-Type: application/yaml\r\nContent-Length: {len(bomb)}\r\n\r\n").encode() + bomb
    without_end(lambda _: send_and_read(where["http"], request, ATTACKER))


def resets(where):
    """Calls that are taken back as soon as they are made, a thousand a connection."""
    def one(_):
        key = [("x-api-key", where["key"])]
        calls = b"".join(call(2 * i + 1, "/chartly.v1.RegistryService/ListProfiles", b"", key) +
                         frame(RST_STREAM, 0, 2 * i + 1, b"\0\0\0\x08") for i in range(1000))
        send_and_read(where["rpc"]["registry"], PREFACE + frame(SETTINGS) + calls, ATTACKER, patience=0.3)
    without_end(one)


FLOODS = {"slow": ("2,000 slow connections", slow), "http": ("malformed HTTP", malformed_http),
          "http2": ("broken HTTP/2", broken_http2), "messages": ("malformed messages", malformed_messages),
          "headers": ("floods of headers", header_flood), "metadata": ("floods of metadata", metadata_flood),
          "blocks": ("header blocks without an end", endless_header_blocks),
          "bombs": ("compressed bombs", bombs), "resets": ("calls that are taken back", resets)}


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "good":
        be_good(float(sys.argv[2]), json.loads(sys.argv[3]))
    elif len(sys.argv) == 4 and sys.argv[1] == "flood":
        FLOODS[sys.argv[2]][1](json.loads(sys.argv[3]))
    else:
        sys.exit(main())
