"""What the compose files would start is started as processes: the same commands, variables, user and volumes, on loopback.
What the scripts do in between, laying a token into the drone's volume, is done by hand; test_containers.py runs the scripts
themselves, where there is an engine."""

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

from harness import BIN, ROOT, Process, wait_until
from test_rendered_processes import USER, free_offset, get, make_authority
from tools import run

COMPOSE = ROOT / "deploy/compose"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
SETTINGS = b"\0\0"  # how the answer to it begins


class ComposeHost:
    """The host of both compose files: volumes are folders, and ports have moved together so that each is free."""

    def __init__(self, folder):
        self.folder, self.offset = folder, free_offset()
        (folder / "bin").mkdir()
        for program in ("chartly-control", "chartly-drone", "chartly"):
            if not (BIN / program).exists():
                pytest.skip(f"{program} is not built; ./dev build")
            shutil.copy2(BIN / program, folder / "bin")
        shutil.copytree(ROOT / "profiles", folder / "profiles")
        self.services = {}
        for name in ("control", "drone"):
            self.services |= yaml.safe_load((COMPOSE / f"docker-compose.{name}.yml").read_text())["services"]
        for volume in ("control-data", "drone-data"):
            self.empty(volume)
        self.processes = {name: self.process(name) for name in ("control", "drone")}

    def empty(self, volume):
        shutil.rmtree(self.folder / volume, ignore_errors=True)
        (self.folder / volume).mkdir()
        if os.geteuid() == 0:
            os.chown(self.folder / volume, USER, USER)

    def volume(self, name):
        [mount] = self.services[name]["volumes"]
        return self.folder / mount.split(":")[0]

    def local(self, text, name):
        """A word of a compose file as it is on this host, without any variable set."""
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text).replace("0.0.0.0", "127.0.0.1")
        text = re.sub(r"127\.0\.0\.1:(\d+)", lambda m: f"127.0.0.1:{int(m.group(1)) + self.offset}", text)
        for inside, outside in (("/app/data", self.volume(name)), ("/app/profiles", self.folder / "profiles"),
                                ("/usr/bin", self.folder / "bin")):
            text = text.replace(inside, str(outside))
        return text

    def command(self, name):
        words = [self.local(word, name) for word in self.services[name]["command"]]
        user = self.services[name]["user"].split(":")[0]
        if os.geteuid() == 0:
            words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs", "--inh-caps=-all",
                     "--bounding-set=-all", *words]
        variables = {key: self.local(value, name) for key, value in self.services[name].get("environment", {}).items()}
        return words, {"PATH": "/usr/bin:/bin", "CHARTLY_DATA": str(self.volume(name)), **variables}

    def process(self, name):
        made = Process(name, self.folder / f"{name}.log", [])

        def start():
            words, variables = self.command(name)
            with open(made.log_path, "ab") as log:
                made.process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, env=variables)
        made.start = start
        return made

    def up(self):
        """What control-plane-up.sh does: start, and wait until the health check of the file says so."""
        self.processes["control"].start()
        check = self.services["control"]["healthcheck"]["test"][1:]

        def healthy():
            assert self.processes["control"].alive(), self.processes["control"].tail()
            return self.chartly(*check[1:]).returncode == 0
        wait_until(healthy, "the health check")

    def chartly(self, *words):
        """As `docker exec` of the control plane would."""
        return subprocess.run([self.folder / "bin/chartly", *words], capture_output=True, text=True, timeout=60,
                              env={"CHARTLY_URL": self.url, "CHARTLY_DATA": str(self.volume("control"))})

    def token(self):
        """What drone-up.sh lays into the volume before it brings the drone up."""
        done = self.chartly("drone", "token", "local")
        assert done.returncode == 0, done.stderr
        file = self.volume("drone") / "join.token"
        file.write_text(done.stdout)
        file.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(file, USER, USER)

    def join(self):
        words, variables = self.command("join")
        return subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=self.folder, env=variables)

    def drone_state(self):
        code, body = get(self.url + "/api/drones")
        return next((each["state"] for each in json.loads(body)["drones"]), None) if code == 200 else None

    def wait_active(self):
        wait_until(lambda: self.drone_state() == "active", "the drone to be active")

    def delivers(self):
        """Profiles run to their end, and what they fetched is there to be asked for."""
        done = self.chartly("profile", "apply", *sorted(map(str, (self.folder / "profiles/sample").glob("*.yaml"))))
        assert done.returncode == 0, done.stdout + done.stderr
        done = wait_until(lambda: (lambda made: made.returncode == 0 and made)(self.chartly("run", "start", "sample-gdp", "--wait")),
                          "a run that succeeds")
        assert "succeeded" in done.stdout + done.stderr
        return json.loads(get(self.url + "/api/results/summary")[1])["total_results"]

    def rpc_ports(self):
        ports = [int(port.rsplit(":", 1)[1]) for port in self.services["control"]["ports"]]
        assert ports[0] == 8090 and len(ports) == 9
        return [port + self.offset for port in ports[1:]]

    def answers(self, port, identity=None, tls=True):
        """What a port of gRPC says to a client of HTTP/2, in clear text or over TLS, with a certificate or without."""
        try:
            with contextlib.ExitStack() as stack:
                client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
                if tls:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                    context.set_alpn_protocols(["h2"])
                    if identity:
                        context.load_cert_chain(identity)
                    client = stack.enter_context(context.wrap_socket(client))
                client.sendall(PREFACE)
                return client.recv(64)
        except (ConnectionError, ssl.SSLError):
            return b""

    def close(self):
        for each in self.processes.values():
            each.kill()

    @property
    def url(self):
        return f"http://127.0.0.1:{8090 + self.offset}"

    @property
    def identity(self):
        return self.volume("drone") / "identity" / "identity.pem"


@pytest.fixture(scope="module")
def host():
    folder = Path(tempfile.mkdtemp(prefix="chartly-compose-"))
    folder.chmod(0o755)
    made = ComposeHost(folder)
    try:
        made.up()
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


def test_C42_E67_a_drone_joins_with_a_token_and_delivers_over_tls(host):
    none = host.join()
    assert none.returncode != 0 and "TOKEN_FILE_UNREADABLE" in none.stderr, "a drone was let in without a token"
    host.token()
    for said in ("local has joined;", "local has joined already"):
        done = host.join()
        assert done.returncode == 0 and said in done.stderr, done.stderr
    host.processes["drone"].start()
    host.wait_active()
    assert host.delivers() > 0
    key = (host.volume("control") / "admin.key").read_text().strip().encode()
    kept = [path for path in host.volume("drone").rglob("*") if path.is_file()]
    assert host.identity in kept and not [path for path in kept if key in path.read_bytes()]


def test_E67_no_port_of_grpc_says_a_word_without_a_certificate_of_the_authority(host, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    make_authority(other)
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=part", "-keyout",
        other / "part.key", "-out", other / "part.csr")
    (other / "names").write_text("subjectAltName=URI:spiffe://chartly/control,DNS:control.chartly.internal\n"
                                 "extendedKeyUsage=serverAuth,clientAuth\n")
    run("openssl", "x509", "-req", "-in", other / "part.csr", "-CA", other / "authority.pem", "-CAkey", other / "authority.key",
        "-CAcreateserial", "-days", "2", "-extfile", other / "names", "-out", other / "part.crt")
    (other / "part.pem").write_bytes((other / "part.key").read_bytes() + (other / "part.crt").read_bytes())
    for port in host.rpc_ports():
        assert not host.answers(port, tls=False).startswith(SETTINGS), "clear text was taken"
        assert host.answers(port) == b"", "a caller without a certificate was taken"
        assert host.answers(port, identity=other / "part.pem") == b"", "a certificate of another authority was taken"
        assert host.answers(port, identity=host.identity).startswith(SETTINGS)


def test_S264_E67_a_drone_that_joined_goes_on_after_a_restore(host, tmp_path):
    control = host.processes["control"]
    assert control.stop() == 0
    run("tar", "--create", f"--file={tmp_path}/backup.tar", f"--directory={host.volume('control')}", ".")
    host.empty("control-data")
    run("tar", "--extract", "--preserve-permissions", f"--file={tmp_path}/backup.tar", f"--directory={host.volume('control')}")
    before = host.identity.read_bytes()
    host.up()
    host.wait_active()
    assert host.delivers() > 0 and host.identity.read_bytes() == before


def test_C45_E67_after_a_reset_a_drone_is_let_in_by_a_new_token_and_by_nothing_else(host):
    assert host.processes["control"].stop() == 0
    host.empty("control-data")
    host.up()
    old = host.folder / "old.pem"
    shutil.copy2(host.identity, old)
    assert host.answers(host.rpc_ports()[0], identity=old) == b""
    used = host.join()  # its token was of the control plane before, and the identity fits that
    assert used.returncode == 0 and host.identity.read_bytes() == old.read_bytes()
    host.token()
    done = host.join()
    assert done.returncode == 0 and "local has joined;" in done.stderr, done.stderr
    assert host.answers(host.rpc_ports()[0], identity=host.identity).startswith(SETTINGS)
    host.wait_active()  # without having been started again
    assert host.delivers() > 0


def test_C44_E67_both_stop_within_their_grace(host):
    for name in ("drone", "control"):
        grace = int(host.services[name]["stop_grace_period"].rstrip("s"))
        assert host.processes[name].stop(limit=grace) == 0, host.processes[name].tail()
