"""Starts the shipped binaries on free ports, talks REST to them, and serves sources over HTTP on loopback."""

import collections
import fcntl
import http.server
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("CHARTLY_BIN", ROOT / "build" / "bin"))
SHARED_DATA = ROOT.parent / "shared" / "data"
PARTS = ["registry", "aggregator", "coordinator", "reporter", "auth", "audit", "observer", "releases"]
FINAL = {"succeeded", "partial", "failed", "cancelled"}


def wait_until(condition, what, limit=60.0):
    """Polls until condition() gives something true, and returns it."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit:.0f} s for {what}")
        time.sleep(0.02)


GIVEN = collections.deque()  # what holds the ports that this process was given


def reserve(port):
    """Whether no other test on this machine has the port, which is this process's from then on, until it ends or has asked
    for many more: several runs of tests at once choose from one range, and a port stays free for a while before a program
    listens there."""
    folder = Path(tempfile.gettempdir()) / "chartly-test-ports"
    try:
        folder.mkdir(exist_ok=True)
        held = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return True  # somebody else's folder; then chance has to do
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return False
    GIVEN.append(held)
    if len(GIVEN) > 300:
        os.close(GIVEN.popleft())
    return True


def free_ports(count):
    """Ports that were free a moment ago, all different. They lie below the range from which the system takes ports for
    outgoing connections: a restarted server must find its port free, and a client that retries must not meet itself."""
    ports = []
    while len(ports) < count:
        port = random.randint(15000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports and reserve(port):
            ports.append(port)
    return ports


class Process:
    """One program of build/bin with its log."""

    def __init__(self, name, log, arguments, env=None):
        self.name, self.log_path, self.arguments = name, Path(log), [str(a) for a in arguments]
        self.env = {**os.environ, "LC_ALL": "C", **(env or {})}
        for key in list(self.env):
            if key.startswith("CHARTLY_") or key == "REGISTRY_API_KEY":
                if env is None or key not in env:
                    del self.env[key]
        self.process = None
        self.prefix = []  # a command that runs the program, such as a tracer

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, str(BIN / self.name), *self.arguments], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, env=self.env)
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def stop(self, limit=15):
        """SIGTERM; returns the exit code."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {limit} s of SIGTERM:\n{self.tail()}")

    def tail(self, lines=40):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


class Cluster:
    """A control plane, in one process or one process a part, and its drones."""

    def __init__(self, folder, split=False, flags=(), host="127.0.0.1"):
        self.folder, self.split, self.flags, self.host = Path(folder), split, list(flags), host
        self.data = self.folder / "data"
        self.drones, self.controls = {}, []
        ports = free_ports(len(PARTS) + 1 + len(PARTS) + 1 + 4)
        self.http_port = ports.pop()
        self.rpc = {part: ports.pop() for part in PARTS}
        self.admin = {part: ports.pop() for part in PARTS + ["gateway"]}
        self.drone_admin = ports
        self.url = f"http://{host}:{self.http_port}"
        self.key_file = self.data / "admin.key"
        self.make_controls()
        self.start_control()

    def make_controls(self):
        rpc = [f"--rpc={part}={self.host}:{port}" for part, port in self.rpc.items()]
        peers = [f"--peer={part}={self.host}:{port}" for part, port in [*self.rpc.items(), ("gateway", self.http_port)]]
        common = ["--data", self.data, "--listen", f"{self.host}:{self.http_port}", "--heartbeat-ms", "100", *self.flags]
        if not self.split:
            self.controls = [Process("chartly-control", self.folder / "control.log",
                                     [*common, *rpc, "--admin", f"127.0.0.1:{self.admin['gateway']}"])]
            return
        for part in PARTS + ["gateway"]:
            own = [r for r in rpc if r.startswith(f"--rpc={part}=")]
            others = [p for p in peers if not p.startswith(f"--peer={part}=")]
            self.controls.append(Process("chartly-control", self.folder / f"{part}.log",
                                         [*common, "--services", part, *own, *others,
                                          "--admin", f"127.0.0.1:{self.admin[part]}"]))

    def start_control(self):
        for control in self.controls:
            control.start()
        self.wait_ready()

    def wait_ready(self, healths=("serving",)):
        def ready():
            for control in self.controls:
                assert control.alive(), f"{control.arguments} ended:\n{control.tail()}"
            try:
                return self.get("/ready")["ready"] and all(part["health"] in healths
                                                           for part in self.get("/api/status")["parts"])
            except (urllib.error.URLError, ConnectionError, ApiError):
                return False
        wait_until(ready, "the control plane to be ready")
        self.key = self.key_file.read_text().strip()

    def kill_control(self):
        for control in self.controls:
            control.kill()

    def drone(self, drone_id="d1", source_dir=None, egress=("127.0.0.1/32",), flags=(), data=None, prefix=(), name=None,
              identity=None):
        """Starts a drone, or the same one again. `name` tells two of one id apart; `prefix` is a command that runs it.
        With `identity`, the folder that `chartly drone join` made, it shows that and no key."""
        name = name or drone_id
        if name not in self.drones:
            admin = self.drone_admin.pop() if self.drone_admin else free_ports(1)[0]
            self.drones[name] = Process(
                "chartly-drone", self.folder / f"{name}.log",
                ["--id", drone_id, "--data", data or self.folder / name, "--control-plane", self.url,
                 *[f"--{part}={self.host}:{self.rpc[part]}" for part in ("coordinator", "aggregator", "auth")],
                 *(["--identity-dir", identity] if identity else ["--key-file", self.key_file]),
                 "--source-dir", source_dir or ROOT / "profiles",
                 "--admin", f"127.0.0.1:{admin}", *[f"--egress-allow={cidr}" for cidr in egress], *flags])
        self.drones[name].prefix = list(prefix)
        return self.drones[name].start()

    def close(self):
        for process in [*self.drones.values(), *self.controls]:
            process.kill()

    # --- REST ---

    def call(self, method, path, body=None, key=None, headers=None):
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=dict(headers or {}))
        if data is not None and not request.has_header("Content-type"):
            request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("X-API-Key", key)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, error.read().decode(errors="replace")) from None
        return json.loads(text) if text else None

    def get(self, path, **query):
        return self.call("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def post(self, path, body=None, method="POST", headers=None):
        return self.call(method, path, {} if body is None else body, self.key, headers)

    def create_profile(self, yaml):
        return self.post("/api/profiles", yaml.encode(), headers={"Content-Type": "application/yaml"})

    def run_to_end(self, profile_id, limit=60):
        """Runs a profile now and returns the run once it is final."""
        return self.wait_run(wait_until(lambda: self.run_now(profile_id), "the parts to find each other"), limit)

    def run_now(self, profile_id):
        """The new run, or nothing while parts that have just started do not reach each other yet (503)."""
        try:
            return self.post(f"/api/profiles/{profile_id}:runNow")["run_id"]
        except ApiError as error:
            if error.status != 503:
                raise
            return None

    def wait_run(self, run_id, limit=60):
        def final():
            run = self.get(f"/api/runs/{run_id}")
            return run if run["status"] in FINAL else None
        return wait_until(final, f"run {run_id} to end", limit)

    def cli(self, *arguments, **kwargs):
        return cli(*arguments, env={"CHARTLY_URL": self.url, "CHARTLY_KEY_FILE": str(self.key_file)}, **kwargs)


def cli(*arguments, env=None, input_text=None):
    """Runs `chartly` and returns the completed process."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CHARTLY_")}
    return subprocess.run([str(BIN / "chartly"), *[str(a) for a in arguments]], env={**clean, **(env or {})},
                          capture_output=True, text=True, input=input_text, timeout=120)


class ApiError(Exception):
    """An HTTP error with its body."""

    def __init__(self, status, text):
        super().__init__(f"HTTP {status}: {text}")
        self.status, self.text = status, text
        try:
            self.error = json.loads(text)["error"]
        except (ValueError, KeyError, TypeError):
            self.error = {}


class SourceServer:
    """A publisher on loopback. `routes` maps a path to a function of the query that gives (status, type, bytes)."""

    def __init__(self):
        self.routes, self.hits = {}, {}
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                split = urllib.parse.urlsplit(self.path)
                owner.hits[split.path] = owner.hits.get(split.path, 0) + 1
                route = owner.routes.get(split.path)
                query = dict(urllib.parse.parse_qsl(split.query))
                status, kind, body = route(query) if route else (404, "text/plain", b"no such path")
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass  # a client that was killed in mid-request is part of the tests

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def serve_file(self, path, file, kind):
        body = Path(file).read_bytes()
        self.routes[path] = lambda _query: (200, kind, body)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
