"""What clients that mean harm take from others: how long a good client waits for its answers, without and under each flood.

Runs the shipped control plane. Server and good client share one core, the flood has another one to itself and the lowest
priority. Rounds of three go in turn: quiet, the flood at Chartly, and the same flood, at the pace that it had there, at a
server on that core that reads what comes and does nothing with it (hostile_sink.cc). The figures are medians of the rounds:
the p99 of a good client under the flood, as times of the quiet one beside it, by REST on a new connection each time, and by
gRPC on one connection. What the flood at the idle server takes is the machine's share of it: caches, the kernel's work for
connections and bytes, who runs when. No server on that core has less.
"""

import argparse
import gzip
import json
import os
import random
import selectors
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
from harness import BIN, Cluster  # noqa: E402
from hostile_traffic import (CONTINUATION, END_HEADERS, HEADERS, PREFACE, RST_STREAM, SETTINGS, Calls, call,  # noqa: E402
                             call_headers, field, frame, http2_connection, http_request, message, seeded, send_and_read)
from test_access import PART_OF, methods  # noqa: E402

BOUND = 2  # times the quiet p99
ATTACKER = "127.0.0.66"
PAUSE = 0.002  # of the good client between two answers
PATIENCE = 5  # seconds, of the good client with one answer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", help="floods, with commas between them")
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--rounds", type=int, help="of each flood")
    arguments = parser.parse_args()
    seconds = arguments.seconds or (1 if arguments.quick else 4)
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    cores = sorted(os.sched_getaffinity(0))
    ours, theirs = cores[-1], cores[0]
    if ours == theirs:
        print("hostile: one core only; the flood and the server take from each other what the figures show")
    with tempfile.TemporaryDirectory(prefix="chartly-hostile-") as folder:
        cluster, sink = Pinned(Path(folder), ours), Sink(ours)
        try:
            print(f"{'milliseconds':43}{'quiet p50':>10}{'p99':>7}{'flood p50':>11}{'p99':>7}{'times':>7}{'idle p99':>10}{'times':>7}"
                  f"{'put off':>9}{'server':>8}{'a second':>10}")
            bench = Bench(cluster, sink, seconds, ours, theirs)
            for name in arguments.only.split(",") if arguments.only else FLOODS:
                measure_flood(bench, name, rounds)
        finally:
            sink.close()
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


class Sink:
    """The server that does nothing, in place of the gateway and of every part, on one core."""

    def __init__(self, core):
        self.process = subprocess.Popen(["taskset", "-c", str(core), str(BIN / "bench" / "hostile_sink")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.http, self.rpc = (int(self.process.stdout.readline()) for _ in range(2))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    """What the measurements share."""

    def __init__(self, cluster, sink, seconds, ours, theirs):
        self.cluster, self.sink, self.seconds, self.ours, self.theirs = cluster, sink, seconds, ours, theirs
        self.chartly = {"http": cluster.http_port, "rpc": cluster.rpc, "key": cluster.key}
        self.idle = {"http": sink.http, "rpc": {part: sink.rpc for part in cluster.rpc}, "key": cluster.key}

    def quiet(self):
        return good_client(json.dumps(self.chartly), self.seconds, self.ours)

    def under_flood(self, name, where, pace=0.0):
        """What the good client saw, the share of a core that the server took, and how often a second the flood struck."""
        flood = subprocess.Popen(["taskset", "-c", str(self.theirs), "nice", "-n", "19", sys.executable, __file__, "flood", name,
                                  json.dumps({**where, "pace": pace})], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert flood.stdout.readline() == "ready\n"
            before, begun = self.cluster.cpu_seconds(), time.monotonic()
            seen = self.quiet()
            share = (self.cluster.cpu_seconds() - before) / (time.monotonic() - begun)
            flood.stdin.close()
            strikes = float(last_line(flood.stdout, 5) or 0)
        finally:
            flood.kill()
            flood.wait()
        assert self.cluster.controls[0].alive(), self.cluster.controls[0].tail()
        return seen, share, strikes


def last_line(stream, patience):
    """One line, or nothing if it does not come in time."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline() if selector.select(patience) else ""


def measure_flood(bench, name, rounds):
    seen = []
    for _ in range(rounds):
        quiet = bench.quiet()
        flooded, share, strikes = bench.under_flood(name, bench.chartly)
        time.sleep(1)  # what it left behind is done
        idle, _, _ = bench.under_flood(name, bench.idle, pace=max(strikes, 1))
        seen.append((quiet, flooded, idle, share, strikes))
        time.sleep(0.5)
    for kind in ("REST", "gRPC"):
        def middle(measure):
            return statistics.median(measure(*each) for each in seen)
        times = middle(lambda quiet, flooded, idle, *_: p99(flooded[kind]) / p99(quiet[kind]))
        machine = middle(lambda quiet, flooded, idle, *_: p99(idle[kind]) / p99(quiet[kind]))
        print(f"{FLOODS[name][0] + ', ' + kind:43}{ms(middle(lambda quiet, *_: statistics.median(quiet[kind])))}"
              f"{ms(middle(lambda quiet, *_: p99(quiet[kind])), 7)}"
              f"{ms(middle(lambda _, flooded, *__: statistics.median(flooded[kind])), 11)}"
              f"{ms(middle(lambda _, flooded, *__: p99(flooded[kind])), 7)}{times:7.2f}"
              f"{ms(middle(lambda _, __, idle, *___: p99(idle[kind])), 10)}{machine:7.2f}"
              f"{sum(each[1]['put off ' + kind] for each in seen):9d}{statistics.median(each[3] for each in seen):8.2f}"
              f"{statistics.median(each[4] for each in seen):10.0f}", flush=True)
        for whose, who, value, bound in (("ours", "Chartly", times, BOUND),
                                         ("limit", "the same flood at a server that does nothing", machine, 0)):
            figures.record("hostile", f"p99 of a good client by {kind}: {FLOODS[name][0]}", whose, who, value,
                           "times the quiet one", less_is_better=True, bound=bound)


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


# --- the floods, each a process of its own: they tell when they are at it, go on until their input ends, and tell then how
# often a second they struck ---

def at_it(strikes):
    """Tells so, waits for the end of the input, and tells what `strikes` counted in that time."""
    print("ready", flush=True)
    before, begun = sum(strikes), time.monotonic()
    sys.stdin.read()
    print((sum(strikes) - before) / (time.monotonic() - begun), flush=True)
    os._exit(0)  # the threads go on


def without_end(where, work, threads=4):
    """work(number) over and over, on some threads, at most so often a second as it says where."""
    strikes = [0] * threads
    begun = time.monotonic()

    def run(first):
        number = first
        while True:
            if where["pace"]:
                ahead = (strikes[first] + 1) * threads / where["pace"] - (time.monotonic() - begun)
                if ahead > 0:
                    time.sleep(ahead)
            work(number)
            number += threads
            strikes[first] += 1
    for first in range(threads):
        threading.Thread(target=run, args=(first,), daemon=True).start()
    time.sleep(0.5)
    at_it(strikes)


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
    strikes = [0]

    def renew():
        """What is given up on comes back, a few at a time."""
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
                strikes[0] += 1
    threading.Thread(target=renew, daemon=True).start()
    at_it(strikes)


def malformed_http(where):
    routes = [route for *_, routes, _ in methods() for route in routes if not route[1].endswith((":watch", "/events"))]
    without_end(where, lambda number: send_and_read(where["http"], http_request(seeded(1, number), routes, where["key"]),
                                                    ATTACKER))


def broken_http2(where):
    paths = [f"/chartly.v1.{service}/{method}" for service, method, *_ in methods()]
    ports = sorted(where["rpc"].values())
    without_end(where, lambda number: send_and_read(ports[number % len(ports)], http2_connection(seeded(1, number), paths),
                                                    ATTACKER, patience=0.05))


def malformed_messages(where):
    every = [(service, method) for service, method, *_ in methods()]
    mine = threading.local()  # connections of a thread, by part

    def one(number):
        service, method = every[number % len(every)]
        part = PART_OF[service]
        if not hasattr(mine, "calls"):
            mine.calls = {}
        calls = mine.calls.setdefault(part, Calls(where["rpc"][part], ATTACKER))
        calls.ask(f"/chartly.v1.{service}/{method}", message(random.Random(number)), [("x-api-key", where["key"])])
    without_end(where, one, threads=8)


def header_flood(where):
    lines = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(1000))
    request = b"GET /api/keys HTTP/1.1\r\nX-API-Key: " + where["key"].encode() + b"\r\n" + lines + b"\r\n"
    without_end(where, lambda _: send_and_read(where["http"], request, ATTACKER))


def metadata_flood(where):
    extra = [("x-api-key", where["key"]), *((f"x-{i}", "y" * 100) for i in range(1000))]
    mine = threading.local()

    def one(_):
        if not hasattr(mine, "calls"):
            mine.calls = Calls(where["rpc"]["auth"], ATTACKER)
        mine.calls.ask("/chartly.v1.AuthService/ListKeys", b"", extra, patience=20)
    without_end(where, one)


def endless_header_blocks(where):
    many = field("x-flood", "y" * 100) * 120
    headers = call_headers("/chartly.v1.RegistryService/ListProfiles", [("x-api-key", where["key"])])
    content = PREFACE + frame(SETTINGS) + frame(HEADERS, 0, 1, headers) + frame(CONTINUATION, 0, 1, many) * 300
    without_end(where, lambda _: send_and_read(where["rpc"]["registry"], content, ATTACKER, patience=0.3))


def bombs(where):
    bomb = gzip.compress(b"\0" * (64 << 20))
    request = (f"POST /api/profiles HTTP/1.1\r\nHost: x\r\nX-API-Key: {where['key']}\r\nContent-Encoding: gzip\r\n"
               f"Content-Type: application/yaml\r\nContent-Length: {len(bomb)}\r\n\r\n").encode() + bomb
    without_end(where, lambda _: send_and_read(where["http"], request, ATTACKER))


def resets(where):
    """Calls that are taken back as soon as they are made, a thousand a connection."""
    def one(_):
        key = [("x-api-key", where["key"])]
        calls = b"".join(call(2 * i + 1, "/chartly.v1.RegistryService/ListProfiles", b"", key) +
                         frame(RST_STREAM, 0, 2 * i + 1, b"\0\0\0\x08") for i in range(1000))
        send_and_read(where["rpc"]["registry"], PREFACE + frame(SETTINGS) + calls, ATTACKER, patience=0.3)
    without_end(where, one)


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
