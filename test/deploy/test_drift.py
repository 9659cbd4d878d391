"""deploy/drift/drift.py in a real API: it finds what somebody changed by hand, and nothing else."""

import json
import random
import subprocess
import sys

import pytest

from rendering import CHART, ROOT, load, template
from test_api_rig import QUICK, write

VALUES = [*QUICK, "--set", "gateway.autoscaling.enabled=true,networkPolicy.defaultDeny=true,backup.enabled=true"]


@pytest.fixture(scope="module")
def release(rig, tmp_path_factory):
    """An installed release, and what compares it with its source. Each test changes objects that no other looks at."""
    name = rig.namespace("drift")
    rig.helm("install", "chartly", CHART, "--namespace", name, "--wait", "--timeout", "120s", *VALUES)
    rig.settle(name)
    rendered = write(tmp_path_factory.mktemp("drift") / "rendered.yaml", load(template(*VALUES, namespace=name).stdout))

    def compare(*kinds_and_names):
        """What is found about some objects."""
        done = run_drift(rig, name, rendered)
        assert done.returncode in (0, 1), done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert bool(found) == (done.returncode == 1)
        return [each for each in found if each["object"] in kinds_and_names or not kinds_and_names]
    compare.namespace = name
    yield compare
    rig.api.call("DELETE", f"/api/v1/namespaces/{name}")


def run_drift(rig, namespace, source):
    return subprocess.run([sys.executable, ROOT / "deploy/drift/drift.py", "--namespace", namespace, "--kubectl",
                           " ".join(rig.programs["kubectl"]), source], capture_output=True, text=True, env=rig.env, timeout=120)


def patch(rig, release, kind, name, body, manager="kubectl-edit"):
    path = f"/apis/apps/v1/namespaces/{release.namespace}/{kind}/{name}?fieldManager={manager}"
    rig.api.call("PATCH", path, body, "application/merge-patch+json")


def test_M170_nothing_is_found_where_nothing_was_changed(rig, release):
    # What an autoscaler does is no drift.
    rig.wait(lambda: rig.api.get(f"/apis/apps/v1/namespaces/{release.namespace}/deployments/chartly-gateway")["spec"]["replicas"] == 2,
             "the autoscaler to take the replicas over")
    rig.settle(release.namespace)
    assert release() == []


def test_M168_objects_that_nobody_declared_are_found(rig, release):
    # A pod without an owner, and two objects more; and one that is gone.
    [pod] = [each for each in load(template(*VALUES, namespace=release.namespace).stdout)
             if each["kind"] == "Pod" and each["metadata"]["name"].endswith("-smoke")]
    pod["metadata"] = {"name": "stray", "namespace": release.namespace}
    rig.api.call("POST", f"/api/v1/namespaces/{release.namespace}/pods", pod)
    rig.kubectl("create", "configmap", "by-hand", "--from-literal=a=b", "--namespace", release.namespace)
    rig.kubectl("create", "serviceaccount", "more", "--namespace", release.namespace)
    rig.kubectl("delete", "service/chartly-drone-admin", "--namespace", release.namespace)
    assert {(each["drift"], each["object"]) for each in release()} == {
        ("unmanaged", "Pod/stray"), ("unmanaged", "ConfigMap/by-hand"), ("unmanaged", "ServiceAccount/more"),
        ("missing", "Service/chartly-drone-admin")}


def test_M169_M174_edits_by_hand_are_found_with_who_wrote_which_field(rig, release):
    patch(rig, release, "statefulsets", "chartly-registry", {"spec": {"minReadySeconds": 7}})
    registry, observer = "StatefulSet/chartly-registry", "Deployment/chartly-observer"
    found = release(registry)
    assert {(each["drift"], each["object"]) for each in found} == {("changed", "StatefulSet/chartly-registry"), ("written", "StatefulSet/chartly-registry")}
    [write_] = [each for each in found if each["drift"] == "written"]
    assert write_["manager"] == "kubectl-edit" and write_["fields"] == ["spec.minReadySeconds"] and write_["time"]
    assert any("minReadySeconds: 7" in line for each in found if each["drift"] == "changed" for line in each["lines"])
    # Put right by hand, it is what it should be, and still not from the source.
    patch(rig, release, "statefulsets", "chartly-registry", {"spec": {"minReadySeconds": 0}})
    # A label that nobody declared is no difference to what is declared; that it was written shows.
    patch(rig, release, "deployments", "chartly-observer", {"metadata": {"labels": {"owner": "me"}}}, "kubectl-label")
    found = release(registry, observer)
    assert [(each["drift"], each["manager"]) for each in found if each["object"] == observer] == [("written", "kubectl-label")]
    assert {each["drift"] for each in found if each["object"] == registry} <= {"written"}


FIELDS = [("revisionHistoryLimit", 3), ("minReadySeconds", 9), ("template.spec.terminationGracePeriodSeconds", 44),
          ("template.spec.containers", None), ("template.metadata.annotations", {"kubectl.kubernetes.io/restartedAt": "now"})]


def test_M170_any_field_that_somebody_mutates_is_found(rig, release):
    sets = ["aggregator", "coordinator", "reporter", "auth", "audit"]
    random.Random(11).shuffle(sets)
    for (field, value), part in zip(FIELDS, sets):
        if value is None:
            spec = rig.api.get(f"/apis/apps/v1/namespaces/{release.namespace}/statefulsets/chartly-{part}")["spec"]
            value = spec["template"]["spec"]["containers"]
            value[0]["image"] = "chartly:v6.6.6"
        for name in reversed(["spec", *field.split(".")]):
            value = {name: value}
        patch(rig, release, "statefulsets", f"chartly-{part}", value, "somebody")
    found = release(*(f"StatefulSet/chartly-{part}" for part in sets))
    assert {each["object"] for each in found if each["drift"] == "written"} == {f"StatefulSet/chartly-{part}" for part in sets}
    # What was not declared at all, such as an annotation, is no difference: it is only seen as written.
    differ = dict(zip(sets, FIELDS))
    assert {each["object"] for each in found if each["drift"] == "changed"} == {
        f"StatefulSet/chartly-{part}" for part, (field, _) in differ.items() if "annotations" not in field}


def test_M169_a_source_that_is_not_there_is_no_drift_but_a_failure(rig, release, tmp_path):
    done = run_drift(rig, release.namespace, tmp_path / "absent.yaml")
    assert done.returncode == 2 and "absent.yaml" in done.stderr
