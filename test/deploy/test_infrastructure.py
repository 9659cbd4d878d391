"""The charts beside the application: that all of the contract's layout is there or stands for something, that they keep the
same rules, that the API takes them, and that the servers which they configure take what they are given."""

import contextlib
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
import urllib.request
from pathlib import Path

import pytest
import yaml

from harness import free_ports, wait_until
from rendering import (BESIDE, DIGEST, INFRASTRUCTURE, KUBE_VERSION, beside, beside_text, containers, helm, load, of_kind, pods,
                       workloads)
from test_api_rig import namespace  # noqa: F401: a fixture
from test_chart import nodes
from test_lint import lint
from tools import ROOT, find

LAYOUT = yaml.safe_load((ROOT / "charts/layout.yaml").read_text())
# As the contract lists it.
SEED = {"infrastructure/postgresql", "infrastructure/redis", "infrastructure/ingress-nginx", "application/backend", "application/frontend"}
CHARTS = sorted({name for name, _ in BESIDE.values()})
PINNED = ["--set", f"image.digest={DIGEST}"]


@pytest.fixture(params=BESIDE)
def objects(request):
    return load(beside_text(request.param))


# --- the layout ---

def test_G107_everything_of_the_layout_is_there_or_stands_for_something():
    assert set(LAYOUT) == SEED
    for name, each in LAYOUT.items():
        if "none" in each:
            assert len(each["none"]) > 20, name
            continue
        chart = ROOT / each["chart"]
        there = {path.name for path in chart.iterdir()}
        assert each["why"] and {"Chart.yaml", "values.yaml", "values-dev.yaml", "values-prod.yaml", "templates"} <= there, name
        if "template" in each:
            assert (chart / "templates" / each["template"]).exists(), name
    assert {f"charts/infrastructure/{name}" for name in CHARTS} <= {each.get("chart") for each in LAYOUT.values()}


def test_G107_what_is_left_out_is_not_used():
    known = re.compile(r"\b(hiredis|redis\+\+|sw/redis|libmemcached)\b", re.I)
    places = [ROOT / "CMakeLists.txt", *(ROOT / "cmake").glob("*.cmake")]
    places += [path for folder in ("common", "control", "drone") for path in (ROOT / folder).rglob("*.cc")]
    assert len(places) > 100 and not [path for path in places if known.search(path.read_text())]


# --- the charts ---

@pytest.mark.parametrize("variant", BESIDE)
def test_G107_lint_finds_nothing(variant):
    name, values = BESIDE[variant]
    done = helm("lint", "--strict", "--kube-version", KUBE_VERSION, INFRASTRUCTURE / name, *values)
    assert [line for line in done.stdout.splitlines() if re.match(r"\[(WARNING|ERROR)\]", line)] == []


@pytest.mark.parametrize("name", CHARTS)
def test_G107_the_schema_knows_and_describes_every_key(name):
    schema = json.loads((INFRASTRUCTURE / name / "values.schema.json").read_text())
    faults = []
    for path, node in nodes(schema):
        if "properties" in node and node.get("additionalProperties") is not False:
            faults.append(f"{path} takes unknown keys")
        faults += [f"{path}.{key} has no description" for key, each in node.get("properties", {}).items()
                   if not each.get("description", "").endswith(".")]
    assert faults == []


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("setting", ["password=abc", "image.tag=latest", "image.digest=sha256:abc", "security.user=0",
                                     "resources.limits=null", "image.pullPolicy=Always"])
def test_G107_what_must_hold_cannot_be_taken_away(name, setting):
    assert "schema" in beside(name, "--set", setting, check=False).stderr


@pytest.mark.parametrize("name", CHARTS)
def test_G107_prod_is_pinned_and_rendering_twice_gives_the_same_bytes(name):
    values = ["-f", INFRASTRUCTURE / name / "values-prod.yaml"]
    refused = beside(name, *values, check=False)
    assert refused.returncode != 0 and "image.digest" in refused.stderr
    first, second = (beside(name, *values, *PINNED).stdout for _ in range(2))
    assert first == second and all(each["image"].endswith(f"@{DIGEST}") for _, spec in pods(load(first)) for each in containers(spec))
    assert "secret" not in {each["kind"].lower() for each in load(first)}


def test_G107_nothing_is_exposed_unless_it_is_asked_for(objects):
    assert {each["spec"]["type"] for each in of_kind(objects, "Service")} == {"ClusterIP"}
    assert not of_kind(objects, "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Secret", "Ingress")
    assert all(spec["automountServiceAccountToken"] is False for _, spec in pods(objects))


def test_G107_a_way_in_from_outside_is_a_finding_of_the_linter():
    text = beside("nginx", "--set", "service.type=LoadBalancer").stdout
    assert {each["rule"] for each in lint(text)} == {"E68"}


def test_G107_configuration_is_immutable_and_named_after_its_content():
    for name, setting in (("postgresql", "settings.maxConnections=51"), ("nginx", "maxBody=65m")):
        names = {each["metadata"]["name"] for values in ([], ["--set", setting]) for each in of_kind(load(beside(name, *values).stdout), "ConfigMap")}
        assert len(names) == 2, name


# --- in the API ---

def test_G107_the_api_takes_the_charts_and_a_second_time_changes_nothing(rig, namespace):  # noqa: F811
    def versions():
        found = {}
        for path, kinds in (("/api/v1", ["configmaps", "services", "serviceaccounts"]), ("/apis/apps/v1", ["deployments", "statefulsets"]),
                            ("/apis/networking.k8s.io/v1", ["networkpolicies"]), ("/apis/policy/v1", ["poddisruptionbudgets"])):
            for kind in kinds:
                found |= {f"{kind}/{each['metadata']['name']}": each["metadata"].get("generation", each["metadata"]["uid"])
                          for each in rig.api.items(f"{path}/namespaces/{namespace}/{kind}")}
        return found
    releases = {name: ["-f", INFRASTRUCTURE / name / "values-prod.yaml", *PINNED] for name in CHARTS}
    for name, values in releases.items():
        rig.helm("install", name, INFRASTRUCTURE / name, "--namespace", namespace, "--wait", "--timeout", "120s", *values)
    refused = [event["message"] for event in rig.api.items(f"/api/v1/namespaces/{namespace}/events")
               if event["reason"] in ("FailedCreate", "FailedUpdate")]
    assert refused == []
    before, running = versions(), {each["metadata"]["uid"] for each in rig.pods(namespace)}
    assert len(running) == 3
    for name, values in releases.items():
        rig.helm("upgrade", name, INFRASTRUCTURE / name, "--namespace", namespace, "--wait", "--timeout", "120s", *values)
        rig.kubectl("diff", "-f", "-", input=rig.helm("get", "manifest", name, "--namespace", namespace).stdout)
    assert versions() == before and {each["metadata"]["uid"] for each in rig.pods(namespace)} == running
    for name in releases:
        rig.helm("uninstall", name, "--namespace", namespace, "--wait")
    left = {each["metadata"]["name"] for each in rig.api.items(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims")}
    assert left == {"data-postgresql-0"}, "data go with no release"


# --- with the servers ---

def given(objects):
    """The files of the one ConfigMap, and the container that reads them."""
    [config] = of_kind(objects, "ConfigMap")
    [workload] = workloads(objects)
    [container] = workload["spec"]["template"]["spec"]["containers"]
    return config["data"], container


def certificate(folder):
    """A certificate for localhost, as a Secret of cert-manager holds one."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "tls.key", "-out", folder / "tls.crt"],
                   check=True, capture_output=True)
    (folder / "tls.key").chmod(0o640 if os.geteuid() == 0 else 0o600)


@contextlib.contextmanager
def open_folder():
    """A folder that other users may enter."""
    made = Path(tempfile.mkdtemp(prefix="chartly-beside-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def postgres_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        pytest.skip("postgresql is not installed; ./dev setup gets it")
    return found[-1]


@pytest.mark.parametrize("variant", ["default", "prod"])
def test_G107_a_real_server_takes_the_configuration_of_postgresql(variant):
    files, container = given(load(beside_text(f"postgresql:{variant}")))
    programs, [port] = postgres_programs(), free_ports(1)
    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    with open_folder() as folder:
        (folder / "password").write_text("for-this-test")
        certificate(folder)
        for file, text in files.items():
            (folder / file).write_text(text.replace("/etc/postgresql-tls", str(folder)).replace("'/tmp'", f"'{folder}'"))
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                # The key as a Secret with a group arrives: it belongs to root, and the group may read it.
                os.chown(path, 0 if path.name == "tls.key" else 65534, 65534)
        flags = {each["name"]: each["value"] for each in container["env"]}["POSTGRES_INITDB_ARGS"].split()
        data = folder / "pgdata"
        subprocess.run([*as_user, programs / "initdb", "-D", data, "-U", "app", f"--pwfile={folder / 'password'}", *flags],
                       check=True, capture_output=True)
        arguments = [each.replace("/etc/postgresql", str(folder)) for each in container["args"][1:]]
        log = open(folder / "log", "w+")
        server = subprocess.Popen([*as_user, programs / "postgres", "-D", data, *arguments, "-c", f"port={port}"], stdout=log, stderr=log)
        try:
            probe = [programs / "pg_isready", *container["readinessProbe"]["exec"]["command"][1:], f"--port={port}"]
            wait_until(lambda: server.poll() is not None or subprocess.run(probe).returncode == 0, "the server to be ready")
            assert server.poll() is None, Path(log.name).read_text()

            def ask(mode, password):
                return subprocess.run([programs / "psql", f"host=127.0.0.1 port={port} user=app dbname=postgres sslmode={mode}", "-Atc",
                                       "show max_connections"], capture_output=True, text=True, timeout=60,
                                      env={"PGPASSWORD": password, "PATH": "/usr/bin:/bin"})
            assert ask("prefer", "for-this-test").stdout == "50\n"
            assert "password authentication failed" in ask("prefer", "another").stderr
            assert (ask("disable", "for-this-test").returncode == 0) == (variant == "default"), "prod takes TLS only"
        finally:
            server.terminate()
            server.wait(60)
            log.close()


class Gateway:
    """Stands for the gateway: says what it was asked, and holds an answer back in its middle."""

    def __init__(self):
        self.go_on = threading.Event()
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200)
                self.send_header("X-Request-Id", "r-9")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                if self.path.startswith("/events"):
                    self.piece(b"first")
                    gateway.go_on.wait(60)
                self.piece(json.dumps(dict(self.headers)).encode())
                self.piece(b"")

            def piece(self, data):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


def test_G107_a_real_nginx_hands_requests_on_as_they_come():
    program = find("nginx")
    if program is None:
        pytest.skip("nginx is not installed; ./dev setup --deploy")
    gateway, [port, admin] = Gateway(), free_ports(2)
    files, container = given(load(beside("nginx", "--set", f"gateway.host=localhost,gateway.port={gateway.port},tlsSecret=chartly-tls").stdout))
    with open_folder() as folder:
        certificate(folder)
        text = files["nginx.conf"].replace("/tmp/", f"{folder}/").replace("/etc/nginx-tls", str(folder))
        text = text.replace("8443", f"127.0.0.1:{port}").replace("8081", f"127.0.0.1:{admin}")
        text = text.replace("/dev/stdout", f"{folder}/access.log")
        (folder / "nginx.conf").write_text(text)
        arguments = [each.replace("/etc/nginx-config", str(folder)) for each in container["args"]]
        log = open(folder / "log", "w+")
        server = subprocess.Popen([program, "-p", str(folder), *arguments], stdout=log, stderr=log)
        try:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                path = container[probe]["httpGet"]["path"]
                wait_until(lambda: server.poll() is not None or status(f"http://127.0.0.1:{admin}{path}") == 200, f"{path} to answer")
            assert server.poll() is None, Path(log.name).read_text()
            trust = ssl.create_default_context(cafile=str(folder / "tls.crt"))
            url = f"https://127.0.0.1:{port}"
            asked = urllib.request.Request(f"{url}/api/x?key=hidden", headers={"X-Forwarded-For": "6.6.6.6", "Host": "data.example"})
            with urllib.request.urlopen(asked, timeout=30, context=trust) as response:
                seen = json.loads(response.read())
            assert seen["X-Forwarded-For"] == "127.0.0.1" and seen["X-Forwarded-Proto"] == "https" and seen["Host"] == "data.example"
            # A stream is not held back until it ends.
            with urllib.request.urlopen(f"{url}/events", timeout=30, context=trust) as response:
                assert response.read1(5) == b"first" and not gateway.go_on.is_set()
                gateway.go_on.set()
                assert response.read()
            wait_until(lambda: 'path="/events"' in (folder / "access.log").read_text(), "both requests to be logged")
            said = (folder / "access.log").read_text()
            assert 'path="/api/x"' in said and "hidden" not in said and 'request_id="r-9"' in said
        finally:
            server.terminate()
            server.wait(30)
            log.close()
            gateway.close()


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status
    except OSError:
        return 0
