"""Runs the vectors of ssrf_vectors.py against the shipped binaries. Runs as root in a network and mount namespace of its
own (`unshare --net --mount`), where every address of IPv4 and IPv6 leads to this process, and so does every name. What is
connected at another than a public address is a breach. Prints what it saw as JSON.

usage: ssrf_world.py FOLDER
"""

import collections
import concurrent.futures
import json
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from harness import BIN, Cluster, wait_until  # noqa: E402
from ssrf_vectors import NAMES, OPENED4, PUBLIC4, PUBLIC6, vectors  # noqa: E402

PORTS = [21, 22, 70, 80, 443, 5432, 6379, 8080]
NAME_SERVER = "127.0.0.53"
MAY_BE_REACHED = {PUBLIC4, PUBLIC6, OPENED4}
ROWS = [{"n": 1}]


def prepare(folder):
    for command in ("ip link set lo up", f"ip addr add {PUBLIC4}/32 dev lo", f"ip addr add {PUBLIC6}/128 dev lo nodad",
                    "ip route add local 0.0.0.0/0 dev lo", "ip -6 route add local ::/0 dev lo"):
        subprocess.run(command.split(), check=True)
    files = {"resolv.conf": f"nameserver {NAME_SERVER}\noptions timeout:2 attempts:2\n",
             "hosts": "127.0.0.1 localhost localhost.localdomain\n::1 localhost ip6-localhost\n",
             "nsswitch.conf": "hosts: files dns\n"}
    for name, text in files.items():
        (folder / name).write_text(text)
        subprocess.run(["mount", "--bind", folder / name, f"/etc/{name}"], check=True)


class NameServer:
    """Answers for NAMES over UDP: A and AAAA, aliases, and other answers each time."""

    def __init__(self):
        self.asked = collections.Counter()
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                query, sock = self.request
                sock.sendto(owner.answer(query), self.client_address)

        self.server = socketserver.ThreadingUDPServer((NAME_SERVER, 53), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace"))
            at += 1 + query[at]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        name = ".".join(labels).lower()
        records = list(self.records(name, kind))
        code = 0 if name in NAMES else 3
        header = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        return header + query[12:at + 5] + b"".join(records)

    def records(self, name, kind):
        owner = b"\xc0\x0c"
        entry = NAMES.get(name, [[]])
        if isinstance(entry, str):
            alias = b"".join(bytes([len(label)]) + label.encode() for label in entry.split(".")) + b"\0"
            yield owner + struct.pack(">HHIH", 5, 1, 0, len(alias)) + alias
            owner, entry = alias, NAMES[entry]
        # A and AAAA of one look-up are one turn.
        turn = self.asked[name, kind]
        self.asked[name, kind] += 1
        for address in entry[min(turn, len(entry) - 1)]:
            family, number = (socket.AF_INET6, 28) if ":" in address else (socket.AF_INET, 1)
            if number == kind:
                data = socket.inet_pton(family, address)
                yield owner + struct.pack(">HHIH", kind, 1, 0, len(data)) + data


class World:
    """Listens at every address. Public ones serve HTTP, all others note that they were reached."""

    def __init__(self):
        self.breaches, self.served = [], collections.Counter()
        for port in PORTS:
            listener = socket.socket(socket.AF_INET6)
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("::", port))
            listener.listen(256)
            threading.Thread(target=self.accept, args=(listener, port), daemon=True).start()

    def accept(self, listener, port):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.serve, args=(connection, port), daemon=True).start()

    def serve(self, connection, port):
        address = connection.getsockname()[0].removeprefix("::ffff:").split("%")[0]
        with connection:
            connection.settimeout(5)
            if address not in MAY_BE_REACHED:
                self.breaches.append(f"{address} port {port}")
                return
            self.served[address] += 1
            try:
                request = b""
                while b"\r\n\r\n" not in request:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    request += piece
                connection.sendall(self.respond(request.split(b" ", 2)[1].decode()))
            except OSError:
                pass  # given up by the drone, which may

    @staticmethod
    def respond(target):
        """Every answer closes its connection, so that each request has to connect anew."""
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        status, headers, body = "200 OK", [], {"rows": ROWS}
        if url.path == "/redirect":
            status, body = f"{query['code']} Elsewhere", {}
            headers.append(f"Location: {query['to']}")
        elif url.path == "/refresh":
            status, body = "404 None", {}
            headers.append(f"Refresh: 0; url={query['to']}")
        elif url.path == "/next":
            body = {"rows": ROWS, "next": query["to"]}
        elif url.path == "/link":
            headers.append(f"Link: <{query['to']}>; rel=\"next\"")
        elif url.path != "/rows":
            status, body = "404 None", {}
        text = json.dumps(body)
        lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Connection: close", *headers,
                 f"Content-Length: {len(text)}", "", text]
        return "\r\n".join(lines).encode()


def reach(address):
    """Connects as a drone without a guard would, so that the test knows its own traps work."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
        client.settimeout(5)
        client.connect((address, 80))
        return client.recv(1)


def test_profile(folder, number, vector):
    """The records that `chartly profile test` gives, and what it says."""
    file = folder / f"{number}.yaml"
    file.write_text(vector.yaml())
    done = subprocess.run([BIN / "chartly", "profile", "test", file, "--output", "json", *vector.flags],
                          capture_output=True, text=True, timeout=60,
                          env={"LC_ALL": "C", "CHARTLY_SECRET_SSRF_SECRET": "hidden-secret",
                               "http_proxy": "http://10.0.0.1:8080", "HTTPS_PROXY": "http://10.0.0.1:8080",
                               "ALL_PROXY": "http://10.0.0.1:8080", "HOME": str(folder)})
    records = sum(1 for line in done.stdout.splitlines() if '"n"' in line)
    return {"name": vector.name, "works": vector.works, "records": records, "exit": done.returncode,
            "said": (done.stdout + done.stderr)[-600:]}


def run_on_drone(folder, chosen):
    """The same through a control plane and a drone, one process for all."""
    cluster = Cluster(folder)
    try:
        cluster.drone(egress=())
        runs = {}
        for number, vector in enumerate(chosen):
            cluster.create_profile(vector.yaml(f"ssrf-{number}"))
            runs[number] = cluster.post(f"/api/profiles/ssrf-{number}:runNow")["run_id"]
        ends = []
        for number, run_id in runs.items():
            run = cluster.wait_run(run_id)
            ends.append({"name": chosen[number].name, "works": chosen[number].works, "status": run["status"],
                         "said": json.dumps(run)[-600:]})
        return ends
    finally:
        cluster.close()


def main(folder):
    prepare(folder)
    NameServer()
    world = World()
    traps = ["10.0.0.1", "169.254.169.254", "127.0.0.1", "100.64.0.1", "fd00::1", "::1", "64:ff9b::a00:1"]
    for trap in traps:
        reach(trap)
    wait_until(lambda: len(world.breaches) == len(traps), "the traps to close", 10)
    trapped, world.breaches = world.breaches, []

    began = time.monotonic()
    all_vectors = vectors()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        tested = list(pool.map(lambda job: test_profile(folder, *job), enumerate(all_vectors)))
    tested_s = time.monotonic() - began
    # A drone refuses a faulty profile long before it fetches; those are of no use here.
    runnable = [v for v, t in zip(all_vectors, tested) if not v.flags and "PROFILE_" not in t["said"]]
    drone_ends = run_on_drone(folder / "cluster", runnable[::8] + [v for v in runnable if v.works][:3])
    print(json.dumps({"trapped": trapped, "breaches": world.breaches, "served": world.served, "tested": tested,
                      "tested_s": tested_s, "drone": drone_ends, "all_s": time.monotonic() - began}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
