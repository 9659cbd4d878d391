"""The checks that kube-linter makes unless told otherwise, each broken once, and who finds it here.

Its module is not to be had everywhere, so what it looks for is looked for by what always runs (docs/adr/0049). The
names are those of its documentation, https://docs.kubelinter.io/#/generated/checks."""

import copy
import subprocess

import pytest
import yaml

from rendering import ENVIRONMENTS, chart_text, component, of_kind, raw
from test_lint import lint
from test_linters import schema_faults
from test_mutations import GATEWAY, container, drop, env, pod, put, service, workload
from tools import find


def budget(objects):
    return next(each for each in of_kind(objects, "PodDisruptionBudget") if component(each) == GATEWAY)


def of_the_host(path):
    def mutate(objects):
        pod(objects)["volumes"].append({"name": "host", "hostPath": {"path": path}})
        container(objects)["volumeMounts"].append({"name": "host", "mountPath": "/host", "readOnly": True})
    return mutate


def two_anywhere(objects):
    workload(objects)["spec"]["replicas"] = 2
    del pod(objects)["affinity"], pod(objects)["topologySpreadConstraints"]


def anyone(objects):
    for context in (container(objects)["securityContext"], pod(objects)["securityContext"]):
        context.pop("runAsNonRoot", None)


def all_available(objects):
    del budget(objects)["spec"]["maxUnavailable"]
    budget(objects)["spec"]["minAvailable"] = "100%"


def both(*mutations):
    return lambda objects: [mutate(objects) for mutate in mutations]


SCHEMAS = "the schemas of the API"

# Check of kube-linter -> how it is broken, and the rule of chartly lint deploy that says so.
CHECKS = {
    "dangling-service": (put("spec", "selector", {"app": "nobody"}, of=service), "F76"),
    "deprecated-service-account-field": (put("serviceAccount", "chartly-gateway", of=pod), "F76"),
    "docker-sock": (of_the_host("/var/run/docker.sock"), "E65"),
    "drop-net-raw-capability": (put("securityContext", "capabilities", {"drop": ["CHOWN"]}), "E73"),
    "duplicate-env-var": (both(env("TWICE", "1"), env("TWICE", "2")), "F83"),
    "env-var-secret": (env("CLIENT_SECRET", "abc"), "E67"),
    "host-ipc": (put("hostIPC", True, of=pod), "E68"),
    "host-network": (put("hostNetwork", True, of=pod), "E68"),
    "host-pid": (put("hostPID", True, of=pod), "E68"),
    "invalid-target-ports": (lambda objects: service(objects)["spec"]["ports"][0].update(targetPort="no_name!"), "G102"),
    "latest-tag": (put("image", "chartly:latest"), "P223"),
    "liveness-port": (put("livenessProbe", "httpGet", "port", 4711), "F91"),
    "mismatching-selector": (put("spec", "selector", "matchLabels", {"app": "other"}, of=workload), "F77"),
    "no-anti-affinity": (two_anywhere, "C48"),
    "no-extensions-v1beta": (put("apiVersion", "extensions/v1beta1", of=workload), SCHEMAS),
    "no-read-only-root-fs": (drop("securityContext", "readOnlyRootFilesystem"), "E64"),
    "non-existent-service-account": (put("serviceAccountName", "nobody", of=pod), "F76"),
    "pdb-max-unavailable": (put("spec", "maxUnavailable", 0, of=budget), "U284"),
    "pdb-min-available": (all_available, "U284"),
    "pdb-unhealthy-pod-eviction-policy": (drop("spec", "unhealthyPodEvictionPolicy", of=budget), "U284"),
    "privilege-escalation-container": (put("securityContext", "allowPrivilegeEscalation", True), "E72"),
    "privileged-container": (put("securityContext", "privileged", True), "E72"),
    "readiness-port": (put("readinessProbe", "httpGet", "port", "nowhere"), "F91"),
    "run-as-non-root": (anyone, "E62"),
    "sensitive-host-mounts": (of_the_host("/etc"), "E65"),
    "ssh-port": (lambda objects: container(objects)["ports"].append({"name": "ssh", "containerPort": 22}), "E73"),
    "startup-port": (put("startupProbe", "httpGet", "port", "nowhere"), "F91"),
    "unsafe-sysctls": (put("securityContext", "sysctls", [{"name": "kernel.msgmax", "value": "65536"}], of=pod), "E72"),
    "unset-cpu-requirements": (drop("resources", "requests", "cpu"), "F92"),
    "unset-memory-requirements": (drop("resources", "requests", "memory"), "F92"),
}


def faults(objects, finder):
    """What the finder says of the objects, as comparable texts."""
    text = yaml.safe_dump_all(objects)
    if finder == SCHEMAS:
        return set(schema_faults(text, "1.32"))
    return {str((each["object"], each["message"])) for each in lint(text, "--rule", finder)}


@pytest.mark.parametrize("check", CHECKS)
def test_E70_G107_what_kube_linter_looks_for_is_found(check):
    mutate, finder = CHECKS[check]
    objects = copy.deepcopy(raw())
    mutate(objects)
    assert faults(raw(), finder) == set()
    assert faults(objects, finder)


@pytest.mark.parametrize("environment", ["default", *ENVIRONMENTS])
def test_G107_kube_linter_itself_finds_nothing_where_it_is_installed(environment, tmp_path):
    program = find("kube-linter")
    if program is None:
        pytest.skip("kube-linter is not installed, and ./dev setup --deploy cannot get its module; its checks are tested one by one")
    file = tmp_path / "rendered.yaml"
    file.write_text(chart_text(environment))
    done = subprocess.run([program, "lint", file], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
