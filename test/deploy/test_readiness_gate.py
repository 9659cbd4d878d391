"""Readiness gates: pods that get no requests until the observer has seen them do well. In a real API, with the processes
that the chart would start answering for the pods, and its observer opening the gates with the rights that the chart gives it."""

import http.server
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from api_rig import LOOPBACK, Watch, available
from harness import wait_until
from rendering import CHART, chart, component, ident, load, of_kind, pod_spec, template, workloads
from test_api_rig import QUICK, contents, namespace, uids, upgrade  # noqa: F401: a fixture
from test_chart import TABLE
from test_network import GRAPH, PORTS, allowed
from test_rendered_processes import Host, get

GATE = "argocd.argoproj.io/health"
GATED = [*QUICK, "--set", "readinessGate.enabled=true,gateway.replicas=2"]
WAITING = {part["name"] for part in TABLE["parts"]} - {"observer"}


# --- what the chart says ---

def test_I131_nothing_waits_unless_it_is_asked_for():
    for variant in ("default", "dev", "staging", "prod"):
        assert not [ident(each) for each in workloads(chart(variant)) if "readinessGates" in pod_spec(each)]
        assert not of_kind(chart(variant), "Role", "RoleBinding")


def test_I131_the_parts_wait_and_neither_the_observer_nor_drones():
    waiting = {component(each): pod_spec(each)["readinessGates"] for each in workloads(chart("readiness-gate"))
               if "readinessGates" in pod_spec(each)}
    assert waiting == {name: [{"conditionType": GATE}] for name in WAITING}
    # And so do gateways of another version.
    objects = load(template(*GATED, "--set", "canary.enabled=true,canary.tag=v0.2.0", "--set",
                            "blueGreen.enabled=true,blueGreen.green.tag=v0.2.0").stdout)
    assert {each["metadata"]["name"] for each in workloads(objects) if "readinessGates" in pod_spec(each)} >= {
        "chartly-gateway", "chartly-gateway-canary", "chartly-gateway-green"}


def test_I131_a_gate_that_nobody_would_open_is_refused():
    done = template("--set", "readinessGate.enabled=true,observer.enabled=false,observer.address=o.example:9000", check=False)
    assert done.returncode != 0 and "no pod would become ready" in done.stderr


def test_I131_B28_the_observer_may_open_gates_and_nothing_else():
    objects = chart("readiness-gate")
    [role], [binding] = of_kind(objects, "Role"), of_kind(objects, "RoleBinding")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
                             {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [each["name"] for each in binding["subjects"]] == ["chartly-observer"]


def test_I131_B15_only_the_observer_reaches_admin_ports_and_only_with_gates():
    objects = chart("readiness-gate")
    names = [component(each) for each in workloads(objects)]
    admin = {part["name"]: part["adminPort"] for part in [*TABLE["parts"], TABLE["drone"]]}
    opened = {(a, b) for a in names for b in names if a != b and allowed(objects, a, b, admin[b])}
    assert opened == {("observer", name) for name in WAITING}
    assert {(a, b) for a in names for b in PORTS if a != b and allowed(objects, a, b, PORTS[b])} == GRAPH


# --- in the API ---

class GatedHost(Host):
    """The processes of the chart, and servers at the address of the pods that hand what is asked on to them."""

    def __init__(self, folder, objects, rig):
        super().__init__(folder, objects)
        self.rig, self.servers, self.account = rig, [], folder / "account"
        self.account.mkdir()
        self.processes["observer"].arguments.append(f"--kube-account={self.account}")

    def answer_for_pods(self):
        for part in TABLE["parts"]:
            if part["name"] in WAITING:
                self.servers.append(forward(part["adminPort"], part["adminPort"] + self.offset))

    def give_account(self, namespace):  # noqa: F811
        """What the kubelet would mount: the token of the service account of the chart, good for an hour."""
        token = self.rig.kubectl("create", "token", "chartly-observer", "--namespace", namespace, "--duration=1h").stdout
        (self.account / "token").write_text(token)
        (self.account / "namespace").write_text(namespace)
        shutil.copy2(self.rig.folder / "certificates/apiserver.crt", self.account / "ca.crt")
        for path in (self.account, *self.account.iterdir()):
            path.chmod(0o755)

    def start_observer(self):
        each = self.processes["observer"]
        with open(each.log_path, "ab") as log:
            each.process = subprocess.Popen(
                [*each.prefix, str(self.folder / "bin" / each.name), *each.arguments], stdout=log, stderr=log, cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.rig.port)})

    def close(self):
        super().close()
        for each in self.servers:
            each.shutdown()
            each.server_close()


def forward(port, target):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            code, body = get(f"http://127.0.0.1:{target}{self.path}")
            self.send_response(code or 502)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass
    made = http.server.ThreadingHTTPServer((LOOPBACK, port), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made


@pytest.fixture(scope="module")
def parts(rig):
    objects = load(template(*GATED).stdout)
    folder = Path(tempfile.mkdtemp(prefix="chartly-gate-"))
    folder.chmod(0o755)
    made = GatedHost(folder, objects, rig)
    try:
        made.answer_for_pods()
        made.start(*WAITING)
        wait_until(lambda: all(get(f"http://127.0.0.1:{part['adminPort'] + made.offset}/ready")[0] == 200
                               for part in TABLE["parts"] if part["name"] in WAITING), "the parts to be ready", 120)
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


@pytest.fixture
def gated(rig, namespace, parts):  # noqa: F811
    """A release whose pods wait, and no observer yet."""
    rig.kubelet.loopback.add(namespace)
    rig.helm("install", "chartly", CHART, "--namespace", namespace, *GATED)
    # Each part once, the gateway twice, and a drone.
    rig.wait(lambda: len(rig.pods(namespace)) == len(TABLE["parts"]) + 2
             and all(met(each, "ContainersReady") for each in rig.pods(namespace)), "all containers to be ready")
    parts.give_account(namespace)
    yield parts
    parts.processes["observer"].kill()


def condition(pod, kind):
    found = [each for each in pod["status"].get("conditions", []) if each["type"] == kind]
    return found[0] if found else {}


def met(pod, kind):
    return condition(pod, kind).get("status") == "True"


def ready(rig, namespace):  # noqa: F811
    return {component(each) for each in rig.pods(namespace) if available(each)}


def all_wait(rig, namespace, reason):  # noqa: F811
    return all(condition(each, GATE).get("reason") == reason for each in rig.pods(namespace) if "readinessGates" in each["spec"])


def test_I131_a_rollout_waits_until_the_observer_has_seen_the_new_pods_do_well(rig, namespace, gated):  # noqa: F811
    assert ready(rig, namespace) == {"observer", "drone"}
    [observer] = [each for each in rig.pods(namespace) if component(each) == "observer"]
    assert "readinessGates" not in observer["spec"]
    gated.start_observer()
    rig.settle(namespace)
    for each in rig.pods(namespace):
        if component(each) in WAITING:
            assert condition(each, GATE)["reason"] == "Healthy" and "0.1.0" in condition(each, GATE)["message"]
    # Its own account is what it writes with.
    listed = rig.kubectl("auth", "can-i", "--list", "--no-headers", "--namespace", namespace,
                         f"--as=system:serviceaccount:{namespace}:chartly-observer").stdout
    assert {line.split()[0] for line in listed.splitlines() if line.startswith("pods")} == {"pods", "pods/status"}
    assert "secrets" not in listed and "*" not in {line.split()[0] for line in listed.splitlines()}
    assert "chartly_readiness_gates_waiting 0" in metrics(gated)

    # Pods that say that they are of a version and answer with another wait for ever, and the old ones serve.
    watch = Watch(rig, namespace, "app.kubernetes.io/component=gateway")
    before, serving = contents(rig, namespace), {each["metadata"]["uid"] for each in rig.pods(namespace, "gateway")}
    done = upgrade(rig, namespace, *GATED, "--set", "image.tag=v0.1.1", check=False, timeout="10s")
    assert done.returncode != 0, "an upgrade was called done before the observer had seen it"
    rig.wait(lambda: {condition(each, GATE).get("reason") for each in rig.pods(namespace, "gateway")} == {"Healthy", "OtherVersion"},
             "the observer to look at the new pod")
    assert watch.fewest == 2 and serving <= {each["metadata"]["uid"] for each in rig.pods(namespace, "gateway") if available(each)}
    rig.helm("rollback", "chartly", "1", "--namespace", namespace)
    rig.settle(namespace)
    assert contents(rig, namespace) == before and watch.fewest == 2


def metrics(host):
    [port] = [part["adminPort"] for part in TABLE["parts"] if part["name"] == "observer"]
    return get(f"http://127.0.0.1:{port + host.offset}/metrics")[1]


def test_I131_a_dead_observer_takes_no_running_pod_down_and_holds_up_new_ones(rig, namespace, gated):  # noqa: F811
    gated.start_observer()
    rig.settle(namespace)
    running = uids(rig, namespace)
    gated.processes["observer"].kill()
    # All that runs goes on, also while the next version waits for a word that does not come.
    watch = Watch(rig, namespace, "app.kubernetes.io/component=gateway")
    upgrade(rig, namespace, *GATED, "--set", "gateway.logLevel=debug", check=False, timeout="5s")
    rig.wait(lambda: any(met(each, "ContainersReady") and not available(each) for each in rig.pods(namespace, "gateway")),
             "a new pod to wait")
    assert running.items() <= uids(rig, namespace).items() and watch.fewest == 2
    assert {each["metadata"]["name"] for each in rig.pods(namespace) if available(each)} == set(running)
    # What comes back after it was lost waits, too: that is the price.
    [lost] = [each for each in rig.pods(namespace) if component(each) == "registry"]
    rig.api.call("DELETE", f"/api/v1/namespaces/{namespace}/pods/{lost['metadata']['name']}")
    rig.wait(lambda: [each for each in rig.pods(namespace, "registry") if each["metadata"]["uid"] != lost["metadata"]["uid"]
                      and met(each, "ContainersReady")], "the pod to come back")
    assert "registry" not in ready(rig, namespace)
    gated.start_observer()
    rig.settle(namespace)
    assert ready(rig, namespace) == WAITING | {"observer", "drone"}


def test_I131_without_its_rights_the_observer_says_so_and_opens_no_gate(rig, namespace, gated):  # noqa: F811
    rig.api.call("DELETE", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/chartly-observer")
    rig.wait(lambda: "pods" not in rig.kubectl("auth", "can-i", "--list", "--no-headers", "--namespace", namespace,
                                               f"--as=system:serviceaccount:{namespace}:chartly-observer").stdout.split(),
             "the rights to be gone")
    log = gated.processes["observer"].log_path
    log.write_bytes(b"")
    gated.start_observer()
    wait_until(lambda: "readiness gates cannot be set" in log.read_text(), "the observer to say that it may not")
    assert "forbidden" in log.read_text()
    assert ready(rig, namespace) == {"observer", "drone"} and all_wait(rig, namespace, None)
