"""The chart and the raw manifests in a real API: what it takes, what a second apply does, and how versions follow each other."""

import concurrent.futures
import functools
import itertools
import random
import shutil
import time
import zlib

import pytest
import yaml

from api_rig import ApiError, Watch, available
from conftest import SET, objects_of
from rendering import CHART, RAW, VARIANTS, component, containers, ident, overlay_text, pod_spec, pods, template, workloads

UNITS = sorted(path.stem for path in (RAW / "2-services").glob("*.yaml"))
# The bound of the deployment contract; what a rollback takes here is seconds.
ROLLBACK_LIMIT = 120
QUICK = ["--set", "rollout.minReadySeconds=0"]
NAMESPACES = itertools.count()
BAD, MISSING = "chartly:v9.9.8", "chartly:v9.9.9"


@pytest.fixture
def namespace(rig, request):
    """A namespace that goes with the test; a second try has another, since the first may still be going."""
    name = rig.namespace(f"t{zlib.crc32(request.node.name.encode())}-{next(NAMESPACES)}")
    yield name
    rig.api.call("DELETE", f"/api/v1/namespaces/{name}")


def at_once(*calls):
    """What calls return that wait for something and share nothing, such as those of helm in namespaces of their own."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return [each.result() for each in [pool.submit(call) for call in calls]]


@pytest.fixture
def two_namespaces(rig, namespace):
    """A second one beside that of the test."""
    other = rig.namespace(f"{namespace}-b")
    yield namespace, other
    rig.api.call("DELETE", f"/api/v1/namespaces/{other}")


def install_both(rig, namespaces, *values):
    at_once(*(functools.partial(rig.helm, "install", "chartly", CHART, "--namespace", each, "--wait", "--timeout", "120s", *values)
              for each in namespaces))
    for each in namespaces:
        rig.settle(each)


def install(rig, namespace, *values, release="chartly"):
    rig.helm("install", release, CHART, "--namespace", namespace, "--wait", "--timeout", "120s", *values)
    rig.settle(namespace)


def upgrade(rig, namespace, *values, check=True, timeout="120s"):
    return rig.helm("upgrade", "chartly", CHART, "--namespace", namespace, "--wait", "--timeout", timeout, *values, check=check)


def generations(rig, namespace):
    """What was asked for, without what the controllers note down."""
    return {name: (each["metadata"]["uid"], each["metadata"].get("generation"), each.get("data"))
            for name, each in rig.objects(namespace).items()}


def contents(rig, namespace):
    return {name: (each.get("spec"), each.get("data")) for name, each in rig.objects(namespace).items()}


def versions(rig, namespace, but=None):
    """What any write would change, for all but one component."""
    return {name: (each["metadata"]["uid"], each["metadata"]["resourceVersion"])
            for name, each in rig.objects(namespace).items() if component(each) != but}


def uids(rig, namespace):
    return {each["metadata"]["name"]: each["metadata"]["uid"] for each in rig.pods(namespace)}


def write(path, objects):
    path.write_text(yaml.safe_dump_all(objects, sort_keys=False))
    return path


# --- what the API takes ---

@pytest.mark.parametrize("name", SET)
def test_U274_E62_the_server_takes_every_object_in_a_dry_run(rig, name, tmp_path):
    objects = objects_of(name)
    for wanted in {each["metadata"].get("namespace") for each in objects} - {None}:
        try:
            rig.namespace(wanted)
        except ApiError as error:
            assert error.code == 409
    # A workload whose pods `restricted` would refuse is a warning here.
    done = rig.kubectl("apply", "--dry-run=server", "--warnings-as-errors", "-f", write(tmp_path / "objects.yaml", objects))
    lines = done.stdout.splitlines()
    assert len(lines) == len(objects) and all(line.endswith("(server dry run)") for line in lines)


@pytest.mark.parametrize("fault", ["runAsNonRoot", "capabilities", "allowPrivilegeEscalation", "seccompProfile", "hostPath"])
def test_E70_the_server_refuses_a_pod_that_is_not_restricted(rig, namespace, fault):
    [spec] = [spec for where, spec in pods(objects_of("raw")) if where == "Deployment/chartly-observer"]
    pod = yaml.safe_load(yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "planted"}, "spec": spec}))
    pod["spec"].pop("serviceAccountName")
    path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
    if fault == "hostPath":
        pod["spec"]["volumes"].append({"name": "host", "hostPath": {"path": "/"}})
    rig.wait(lambda: accounts(rig, namespace), "the namespace to have its account")
    if fault != "hostPath":
        rig.api.call("POST", path, pod)
        pod["spec"]["securityContext"].pop(fault, None)
        for each in containers(pod["spec"]):
            each["securityContext"].pop(fault)
    with pytest.raises(ApiError, match="violates PodSecurity") as refused:
        rig.api.call("POST", path, pod)
    assert refused.value.code == 403 and ("volume" if fault == "hostPath" else fault) in str(refused.value)


def accounts(rig, namespace):
    return rig.api.items(f"/api/v1/namespaces/{namespace}/serviceaccounts")


@pytest.mark.parametrize("field", ["replicaz", "strategyy"])
def test_U274_the_server_refuses_a_field_that_it_does_not_know(rig, namespace, field, tmp_path):
    [each] = [each for each in objects_of("raw") if ident(each) == "Deployment/chartly-gateway"]
    bad = {**each, "metadata": {**each["metadata"], "namespace": namespace}, "spec": {**each["spec"], field: 1}}
    done = rig.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", write(tmp_path / "bad.yaml", [bad]), check=False)
    assert done.returncode != 0 and field in done.stderr


# --- the chart ---

@pytest.mark.parametrize("variant", ["default", "dev", "staging", "prod"])
def test_C37_E62_U275_the_chart_is_installed_and_a_second_time_changes_nothing(rig, namespace, variant):
    install(rig, namespace, *VARIANTS[variant])
    refused = [event["message"] for event in rig.api.items(f"/api/v1/namespaces/{namespace}/events")
               if event["reason"] in ("FailedCreate", "FailedUpdate")]
    assert refused == []
    before, running = generations(rig, namespace), uids(rig, namespace)
    assert len(running) >= len(UNITS)
    upgrade(rig, namespace, *VARIANTS[variant])
    rig.settle(namespace)
    assert generations(rig, namespace) == before and uids(rig, namespace) == running
    manifest = rig.helm("get", "manifest", "chartly", "--namespace", namespace).stdout
    rig.kubectl("diff", "-f", "-", input=manifest)
    # The pod of the release's test, and the policy beside it, are taken too.
    rig.helm("test", "chartly", "--namespace", namespace, "--timeout", "60s")


def test_C49_two_releases_do_not_meet(rig, namespace):
    other = rig.namespace(f"{namespace}-c")
    install(rig, namespace, *QUICK)
    before = generations(rig, namespace)
    install(rig, other, *QUICK, "-f", CHART / "values-dev.yaml")
    rig.helm("uninstall", "chartly", "--namespace", other, "--wait")
    assert generations(rig, namespace) == before and rig.settled(namespace)
    left = {name.split("/")[0] for name in rig.objects(other)}
    assert left == {"persistentvolumeclaims"}, "data goes with no release"
    rig.api.call("DELETE", f"/api/v1/namespaces/{other}")


def test_F86_what_is_applied_is_found_again_from_its_commit(rig, namespace):
    commit = "0123456789abcdef0123456789abcdef01234567"
    values = [*QUICK, "--set", f"commit={commit}"]
    install(rig, namespace, *values)
    unnamed = [name for name, each in rig.objects(namespace).items() if not name.startswith("persistentvolumeclaims")
               and each["metadata"].get("annotations", {}).get("chartly.io/commit") != commit]
    assert unnamed == []
    rendered = template("--no-hooks", *values, namespace=namespace).stdout
    rig.kubectl("diff", "-f", "-", input=rendered)
    # And what somebody changed by hand shows.
    rig.api.call("PATCH", f"/apis/apps/v1/namespaces/{namespace}/deployments/chartly-gateway",
                 {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 31}}}}, "application/merge-patch+json")
    done = rig.kubectl("diff", "-f", "-", input=rendered, check=False)
    assert done.returncode == 1 and "terminationGracePeriodSeconds: 31" in done.stdout


def test_B28_accounts_have_no_rights_in_the_cluster(rig, namespace):
    install(rig, namespace, *QUICK)
    user = rig.new_api()
    names = [each["metadata"]["name"] for each in accounts(rig, namespace) if each["metadata"]["name"] != "default"]
    assert len(names) == len(UNITS)

    def rights(name):
        listed = rig.kubectl("auth", "can-i", "--list", "--no-headers", "--namespace", namespace,
                             f"--as=system:serviceaccount:{namespace}:{name}").stdout
        return sorted(line.split()[0] + " " + line[line.rindex("["):] for line in listed.splitlines())
    # What every account of every cluster may, such as to ask who it is.
    least = rights("nobody")
    assert least and {tuple(rights(name)) for name in names} == {tuple(least)}
    for name in names:
        review = user.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": f"system:serviceaccount:{namespace}:{name}", "groups": ["system:serviceaccounts"],
                     "resourceAttributes": {"namespace": namespace, "verb": "get", "resource": "secrets"}}})
        assert review["status"]["allowed"] is False


# --- a node that is emptied ---

def evicts(rig, pod, only_asked=False):
    """Whether a budget lets the pod go."""
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/eviction"
    try:
        rig.api.call("POST", path, {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod["metadata"]["name"]},
                                    "deleteOptions": {"dryRun": ["All"] if only_asked else []}})
        return True
    except ApiError as error:
        assert error.code == 429, error
        return False


def unready(rig, namespace):
    """Pods that run, stay, and are not ready; one that goes already may always be evicted."""
    return [each for each in rig.pods(namespace, "gateway")
            if each["status"].get("phase") == "Running" and not available(each) and "deletionTimestamp" not in each["metadata"]]


def test_U284_of_healthy_pods_one_goes_at_a_time_and_broken_ones_hold_up_nobody(rig, namespace):
    install(rig, namespace, *QUICK, "--set", "gateway.replicas=2")
    first, second = rig.pods(namespace, "gateway")
    image = first["spec"]["containers"][0]["image"]
    budget = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/chartly-gateway"
    rig.wait(lambda: rig.api.get(budget)["status"]["disruptionsAllowed"] == 1, "the budget to see both pods")
    # What comes in their place does not become ready, as on a node that lacks what it needs.
    rig.kubelet.unready.add(image)
    try:
        assert evicts(rig, first) and not evicts(rig, second)
        rig.wait(lambda: len(unready(rig, namespace)) == 1, "a pod that is not ready")
        assert not evicts(rig, second)
        rig.api.call("DELETE", f"/api/v1/namespaces/{namespace}/pods/{second['metadata']['name']}")
        rig.wait(lambda: len(unready(rig, namespace)) == 2, "two pods that are not ready")
        rig.wait(lambda: rig.api.get(budget)["status"]["currentHealthy"] == 0, "the budget to see neither")
        broken = unready(rig, namespace)[0]
        assert evicts(rig, broken, only_asked=True)
        # What the budget would do if it did not say so.
        rig.api.call("PATCH", budget, {"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}}, "application/merge-patch+json")
        assert not evicts(rig, broken, only_asked=True)
    finally:
        rig.kubelet.unready.discard(image)


# --- versions that follow each other ---

def test_L155_a_rollout_never_has_fewer_than_wanted(rig, namespace):
    install(rig, namespace, *QUICK, "--set", "gateway.replicas=3")
    watch = Watch(rig, namespace, "app.kubernetes.io/component=gateway")
    assert watch.fewest == 3
    upgrade(rig, namespace, *QUICK, "--set", "gateway.replicas=3,image.tag=v0.1.1")
    rig.settle(namespace)
    assert {each["spec"]["containers"][0]["image"] for each in rig.pods(namespace)} == {"chartly:v0.1.1"}
    # All were replaced, one at a time.
    assert len(watch.names) == 6 and watch.fewest >= 3


def test_L150_U276_a_version_that_never_becomes_ready_leaves_the_old_one_serving(rig, namespace):
    values = [*QUICK, "--set", "gateway.replicas=3,observer.replicas=2,rollout.progressDeadlineSeconds=30"]
    install(rig, namespace, *values)
    first = contents(rig, namespace)
    serving = {each["metadata"]["uid"] for part in ("gateway", "observer") for each in rig.pods(namespace, part)}
    watch = Watch(rig, namespace, "app.kubernetes.io/component=gateway")
    rig.kubelet.unready.add(BAD)
    done = upgrade(rig, namespace, *values, "--set", f"image.tag={BAD.split(':')[1]}", check=False, timeout="20s")
    assert done.returncode != 0, "an upgrade that never became ready was called done"
    still = {each["metadata"]["uid"] for part in ("gateway", "observer") for each in rig.pods(namespace, part) if available(each)}
    assert still == serving and watch.fewest == 3
    rig.wait(lambda: stuck(rig, namespace, "chartly-gateway"), "the deployment to say that it does not progress", 60)
    # Nobody looks at readiness by hand: the service still points at the old pods, and at no new one.
    slices = rig.api.items(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
                           "?labelSelector=kubernetes.io/service-name=chartly-gateway")
    ready = {point["targetRef"]["uid"] for each in slices for point in each["endpoints"] or [] if point["conditions"]["ready"]}
    assert ready == {each["metadata"]["uid"] for each in rig.pods(namespace, "gateway") if available(each)} and len(ready) == 3
    begun = time.monotonic()
    rig.helm("rollback", "chartly", "1", "--namespace", namespace, "--wait", "--timeout", f"{ROLLBACK_LIMIT}s")
    rig.settle(namespace, ROLLBACK_LIMIT)
    took = time.monotonic() - begun
    print(f"rollback of {len(first)} objects: {took:.1f} s")
    assert took < ROLLBACK_LIMIT
    assert contents(rig, namespace) == first
    assert {each["metadata"]["uid"] for part in ("gateway", "observer") for each in rig.pods(namespace, part)} == serving


def stuck(rig, namespace, name):
    status = rig.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")["status"]
    return any(each["type"] == "Progressing" and each.get("reason") == "ProgressDeadlineExceeded" for each in status["conditions"])


def test_L150_an_image_that_cannot_be_had_stops_the_upgrade_before_it_touches_anything(rig, two_namespaces):
    values = [*QUICK, "--set", "preflight.deadlineSeconds=10"]
    install_both(rig, two_namespaces, *values)
    before, running = ([of(rig, each) for each in two_namespaces] for of in (generations, uids))
    rig.kubelet.broken.add(MISSING)
    tried = at_once(*(functools.partial(upgrade, rig, each, *way, *values, "--set", f"image.tag={MISSING.split(':')[1]}", check=False)
                      for each, way in zip(two_namespaces, ((), ("--atomic",)))))
    for done in tried:
        assert done.returncode != 0 and "pre-upgrade hooks failed" in done.stderr, done.stderr
    for each in two_namespaces:
        rig.settle(each)
    assert [generations(rig, each) for each in two_namespaces] == before and [uids(rig, each) for each in two_namespaces] == running
    namespace = two_namespaces[0]
    # The next version goes on as if nothing had been.
    upgrade(rig, namespace, *values, "--set", "image.tag=v0.1.1")
    rig.settle(namespace)
    assert {each["spec"]["containers"][0]["image"] for each in rig.pods(namespace)} == {"chartly:v0.1.1"}


def test_U276_every_rollback_to_a_version_gives_the_same_objects_within_the_bound(rig, namespace):
    install(rig, namespace, *QUICK)
    upgrade(rig, namespace, *QUICK, "--set", "image.tag=v0.1.1,logLevel=debug")
    rig.settle(namespace)
    seen, times = [], []
    for revision in ("1", "2", "1"):
        begun = time.monotonic()
        rig.helm("rollback", "chartly", revision, "--namespace", namespace, "--wait", "--timeout", f"{ROLLBACK_LIMIT}s")
        rig.settle(namespace, ROLLBACK_LIMIT)
        times.append(time.monotonic() - begun)
        seen.append(contents(rig, namespace))
    print("rollbacks took " + ", ".join(f"{each:.1f} s" for each in times))
    assert seen[0] == seen[2] != seen[1]
    assert max(times) < ROLLBACK_LIMIT


# --- backups ---

def test_S260_the_cron_job_makes_a_pod_that_may_run(rig, namespace):
    install(rig, namespace, *QUICK, "--set", "backup.enabled=true")
    [claim] = [each for name, each in rig.objects(namespace).items() if name == "persistentvolumeclaims/chartly-backup"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    rig.kubectl("create", "job", "now", "--from=cronjob/chartly-backup", "--namespace", namespace)
    rig.kubectl("wait", "--for=condition=complete", "job/now", "--namespace", namespace, "--timeout=60s")
    # Going back to no backups leaves those that there are.
    upgrade(rig, namespace, *QUICK)
    rig.settle(namespace)
    assert "persistentvolumeclaims/chartly-backup" in rig.objects(namespace)
    assert "cronjobs/chartly-backup" not in rig.objects(namespace)


def test_S264_a_restore_fills_the_claims_that_the_parts_then_use(rig, namespace):
    values = [*QUICK, "--set", "backup.enabled=true"]
    rig.helm("install", "chartly", CHART, "--namespace", namespace, "--wait", "--wait-for-jobs", "--timeout", "120s", *values,
             "--set", "backup.restore=20260131t090000z")
    assert rig.pods(namespace) == [], "a part runs while its data are restored"
    claims = {name: each["metadata"]["uid"] for name, each in rig.objects(namespace).items() if name.startswith("persistent")}
    jobs = rig.api.items(f"/apis/batch/v1/namespaces/{namespace}/jobs")
    assert {each["status"].get("succeeded") for each in jobs} == {1}
    written = {volume["persistentVolumeClaim"]["claimName"] for each in jobs for volume in each["spec"]["template"]["spec"]["volumes"]
               if volume["name"] == "data"}
    kept = {each["metadata"]["name"] for each in rig.api.items(f"/apis/apps/v1/namespaces/{namespace}/statefulsets")} - {"chartly-drone"}
    assert written == {f"data-{name}-0" for name in kept} and len(kept) == len(jobs)
    upgrade(rig, namespace, *values)
    rig.settle(namespace)
    after = {name: each["metadata"]["uid"] for name, each in rig.objects(namespace).items() if name.startswith("persistent")}
    assert claims.items() <= after.items(), "a claim that was restored into was made anew"
    used = {volume["persistentVolumeClaim"]["claimName"] for each in rig.pods(namespace) for volume in each["spec"]["volumes"]
            if "persistentVolumeClaim" in volume}
    assert written < used and len(rig.pods(namespace)) == len(UNITS)
    assert rig.api.items(f"/apis/batch/v1/namespaces/{namespace}/jobs") == []


# --- raw manifests ---

class Applied:
    """A copy of deploy/k8s for a namespace of its own, whose rollouts do not linger."""

    def __init__(self, folder, namespace):
        shutil.copytree(RAW, folder)
        self.folder, self.namespace = folder, namespace
        for path in folder.rglob("*.yaml"):
            text = path.read_text().replace("namespace: chartly\n", f"namespace: {namespace}\n")
            path.write_text(text.replace("  minReadySeconds: 5\n", ""))
        [path] = (folder / "1-namespaces").glob("*.yaml")
        path.write_text(path.read_text().replace("  name: chartly\n", f"  name: {namespace}\n", 1))


@pytest.fixture
def applied(rig, request, tmp_path):
    """Raw manifests that are applied and ready; their namespace goes with the test."""
    made = Applied(tmp_path / "k8s", f"raw-{zlib.crc32(request.node.name.encode())}")
    rig.kubectl("apply", "-R", "-f", made.folder)
    rig.settle(made.namespace)
    yield made
    rig.kubectl("delete", "namespace", made.namespace, "--ignore-not-found", "--wait=false")


def change(path, image):
    """Puts another image into the file of a unit."""
    objects = [each for each in yaml.safe_load_all(path.read_text()) if each]
    for each in workloads(objects):
        for container in containers(pod_spec(each)):
            container["image"] = image
    write(path, objects)


def test_C37_F87_F94_U275_raw_manifests_become_ready_and_a_second_time_change_nothing(rig, applied):
    before, running = versions(rig, applied.namespace), uids(rig, applied.namespace)
    assert len(running) == len(UNITS)
    again = rig.kubectl("apply", "-R", "-f", applied.folder).stdout.splitlines()
    assert len(again) == len(objects_of("raw"))
    # Of these two kinds kubectl sends a list as a whole, whether it changed or not; the server then finds nothing to do.
    whole = ("statefulset.apps/", "poddisruptionbudget.policy/")
    assert [line for line in again if not line.endswith(" unchanged") and not line.startswith(whole)] == []
    assert versions(rig, applied.namespace) == before and uids(rig, applied.namespace) == running
    rig.kubectl("diff", "-R", "-f", applied.folder)


def test_B28_B29_F81_each_unit_is_deployed_and_rolled_back_alone(rig, applied):
    order = UNITS[:]
    random.Random(7).shuffle(order)
    for unit in order:
        path = applied.folder / "2-services" / f"{unit}.yaml"
        text = path.read_text()
        others, pods_of_others = versions(rig, applied.namespace, unit), {k: v for k, v in uids(rig, applied.namespace).items() if f"-{unit}-" not in k}
        first = {each["metadata"]["uid"] for each in rig.pods(applied.namespace, unit)}
        change(path, "chartly:v0.1.1")
        rig.kubectl("apply", "-f", path)
        rig.settle(applied.namespace)
        second = {each["metadata"]["uid"] for each in rig.pods(applied.namespace, unit)}
        assert not first & second and {each["spec"]["containers"][0]["image"] for each in rig.pods(applied.namespace, unit)} == {"chartly:v0.1.1"}
        path.write_text(text)
        rig.kubectl("apply", "-f", path)
        rig.settle(applied.namespace)
        assert {each["spec"]["containers"][0]["image"] for each in rig.pods(applied.namespace, unit)} == {"chartly:v0.1.0"}
        assert versions(rig, applied.namespace, unit) == others, f"deploying {unit} changed another"
        assert {k: v for k, v in uids(rig, applied.namespace).items() if f"-{unit}-" not in k} == pods_of_others


def test_F88_a_rollback_of_raw_manifests_converges_however_far_the_apply_came(rig, applied, tmp_path):
    first = contents(rig, applied.namespace)
    units = sorted((applied.folder / "2-services").glob("*.yaml"))
    texts = {path: path.read_text() for path in units}
    for path in units:
        change(path, "chartly:v0.1.1")
    # An apply that ends in the middle: some units are new, some old.
    for path in units[:4]:
        rig.kubectl("apply", "-f", path)
    for path, text in texts.items():
        path.write_text(text)
    rig.kubectl("apply", "-R", "-f", applied.folder)
    rig.settle(applied.namespace)
    assert contents(rig, applied.namespace) == first
    rig.kubectl("diff", "-R", "-f", applied.folder)
    # The other way back: delete in reverse order. What is data stays until it is asked to go.
    for folder in ("3-monitoring", "2-services"):
        rig.kubectl("delete", "-f", applied.folder / folder, "--wait=false")
    rig.wait(lambda: not rig.pods(applied.namespace) and
             {name.split("/")[0] for name in rig.objects(applied.namespace)} == {"persistentvolumeclaims"}, "all to go but the data")
    rig.kubectl("delete", "-f", applied.folder / "1-namespaces", "--wait=false")
    assert rig.api.get(f"/api/v1/namespaces/{applied.namespace}")["metadata"]["deletionTimestamp"]


def quota_used(rig, namespace):
    return rig.api.items(f"/api/v1/namespaces/{namespace}/resourcequotas")[0]["status"]["used"]


def test_D60_a_tenant_lives_within_its_share(rig, tmp_path):
    path = tmp_path / "tenant.yaml"
    path.write_text(overlay_text("tenant"))
    rig.kubectl("delete", "namespace", "chartly-tenant-a", "--ignore-not-found", "--wait=true")
    rig.kubectl("apply", "-f", path)
    try:
        rig.settle("chartly-tenant-a")
        [quota] = rig.api.items("/api/v1/namespaces/chartly-tenant-a/resourcequotas")
        rig.wait(lambda: quota_used(rig, "chartly-tenant-a")["pods"] == str(len(UNITS)), "the quota to count the pods")
        assert quota_used(rig, "chartly-tenant-a")["services.nodeports"] == "0" and quota["spec"]["hard"]["pods"] == "40"
    finally:
        rig.kubectl("delete", "namespace", "chartly-tenant-a", "--wait=false")
