"""A second version of the gateway beside the first: blue/green by the ingress, a canary, and, where two versions cannot run
beside each other, one after the other. In a real API, and with the processes that the pods would be."""

import contextlib
import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from api_rig import available
from harness import BIN, wait_until
from raw_manifests import without_helm
from rendering import (DIGEST, VARIANTS, chart, component, ident, is_canary, load, of_kind, overlay, pod_spec, pods, template,
                       workloads)
from test_api_rig import (QUICK, ROLLBACK_LIMIT, at_once, contents, install, install_both, namespace, two_namespaces,  # noqa: F401: fixtures
                          uids, upgrade)
from test_network import GRAPH, PORTS, allowed
from test_rendered_processes import Host, get
from tools import ROOT

TOOL = ROOT / "deploy/rollouts/blue_green.py"
INGRESS = [*QUICK, "--set", "ingress.enabled=true,ingress.host=chartly.example"]
GREEN = "blueGreen.enabled=true,blueGreen.green.tag=v0.2.0"


def backend(ingress):
    [rule] = ingress["spec"]["rules"]
    [name] = {path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    return name


def changed(before, after):
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


# --- what the chart and the overlays say ---

def test_L152_nothing_runs_beside_unless_it_is_asked_for():
    for variant in ("default", "dev", "staging", "prod"):
        assert not [ident(each) for each in chart(variant) if "green" in component(each) or is_canary(each)]


def test_L152_L162_green_has_everything_that_blue_has():
    objects = chart("blue-green")

    def of(name):
        said = json.dumps([each for each in objects if component(each) == name and each["kind"] != "Ingress"])
        said = re.sub(r"gateway-green", "gateway", said).replace("0.2.0", "0.1.0")
        return {ident(each): each for each in json.loads(said)}
    assert of("gateway") == of("gateway-green") and len(of("gateway")) == 8
    [ingress] = of_kind(objects, "Ingress")
    assert backend(ingress) == "chartly-gateway-green"
    smoke = dict(pods(objects))["Pod/chartly-smoke"]
    asked = {argument for each in smoke["containers"] for argument in each["args"] if argument.startswith("--url")}
    assert asked == {"--url=http://chartly-gateway:8090", "--url=http://chartly-gateway-green:8090"}
    # Both images have to run before anything is touched.
    images = {spec["containers"][0]["image"] for name, spec in pods(objects) if name.startswith("Pod/chartly-preflight")}
    assert images == {f"chartly:v0.1.0@{DIGEST}", f"chartly:v0.2.0@{DIGEST}"}


def test_L152_E69_green_may_call_what_blue_may_and_nobody_else_calls_it():
    for objects in (chart("blue-green"), overlay("blue-green")):
        names = [component(each) for each in workloads(objects)]
        port = {**PORTS, "gateway-green": PORTS["gateway"]}
        opened = {(a, b) for a in names for b in port if a != b and allowed(objects, a, b, port[b])}
        # The gateway may be reached by whoever can route to it; who calls it is a matter of their own policies.
        assert opened == GRAPH | {("gateway-green", called) for caller, called in GRAPH if caller == "gateway"}


def test_L152_a_canary_is_pods_of_another_version_and_nothing_else():
    objects, without = chart("canary"), load(template("--set", "gateway.replicas=4").stdout)
    known = {ident(each) for each in without}
    [canary] = [each for each in objects if is_canary(each)]
    assert {ident(each) for each in objects} - known == {"Deployment/chartly-gateway-canary", "Pod/chartly-preflight-canary"}
    assert [each for each in objects if ident(each) in known] == without
    [stable] = [each for each in without if ident(each) == "Deployment/chartly-gateway"]
    theirs, ours = pod_spec(canary)["containers"][0], pod_spec(stable)["containers"][0]
    assert theirs.pop("image") == "chartly:v0.2.0" and ours.pop("image") == "chartly:v0.1.0" and theirs == ours
    assert (canary["spec"]["replicas"], stable["spec"]["replicas"]) == (1, 4)


@pytest.mark.parametrize("values, why", [
    ("blueGreen.live=green", "nothing would answer"), ("blueGreen.enabled=true", "blueGreen.green.tag"),
    ("canary.enabled=true", "canary.tag"), ("canary.enabled=true,canary.tag=latest", "canary.tag"),
    ("blueGreen.live=red", "blueGreen.live"), ("canary.replicas=0", "canary.replicas"),
    (f"image.requireDigest=true,image.digest={DIGEST},canary.enabled=true,canary.tag=v0.2.0", "canary.digest"),
    (f"image.requireDigest=true,image.digest={DIGEST},{GREEN}", "blueGreen.green.digest")])
def test_L152_what_runs_beside_is_named_as_well_as_the_release(values, why):
    done = template("--set", f"ingress.enabled=true,ingress.host=chartly.example,{values}", check=False)
    assert done.returncode != 0 and why in done.stderr.replace("at '/", "").replace("/", "."), done.stderr


@pytest.mark.parametrize("name, values", [
    ("blue-green", ["--set", "blueGreen.enabled=true,blueGreen.green.tag=v0.1.0", "--set",
                    "ingress.enabled=true,ingress.host=chartly.example.org,ingress.tlsSecret=chartly-tls"]),
    ("canary", ["--set", "canary.enabled=true,canary.tag=v0.1.0"])])
def test_L152_C38_the_overlays_say_what_the_chart_says(name, values):
    wanted = {ident(each): each for each in map(without_helm, load(template(*values).stdout)) if each}
    found = {ident(each): each for each in overlay(name)}
    assert found.keys() - wanted.keys() == {"Namespace/chartly"} and wanted.keys() <= found.keys()

    def callers(each):  # their order says nothing
        for rule in each["spec"].get("ingress", []):
            if "from" in rule:
                rule["from"] = sorted(rule["from"], key=json.dumps)
        return each
    for each in wanted:
        same = found[each] == wanted[each] if "NetworkPolicy" not in each else callers(found[each]) == callers(wanted[each])
        assert same, f"{each} differs from the chart; run ./dev manifests"


# --- in the API ---

def ready_images(rig, namespace, service):  # noqa: F811
    """image -> how many pods of it a Service leads to."""
    images = {each["metadata"]["uid"]: each["spec"]["containers"][0]["image"] for each in rig.pods(namespace)}
    slices = rig.api.items(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector=kubernetes.io/service-name={service}")
    found = [images.get(point["targetRef"]["uid"]) for each in slices for point in each["endpoints"] or [] if point["conditions"]["ready"]]
    return {image: found.count(image) for image in found}


def wait_for(rig, condition, what):
    rig.wait(lambda: condition() or time.sleep(0.1), what, 120)


def test_L156_L158_green_comes_without_touching_blue_and_the_switch_is_one_write(rig, namespace):  # noqa: F811
    install(rig, namespace, *INGRESS, "--set", "gateway.replicas=2")
    blue, before = uids(rig, namespace), contents(rig, namespace)
    values = [*INGRESS, "--set", f"gateway.replicas=2,{GREEN}"]
    upgrade(rig, namespace, *values)
    rig.settle(namespace)
    with_green = contents(rig, namespace)
    assert blue.items() <= uids(rig, namespace).items(), "a pod of blue was replaced"
    # But for the policies, which have to let green in, and what scrapes it, only green is new.
    touched = {name for name in changed(before, with_green) if "gateway-green" not in name and not name.startswith("networkpolicies/")}
    assert touched == {"configmaps/chartly-prometheus"}
    wait_for(rig, lambda: ready_images(rig, namespace, "chartly-gateway-green") == {"chartly:v0.2.0": 2}, "green to be reached by its Service")
    assert ready_images(rig, namespace, "chartly-gateway") == {"chartly:v0.1.0": 2}
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/chartly"
    ingress, running = rig.api.get(path), uids(rig, namespace)
    assert backend(ingress) == "chartly-gateway"
    upgrade(rig, namespace, *values, "--set", "blueGreen.live=green", "--no-hooks")
    switched = rig.api.get(path)
    assert changed(with_green, contents(rig, namespace)) == {"ingresses/chartly"}
    assert backend(switched) == "chartly-gateway-green" and switched["metadata"]["generation"] == ingress["metadata"]["generation"] + 1
    assert uids(rig, namespace) == running
    # And so is the way back.
    rig.helm("rollback", "chartly", "2", "--namespace", namespace, "--no-hooks")
    assert contents(rig, namespace) == with_green and uids(rig, namespace) == running


def test_L162_the_release_follows_green_while_green_serves(rig, namespace):  # noqa: F811
    install(rig, namespace, *INGRESS, "--set", f"{GREEN},blueGreen.live=green")
    green = {each["metadata"]["uid"] for each in rig.pods(namespace, "gateway-green")}
    upgrade(rig, namespace, *INGRESS, "--set", f"{GREEN},blueGreen.live=green,image.tag=v0.2.0")
    rig.settle(namespace)
    # All else has the version now, and green served all the time.
    assert {each["spec"]["containers"][0]["image"] for each in rig.pods(namespace)} == {"chartly:v0.2.0"}
    assert {each["metadata"]["uid"] for each in rig.pods(namespace, "gateway-green")} == green
    upgrade(rig, namespace, *INGRESS, "--set", f"{GREEN},image.tag=v0.2.0", "--no-hooks")
    upgrade(rig, namespace, *INGRESS, "--set", "image.tag=v0.2.0")
    rig.settle(namespace)
    assert not [name for name in rig.objects(namespace) if "green" in name]
    assert backend(rig.api.get(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/chartly")) == "chartly-gateway"


def test_L152_L163_a_canary_gets_its_share_and_one_that_is_not_well_gets_nothing(rig, namespace):  # noqa: F811
    values = [*QUICK, "--set", "gateway.replicas=3"]
    install(rig, namespace, *values)
    stable, before = uids(rig, namespace), contents(rig, namespace)
    rig.kubelet.unready.add("chartly:v0.2.1")
    upgrade(rig, namespace, *values, "--set", "canary.enabled=true,canary.tag=v0.2.1", check=False, timeout="10s")
    wait_for(rig, lambda: len(rig.pods(namespace, "gateway")) == 4, "the pod of the canary")
    assert ready_images(rig, namespace, "chartly-gateway") == {"chartly:v0.1.0": 3}
    upgrade(rig, namespace, *values, "--set", "canary.enabled=true,canary.tag=v0.2.0")
    rig.settle(namespace)
    wait_for(rig, lambda: ready_images(rig, namespace, "chartly-gateway") == {"chartly:v0.1.0": 3, "chartly:v0.2.0": 1},
             "one request of four to go to the canary")
    assert stable.items() <= uids(rig, namespace).items(), "a pod of the release was replaced"
    assert changed(before, contents(rig, namespace)) == {"deployments/chartly-gateway-canary"}
    upgrade(rig, namespace, *values)
    rig.settle(namespace)
    wait_for(rig, lambda: uids(rig, namespace) == stable, "the canary to go, and nothing else")
    assert contents(rig, namespace) == before


def test_L152_a_canary_whose_image_cannot_be_had_stops_before_anything_is_touched(rig, two_namespaces):  # noqa: F811
    values = [*QUICK, "--set", "preflight.deadlineSeconds=10"]
    install_both(rig, two_namespaces, *values)
    before = [contents(rig, each) for each in two_namespaces]
    rig.kubelet.broken.add("chartly:v0.2.2")
    ways = ("canary.enabled=true,canary.tag=v0.2.2", "blueGreen.enabled=true,blueGreen.green.tag=v0.2.2")
    for done in at_once(*(functools.partial(upgrade, rig, each, *values, "--set", way, check=False)
                          for each, way in zip(two_namespaces, ways))):
        assert done.returncode != 0 and "pre-upgrade hooks failed" in done.stderr, done.stderr
    assert [contents(rig, each) for each in two_namespaces] == before


def test_L164_all_of_the_old_ends_before_any_of_the_new_begins(rig, namespace):  # noqa: F811
    values = [*QUICK, "--set", "gateway.replicas=2"]
    install(rig, namespace, *values)
    claims = {name: each["metadata"]["uid"] for name, each in rig.objects(namespace).items() if name.startswith("persistent")}
    upgrade(rig, namespace, *values, "--set", "rollout.stopped=true")
    wait_for(rig, lambda: rig.pods(namespace) == [], "all pods to end")
    upgrade(rig, namespace, *values, "--set", "image.tag=v0.2.0")
    rig.settle(namespace)
    assert {each["spec"]["containers"][0]["image"] for each in rig.pods(namespace)} == {"chartly:v0.2.0"}
    after = {name: each["metadata"]["uid"] for name, each in rig.objects(namespace).items() if name.startswith("persistent")}
    assert after == claims, "a claim was made anew"


def test_L164_nothing_runs_while_a_release_is_stopped():
    for variant in ([], ["--set", "drone.kind=DaemonSet"], ["--set", "drone.kind=Deployment"], VARIANTS["prod"]):
        objects = load(template(*variant, "--set", "rollout.stopped=true").stdout)
        assert {each["spec"]["replicas"] for each in workloads(objects)} == {0}
        assert not of_kind(objects, "HorizontalPodAutoscaler", "DaemonSet")


# --- with processes ---

class GreenHost(Host):
    """Green has the ports of blue, so it lives at another address of loopback."""

    def process(self, name):
        made = super().process(name)
        if name == "gateway-green":
            made.arguments = [re.sub(r"^(--(?:listen|admin|rpc-host)=)127\.0\.0\.1", r"\g<1>127.0.0.2", flag) for flag in made.arguments]
            made.probes = {probe: url.replace("127.0.0.1", "127.0.0.2") for probe, url in made.probes.items()}
        return made

    @property
    def services(self):
        return {"chartly-gateway": self.url, "chartly-gateway-green": self.url.replace("127.0.0.1", "127.0.0.2")}

    def ready(self, name):
        each = self.processes[name]
        assert each.alive(), each.tail()
        return all(get(url)[0] == 200 for url in each.probes.values())


@pytest.fixture(scope="module")
def parts():
    """The processes that the chart would start, without green."""
    if not (BIN / "chartly-control").exists():
        pytest.skip("chartly-control is not built; ./dev build")
    objects = load(template("--set", GREEN, "--set", "ingress.enabled=true,ingress.host=chartly.example").stdout)
    folder = Path(tempfile.mkdtemp(prefix="chartly-beside-"))
    folder.chmod(0o755)
    made = GreenHost(folder, objects)
    try:
        made.start(*(name for name in made.processes if name not in ("gateway-green", "drone")))
        wait_until(lambda: get(made.url + "/health")[1].startswith('{"status":"ok"'), "the parts to find each other", 120)
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


@pytest.fixture
def host(parts):
    """With a green gateway that is ready."""
    parts.start("gateway-green")
    wait_until(lambda: parts.ready("gateway-green"), "green to be ready", 120)
    yield parts
    parts.processes["gateway-green"].kill()


def fetch(url):
    """Status and body; status 0 where nothing answers. Patient: how fast a machine is, is not the question."""
    try:
        with urllib.request.urlopen(url, timeout=120) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


class Front:
    """Stands for what makes an ingress work: it asks the API where the Ingress leads, and hands every request on to there.
    Somebody asks for the page through it all the time; `failed` is who should have answered, and what came instead."""

    def __init__(self, rig, namespace, services):  # noqa: F811
        self.api, self.path, self.services = rig.new_api(), f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/chartly", services
        self.live, self.ended, self.served, self.failed = None, threading.Event(), [], []
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                live = front.live
                code, body = fetch(front.services[live] + self.path)
                front.served.append(live)
                self.send_response(code or 502)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.follow()
        self.threads = [threading.Thread(target=each, daemon=True) for each in (self.server.serve_forever, self.keep, self.ask)]
        for each in self.threads:
            each.start()

    def follow(self):
        self.live = backend(self.api.get(self.path))

    def keep(self):
        while not self.ended.wait(0.05):
            self.follow()

    def ask(self):
        while not self.ended.wait(0.02):
            code, body = fetch(self.url + "/")
            if code != 200:
                self.failed.append((self.live, code, body))

    def close(self):
        self.ended.set()
        self.server.shutdown()
        for each in self.threads:
            each.join(30)
        self.server.server_close()


@contextlib.contextmanager
def front_of(rig, namespace, services):  # noqa: F811
    made = Front(rig, namespace, services)
    try:
        yield made
    finally:
        made.close()


def begin(rig, namespace, url, watch, faults):  # noqa: F811
    return subprocess.Popen([sys.executable, str(TOOL), "--namespace", namespace, "--tag", "v0.2.0", "--url", url, "--watch", str(watch),
                             "--faults", str(faults), "--timeout", "240", "--helm", rig.helm_program, "--", *INGRESS], env=rig.env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process):
    try:
        said, _ = process.communicate(timeout=550)
    finally:
        process.kill()
    print(said)
    return process.returncode, said


def test_L157_the_smoke_test_asks_green_before_it_is_live(parts):
    spec = dict(pods(parts.objects))["Pod/chartly-smoke"]
    commands = [[parts.local(argument.replace("chartly-gateway-green:", "0.0.0.2:")).replace("0.0.0.2:8090", parts.services["chartly-gateway-green"].split("//")[1])
                 for argument in each["args"]] for each in spec["containers"] if each["name"].endswith("-green")]
    assert len(commands) == 3
    for command in commands:
        assert parts.chartly(*command).returncode != 0, "a green that does not run passed"
    parts.start("gateway-green")
    try:
        wait_until(lambda: parts.ready("gateway-green"), "green to be ready", 120)
        for command in commands:
            done = parts.chartly(*command)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    finally:
        parts.processes["gateway-green"].kill()


def test_L156_L158_L159_traffic_moves_to_green_and_nobody_notices(rig, namespace, host):  # noqa: F811
    install(rig, namespace, *INGRESS)
    with front_of(rig, namespace, host.services) as front:
        wait_until(lambda: front.served, "somebody to ask")
        code, said = finish(begin(rig, namespace, front.url, 3, 60))
        assert code == 0 and said.endswith("green serves\n"), said
        wait_until(lambda: front.served[-1] == "chartly-gateway-green", "traffic to go to green")
        assert front.served[0] == "chartly-gateway" and front.failed == []


def test_L157_what_fails_its_tests_gets_no_traffic(rig, namespace, host):  # noqa: F811
    install(rig, namespace, *INGRESS)
    rig.kubelet.failing.add(f"{namespace}/chartly-smoke")
    with front_of(rig, namespace, host.services) as front:
        code, said = finish(begin(rig, namespace, front.url, 3, 60))
        assert code == 1 and "blue serves: green is not well: helm test" in said, said
        assert set(front.served) == {"chartly-gateway"} and front.failed == []
        assert available(rig.pods(namespace, "gateway-green")[0])


def test_L159_green_that_fails_under_traffic_is_taken_back_by_itself(rig, namespace, host):  # noqa: F811
    install(rig, namespace, *INGRESS)
    with front_of(rig, namespace, host.services) as front:
        process = begin(rig, namespace, front.url, 400, 10)
        wait_until(lambda: front.live == "chartly-gateway-green" or process.poll() is not None, "traffic to move", 240)
        wait_until(lambda: front.served[-1] == "chartly-gateway-green", "somebody to ask green")
        host.processes["gateway-green"].kill()
        begun = time.monotonic()
        code, said = finish(process)
        took = time.monotonic() - begun
        assert code == 1 and "blue serves again" in said, said
        wait_until(lambda: front.live == "chartly-gateway", "traffic to go back")
        print(f"{took:.1f} s from the fault to blue")
        assert took < ROLLBACK_LIMIT
        wait_until(lambda: fetch(front.url + "/")[0] == 200, "blue to answer")
        assert {live for live, _, _ in front.failed} <= {"chartly-gateway-green", "chartly-gateway"} and front.failed


def test_L158_the_way_in_is_well_before_anything_moves():
    done = subprocess.run([sys.executable, str(TOOL), "--namespace", "x", "--tag", "v0.2.0", "--url", "http://127.0.0.1:1",
                           "--faults", "1", "--helm", "true"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "is not well before anything moved" in done.stdout
    done = subprocess.run([sys.executable, str(TOOL), "--namespace", "x", "--tag", "v0.2.0", "--url", "http://127.0.0.1:1",
                           "--helm", "false"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "helm upgrade ended with 1" in done.stdout
