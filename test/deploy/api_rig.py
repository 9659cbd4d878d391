"""A cluster without nodes, on loopback: real etcd, API server and controllers, and a kubelet that only pretends.

What the API does is real: schemas, admission, ownership, rollouts. What runs in a container is not: pods become ready after
a moment, and those that end succeed, but for NAMESPACE/NAME in `kubelet.failing`. An image in `kubelet.broken` cannot be
pulled; one in `kubelet.unready` runs and never becomes ready. Pods of a namespace in `kubelet.loopback` have an address of
loopback, where a test can answer for them. Readiness gates are waited for. Of every container there is a log: a line, or
what stands in `kubelet.logs` for (NAMESPACE, POD, CONTAINER), the one before a restart with True as a fourth."""

import datetime
import http.client
import http.server
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

import pytest

from harness import free_ports, wait_until
from tools import find, run

NODE = "node-1"
CONTROLLERS = ["cronjob-controller", "daemonset-controller", "deployment-controller", "disruption-controller",
               "endpointslice-controller", "garbage-collector-controller", "horizontal-pod-autoscaler-controller",
               "job-controller", "namespace-controller", "persistentvolumeclaim-protection-controller",
               "replicaset-controller", "resourcequota-controller", "serviceaccount-controller", "statefulset-controller",
               "ttl-after-finished-controller"]
PROGRAMS = ["etcd", "kube-apiserver", "kube-controller-manager"]
TOKEN = "rig-token"
WORKLOADS = ["deployments", "statefulsets", "daemonsets"]
KINDS = {"/api/v1": ["configmaps", "services", "serviceaccounts", "persistentvolumeclaims"], "/apis/apps/v1": WORKLOADS,
         "/apis/networking.k8s.io/v1": ["networkpolicies", "ingresses"], "/apis/policy/v1": ["poddisruptionbudgets"],
         "/apis/batch/v1": ["cronjobs"], "/apis/autoscaling/v2": ["horizontalpodautoscalers"]}
LOOPBACK = "127.0.1.1"


def programs():
    """How each program is called: all are one that ./dev setup --deploy builds, or those of the PATH."""
    if built := find("kube"):
        return {name: [built, name] for name in [*PROGRAMS, "kubectl"]}
    missing = [name for name in PROGRAMS if find(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed; ./dev setup --deploy builds them where Go is")
    return {name: [find(name)] for name in [*PROGRAMS, "kubectl"]}


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class ApiError(Exception):
    def __init__(self, code, body):
        super().__init__(f"{code}: {body[:500]}")
        self.code = code


class Api:
    """Calls of one thread."""

    def __init__(self, port, certificate):
        self.port, self.context = port, ssl.create_default_context(cafile=str(certificate))
        self.connection = None

    def open(self, method, path, body=None, kind="application/json"):
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=60)
            try:
                self.connection.request(method, path, None if body is None else json.dumps(body),
                                        {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind})
                return self.connection.getresponse()
            except (OSError, http.client.HTTPException):
                # A connection that lay idle may be closed.
                self.connection.close()
                self.connection = None
                if attempt == 2:
                    raise

    def call(self, method, path, body=None, kind="application/json"):
        response = self.open(method, path, body, kind)
        text = response.read().decode()
        if response.status >= 400:
            raise ApiError(response.status, text)
        return json.loads(text)

    def get(self, path):
        return self.call("GET", path)

    def items(self, path):
        return self.get(path)["items"]


class Mirror(threading.Thread):
    """A copy of all objects of a path, which a watch keeps true: to list them ten times a second takes the server longer than
    what is tested. What it says may be a moment old."""

    def __init__(self, api, path):
        super().__init__(daemon=True)
        self.api, self.path, self.ended, self.fault = api, path, threading.Event(), None
        self.lock, self.known = threading.Lock(), {}

    def items(self):
        with self.lock:
            return list(self.known.values())

    def run(self):
        while not self.ended.wait(0.1):
            try:
                self.follow()
            except Exception as error:  # noqa: BLE001: shown by the rig, which the tests ask
                if not self.ended.is_set():
                    self.fault = repr(error)

    def follow(self):
        """From one listing until the watch ends, as the server ends it from time to time."""
        listed = self.api.get(self.path)
        with self.lock:
            self.known = {each["metadata"]["uid"]: each for each in listed["items"]}
        version = listed["metadata"]["resourceVersion"]
        response = self.api.open("GET", f"{self.path}?watch=true&timeoutSeconds=45&resourceVersion={version}")
        while line := response.readline():
            event = json.loads(line)
            if event["type"] == "ERROR":
                break
            with self.lock:
                if event["type"] == "DELETED":
                    self.known.pop(event["object"]["metadata"]["uid"], None)
                else:
                    self.known[event["object"]["metadata"]["uid"]] = event["object"]
        response.close()


class Kubelet(threading.Thread):
    """Binds pods to the one node, and says of each what a kubelet would. What it sees of a pod may be a moment old, so that
    every change names the pod, or the state of it, that it is meant for."""

    def __init__(self, new_api):
        super().__init__(daemon=True)
        self.api, self.ended, self.fault = new_api(), threading.Event(), None
        self.pods = Mirror(new_api(), "/api/v1/pods")
        self.claims = Mirror(new_api(), "/api/v1/persistentvolumeclaims")
        self.ready_after, self.broken, self.unready, self.failing, self.seen, self.address = 0.3, set(), set(), set(), {}, 0
        self.loopback, self.logs, self.log_server = set(), {}, None

    def serve_logs(self, certificate, key):
        """Answers the API server when it is asked for logs; returns the port."""
        kubelet = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path, _, query = self.path.partition("?")
                body = kubelet.log(path.split("/")[2:], urllib.parse.parse_qs(query))
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass
        self.log_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.log_server.socket = context.wrap_socket(self.log_server.socket, server_side=True)
        threading.Thread(target=self.log_server.serve_forever, daemon=True).start()
        return self.log_server.server_address[1]

    def log(self, names, query):
        """The log of NAMESPACE, POD, CONTAINER as a kubelet gives it: as much of it as is asked for."""
        place = (*names, True) if query.get("previous") == ["true"] else tuple(names)
        lines = self.logs.get(place, f"info {names[1]} runs\n").splitlines(keepends=True)
        if "tailLines" in query:
            lines = lines[-int(query["tailLines"][0]):]
        stamp = f"{now()} " if query.get("timestamps") == ["true"] else ""
        return "".join(stamp + line for line in lines)

    def run(self):
        self.pods.start()
        self.claims.start()
        while not self.ended.wait(0.1):
            try:
                for pod in self.pods.items():
                    self.tend(pod)
                for claim in self.claims.items():
                    if claim.get("status", {}).get("phase") != "Bound":
                        self.patch(f"{self.path(claim, 'persistentvolumeclaims')}/status", {"status": {"phase": "Bound"}})
            except Exception as error:  # noqa: BLE001: shown by the rig, which the tests ask
                if not self.ended.is_set():
                    self.fault = repr(error)

    def faults(self):
        return [each.fault for each in (self, self.pods, self.claims) if each.fault]

    def end(self):
        for each in (self, self.pods, self.claims):
            each.ended.set()
        if self.is_alive():
            self.join(20)
        if self.log_server:
            self.log_server.shutdown()
            self.log_server.server_close()

    def path(self, each, kind="pods"):
        return f"/api/v1/namespaces/{each['metadata']['namespace']}/{kind}/{each['metadata']['name']}"

    def patch(self, path, body):
        self.unless_gone("PATCH", path, body, "application/merge-patch+json")

    def unless_gone(self, *call):
        """A call about something that may be gone, going, or changed, since it was listed."""
        try:
            self.api.call(*call)
        except ApiError as error:
            if error.code not in (404, 409) and not (error.code == 403 and "NamespaceTerminating" in str(error)):
                raise

    def tend(self, pod):
        if "deletionTimestamp" in pod["metadata"]:
            # Another of the same name may have taken its place.
            self.unless_gone("DELETE", self.path(pod), {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}})
        elif not pod["spec"].get("nodeName"):
            self.unless_gone("POST", f"{self.path(pod)}/binding", {
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod["metadata"]["name"]},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NODE}})
        elif pod["status"].get("phase") == "Running":
            self.mind_gates(pod)
        elif pod["status"].get("phase") == "Pending":
            begun = self.seen.setdefault(pod["metadata"]["uid"], time.monotonic())
            if any(container["image"] in self.broken for container in pod["spec"]["containers"]):
                self.report(pod, "Pending", {"waiting": {"reason": "ImagePullBackOff"}}, False)
                if time.monotonic() - begun >= pod["spec"].get("activeDeadlineSeconds", float("inf")):
                    self.report(pod, "Failed", {"terminated": {"exitCode": 1, "reason": "DeadlineExceeded"}}, False)
            elif time.monotonic() - begun >= self.ready_after:
                self.start_pod(pod)

    def mind_gates(self, pod):
        """A pod is ready when its containers are and every gate is open."""
        met = {each["type"]: each["status"] == "True" for each in pod["status"]["conditions"]}
        wanted = met["ContainersReady"] and gates_open(pod)
        if "readinessGates" in pod["spec"] and met["Ready"] != wanted:
            # The kind of patch that leaves the conditions of others alone.
            self.unless_gone("PATCH", f"{self.path(pod)}/status", {"metadata": as_seen(pod), "status": {"conditions": [
                {"type": "Ready", "status": str(wanted), "lastTransitionTime": now()}]}}, "application/strategic-merge-patch+json")

    def start_pod(self, pod):
        if pod["spec"]["restartPolicy"] == "Always":
            ready = not any(container["image"] in self.unready for container in pod["spec"]["containers"])
            self.report(pod, "Running", {"running": {"startedAt": now()}}, ready)
        elif f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" in self.failing:
            self.report(pod, "Failed", {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": now(), "finishedAt": now()}}, False)
        else:
            self.report(pod, "Succeeded", {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now(),
                                                          "finishedAt": now()}}, False)

    def report(self, pod, phase, state, ready):
        if phase == "Pending" and pod["status"].get("containerStatuses"):
            return  # said before
        self.address += 1
        address = f"10.244.{self.address // 250}.{self.address % 250 + 1}"
        if pod["metadata"]["namespace"] in self.loopback:
            address = LOOPBACK
        known = {kind: met for kind, met in (("PodScheduled", True), ("Initialized", True), ("ContainersReady", ready),
                                             ("Ready", ready and gates_open(pod)))}
        conditions = [{"type": kind, "status": "True" if met else "False", "lastTransitionTime": now()} for kind, met in known.items()]
        conditions += [each for each in pod["status"].get("conditions", []) if each["type"] not in known]
        # As the pod was when it was read: what somebody wrote since then is not to be lost.
        self.patch(f"{self.path(pod)}/status", {"metadata": as_seen(pod), "status": {
            "phase": phase, "conditions": conditions, "podIP": address, "podIPs": [{"ip": address}], "startTime": now(),
            "containerStatuses": [{"name": each["name"], "image": each["image"], "imageID": "", "ready": ready,
                                   "started": ready, "restartCount": 0, "state": state}
                                  for each in pod["spec"]["containers"]]}})


def as_seen(pod):
    return {"resourceVersion": pod["metadata"]["resourceVersion"]}


def gates_open(pod):
    met = {each["type"] for each in pod["status"].get("conditions", []) if each["status"] == "True"}
    return met >= {each["conditionType"] for each in pod["spec"].get("readinessGates", [])}


class Watch(threading.Thread):
    """Sees every change of the pods that a selector names, and keeps how few of them were available at any moment."""

    def __init__(self, rig, namespace, selector):
        super().__init__(daemon=True)
        self.api, self.path = rig.new_api(), f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
        listed = self.api.get(self.path)
        self.ready = {each["metadata"]["name"]: available(each) for each in listed["items"]}
        self.fewest, self.names = sum(self.ready.values()), set(self.ready)
        self.response = self.api.open("GET", f"{self.path}&watch=true&resourceVersion={listed['metadata']['resourceVersion']}")
        self.start()

    def run(self):
        try:
            while line := self.response.readline():
                event = json.loads(line)
                name = event["object"]["metadata"]["name"]
                self.ready[name] = event["type"] != "DELETED" and available(event["object"])
                self.names.add(name)
                self.fewest = min(self.fewest, sum(self.ready.values()))
        except (OSError, ValueError, AttributeError):
            pass  # closed


def available(pod):
    return "deletionTimestamp" not in pod["metadata"] and any(
        each["type"] == "Ready" and each["status"] == "True" for each in pod.get("status", {}).get("conditions", []))


class Rig:
    def __init__(self):
        self.programs = programs()
        self.helm_program = find("helm")
        if self.helm_program is None:
            pytest.skip("helm is not installed; ./dev setup --deploy")
        self.folder = Path(tempfile.mkdtemp(prefix="chartly-api-"))
        self.processes, self.kubelet = [], None
        self.etcd_port, self.peer_port, self.port, self.controller_port = free_ports(4)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        (self.folder / "tokens.csv").write_text(f"{TOKEN},rig,rig,system:masters\n")
        run("openssl", "genrsa", "-out", self.folder / "sa.key", "2048")
        etcd, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        # What is in it need not outlive a power cut.
        self.process("etcd", "--name=rig", f"--data-dir={self.folder}/etcd", f"--listen-client-urls={etcd}", "--unsafe-no-fsync",
                     f"--advertise-client-urls={etcd}", f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
                     f"--initial-cluster=rig={peer}", "--log-level=warn")
        self.process("kube-apiserver", f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
                     f"--secure-port={self.port}", f"--cert-dir={self.folder}/certificates", "--endpoint-reconciler-type=none",
                     f"--token-auth-file={self.folder}/tokens.csv", "--authorization-mode=RBAC", "--anonymous-auth=false",
                     "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://kubernetes.rig",
                     f"--service-account-key-file={self.folder}/sa.key", f"--service-account-signing-key-file={self.folder}/sa.key")
        certificate = self.folder / "certificates/apiserver.crt"
        # The server writes it in place: it is there before it is whole.
        self.wait(lambda: certificate.exists() and "-----END CERTIFICATE-----" in certificate.read_text(), "the certificate of the API server")
        self.new_api = lambda: Api(self.port, certificate)
        self.api = self.new_api()
        self.wait(self.serves, "the API server")
        self.kubeconfig(certificate)
        self.process("kube-controller-manager", f"--kubeconfig={self.folder}/kubeconfig", "--leader-elect=false",
                     "--bind-address=127.0.0.1", f"--secure-port={self.controller_port}", f"--cert-dir={self.folder}/certificates",
                     f"--controllers={','.join(CONTROLLERS)}", "--concurrent-deployment-syncs=2")
        self.kubelet = Kubelet(self.new_api)
        logs = self.kubelet.serve_logs(certificate, certificate.with_suffix(".key"))
        self.api.call("POST", "/api/v1/nodes", {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}},
            "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                       "daemonEndpoints": {"kubeletEndpoint": {"Port": logs}}}})
        self.kubelet.start()

    def process(self, name, *arguments):
        log = open(self.folder / f"{name}.log", "wb")
        # There is memory to spare, and processor is not.
        self.processes.append((name, subprocess.Popen([*self.programs[name], *arguments], stdout=log, stderr=log,
                                                      cwd=self.folder, env={**os.environ, "GOGC": "400"})))

    def wait(self, condition, what, limit=90.0):
        def met():
            for name, process in self.processes:
                if process.poll() is not None:
                    raise AssertionError(f"{name} ended:\n{(self.folder / f'{name}.log').read_text()[-3000:]}")
            return condition()
        return wait_until(met, what, limit)

    def serves(self):
        try:
            # All that the server makes for itself is there, such as the namespace default.
            return self.api.open("GET", "/readyz").read() == b"ok" and self.api.get("/api/v1/namespaces/default")
        except (OSError, http.client.HTTPException, ApiError):
            time.sleep(0.2)
            return False

    def kubeconfig(self, certificate):
        (self.folder / "kubeconfig").write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "rig",
            "clusters": [{"name": "rig", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                     "certificate-authority": str(certificate)}}],
            "users": [{"name": "rig", "user": {"token": TOKEN}}],
            "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "rig"}}]}))
        self.env = {**os.environ, "KUBECONFIG": str(self.folder / "kubeconfig"), "HOME": str(self.folder),
                    **{f"HELM_{kind}_HOME": str(self.folder / "helm" / kind) for kind in ("CACHE", "CONFIG", "DATA")}}

    def kubectl(self, *arguments, check=True, **options):
        return run(*self.programs["kubectl"], *arguments, check=check, env=self.env, **options)

    def helm(self, *arguments, check=True):
        return run(self.helm_program, *arguments, check=check, env=self.env)

    def namespace(self, name):
        """A namespace that takes restricted pods only, with the Secret that the chart asks for."""
        self.api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {
            f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}}})
        return name

    def objects(self, namespace, kinds=None):
        """Everything of Chartly in a namespace, or of some kinds, by kind and name; pods and what controllers make are not part
        of it."""
        found = {}
        for path, of_path in KINDS.items():
            for kind in of_path:
                if kinds is not None and kind not in kinds:
                    continue
                for each in self.api.items(f"{path}/namespaces/{namespace}/{kind}"):
                    if each["metadata"].get("labels", {}).get("app.kubernetes.io/name") == "chartly":
                        found[f"{kind}/{each['metadata']['name']}"] = each
        return found

    def pods(self, namespace, component=None):
        selector = f"?labelSelector=app.kubernetes.io/component={component}" if component else ""
        return [each for each in self.api.items(f"/api/v1/namespaces/{namespace}/pods{selector}")
                if each["spec"]["restartPolicy"] == "Always"]

    def settled(self, namespace):
        """Whether every workload of a namespace runs what it should, and nothing else."""
        for each in self.objects(namespace, WORKLOADS).values():
            status, wanted = each.get("status", {}), each["spec"].get("replicas")
            wanted = status.get("desiredNumberScheduled", -1) if wanted is None else wanted
            counts = (status.get("updatedReplicas", status.get("updatedNumberScheduled", 0)),
                      status.get("availableReplicas", status.get("numberAvailable", 0)),
                      status.get("replicas", status.get("currentNumberScheduled", 0)))
            if status.get("observedGeneration") != each["metadata"]["generation"] or counts != (wanted,) * 3:
                return False
            if status.get("currentRevision") != status.get("updateRevision"):
                return False
        return all(available(each) for each in self.pods(namespace))

    def settle(self, namespace, limit=90.0):
        self.wait(lambda: self.settled(namespace) or time.sleep(0.1), f"{namespace} to settle", limit)

    def close(self):
        if self.kubelet:
            self.kubelet.end()
        # Nothing of them is needed again, and a server that drains takes its time.
        for _, process in reversed(self.processes):
            process.kill()
        for _, process in self.processes:
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
