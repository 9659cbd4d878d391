"""What runs is what the repository of manifests says: in a real API, from the applications that are shipped, by a reconciler that
does what Argo CD does (gitops_site.py). And what happens where somebody changes something by hand."""

import json
import os
import re
import shutil
import time
import urllib.request

import pytest
import yaml

from api_rig import ApiError
from gitops_site import PRUNED, Reconciler, Site, commits, git, images, process, wait_for
from harness import ApiError as GatewayError
from harness import BIN, Cluster, cli
from rendering import ENVIRONMENTS, of_kind
from test_api_rig import contents
from test_release import Code, image
from tools import ROOT


@pytest.fixture(scope="module")
def site(rig, tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    for environment in ENVIRONMENTS:
        for part in ("", "-infrastructure", "-observability"):
            try:
                rig.api.call("DELETE", f"/api/v1/namespaces/chartly-{environment}{part}")
            except ApiError as error:
                assert error.code == 404


@pytest.fixture(scope="module")
def dev(rig, site):
    """dev, which the tests keep as the repository says."""
    made = Reconciler(rig, site, "dev")
    made.prepare()
    return made


@pytest.fixture(scope="module")
def prod(rig, site):
    """prod, which is synchronised when a test asks for it. Its comparison is due every minute."""
    path = site.work / "deploy/drift/drift.yaml"
    site.reset()
    path.write_text(path.read_text().replace('"*/5 * * * *"', '"* * * * *"'))
    site.commit("feat: compare more often")
    site.push()
    made = Reconciler(rig, site, "prod")
    made.prepare()
    made.sync()
    rig.settle(made.namespace)
    return made


def converged(rig, reconciler, commit):
    return reconciler.synced == commit and commits(rig, reconciler.namespace) == {commit} and rig.settled(reconciler.namespace)


def ship(site, environment, letter, tag, subject):
    site.put(environment, image(letter), tag)
    site.commit(subject)
    return site.push()


# --- dev: git is the source ---

def test_I121_I136_a_cluster_converges_on_the_commit_that_is_pushed(rig, site, dev):
    seen = {}
    with dev.keep():
        for letter, tag, subject in (("a", "v0.1.1", "feat: one"), ("b", "v0.1.2", "feat: two"),
                                     ("a", "v0.1.1", "fix: Rollback dev to v0.1.1 due to errors")):
            commit, looks = ship(site, "dev", letter, tag, subject), dev.looks
            wait_for(rig, lambda: converged(rig, dev, commit), f"dev to converge on {commit}", 300)
            # Within one interval: but for a look that was under way, the next one after the push brings it.
            assert dev.applied[looks:].index(commit) <= 1
            assert images(rig, dev.namespace) == {f"chartly:{tag}@{image(letter)}"}
            seen.setdefault(letter, []).append(contents(rig, dev.namespace))
        # Back is a commit, and gives the objects that were there the first time.
        assert seen["a"][0] == seen["a"][1] != seen["b"][0]
        # What is not taken into the repository does not reach the cluster.
        site.put("dev", image("c"))
        site.commit("feat: not reviewed", reviewer=None)
        assert site.try_push().returncode != 0
        site.reset()
        looks = dev.looks
        wait_for(rig, lambda: dev.looks > looks + 1, "another whole look at the repository")
    assert images(rig, dev.namespace) == {f"chartly:v0.1.1@{image('a')}"}


def at_head(rig, site, dev):
    dev.sync()
    rig.settle(dev.namespace)
    assert commits(rig, dev.namespace) == {site.head()}


def test_I124_what_is_changed_by_hand_in_dev_is_mended_from_git(rig, site, dev):
    at_head(rig, site, dev)
    before = contents(rig, dev.namespace)
    gateway = f"/apis/apps/v1/namespaces/{dev.namespace}/deployments/chartly-gateway"
    rig.api.call("PATCH", f"{gateway}?fieldManager=kubectl-edit", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 77}}}},
                 "application/merge-patch+json")
    rig.api.call("DELETE", f"/api/v1/namespaces/{dev.namespace}/services/chartly-registry")
    labels = {"app.kubernetes.io/name": "chartly", "app.kubernetes.io/component": "by-hand"}
    rig.api.call("POST", f"/api/v1/namespaces/{dev.namespace}/configmaps",
                 {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "by-hand", "labels": labels}, "data": {"a": "b"}})

    def mended():
        now = contents(rig, dev.namespace)
        return set(now) == set(before) and now["deployments/chartly-gateway"] == before["deployments/chartly-gateway"]
    assert not mended()
    with dev.keep():
        wait_for(rig, mended, "what was changed by hand to be as declared")
    rig.settle(dev.namespace)


def test_S263_manifests_are_restored_from_git(rig, site, dev):
    at_head(rig, site, dev)

    def without_addresses(objects):
        """Services get an address each time they are made."""
        return {name: ({key: value for key, value in (spec or {}).items() if not key.startswith("clusterIP")}, data)
                for name, (spec, data) in objects.items() if not name.startswith("persistentvolumeclaims")}
    before = without_addresses(contents(rig, dev.namespace))
    kinds = ",".join(PRUNED)
    rig.kubectl("delete", kinds, "--namespace", dev.namespace, "--selector=app.kubernetes.io/name=chartly", "--wait=false")
    wait_for(rig, lambda: not without_addresses(contents(rig, dev.namespace)) and not rig.pods(dev.namespace), "everything to be gone")
    at_head(rig, site, dev)
    assert without_addresses(contents(rig, dev.namespace)) == before


# --- a version, all the way ---

@pytest.fixture
def ledger(tmp_path):
    if not (BIN / "chartly-control").exists():
        pytest.skip("chartly-control is not built; ./dev build")
    folder = tmp_path / "ledger"
    folder.mkdir()
    made = Cluster(folder)
    yield made
    made.close()


def test_I137_I139_K144_a_version_goes_from_its_tag_to_the_cluster(rig, site, dev, ledger, tmp_path):
    code = Code(tmp_path)
    commit = code.bump("9.9.10")
    # Nothing goes before what comes before it.
    assert "it is built first" in code.promote(site, "dev", "v9.9.10").stderr
    done = code.release()
    assert done.returncode == 0, done.stderr
    digest = code.published()["v9.9.10"]
    assert code.promote(site, "staging", "v9.9.10").returncode == 0
    git("checkout", "--quiet", "main", cwd=site.work)
    git("merge", "--quiet", "--ff-only", "promote/staging-v9.9.10", cwd=site.work)
    git("commit", "--quiet", "--amend", "--no-edit", "--trailer", "Reviewed-by: Rae <rae@example.org>", cwd=site.work)
    done = site.try_push()
    assert done.returncode != 0 and "dev does not run it" in done.stderr
    site.reset()
    env = {"CHARTLY_URL": ledger.url, "CHARTLY_KEY_FILE": str(ledger.key_file)}
    opened = cli("deployment", "open", "--release", "9.9.10", "--env", "dev", "--provenance", code.statement("9.9.10"), "--output", "json", env=env)
    assert opened.returncode == 0, opened.stderr
    assert code.promote(site, "dev", "v9.9.10").returncode == 0
    merged = site.merge("promote/dev-v9.9.10")
    dev.sync()
    rig.settle(dev.namespace)
    # From a pod to its digest, its deployment and the commit of the code; and from its objects to the commit of the manifests.
    [running] = images(rig, dev.namespace)
    assert running == f"chartly:v9.9.10@{digest}"
    [found] = [each for each in ledger.get("/api/deployments")["deployments"] if each["image_digest"] == running.split("@")[1]]
    assert found["commit"] == commit and found["environment"] == "dev" and found["builder"] == "https://ci.example.org/chartly"
    assert git("cat-file", "-t", found["commit"], cwd=code.folder).stdout.strip() == "commit"
    assert git("tag", "--points-at", found["commit"], cwd=code.folder).stdout.strip() == "v9.9.10"
    assert commits(rig, dev.namespace) == {merged}
    # The smoke test asks what is there: another version than the one that was deployed does not pass for it.
    number = found["name"].split("/")[1]
    done = cli("deployment", "conclude", number, "--smoke", ledger.url, "--handed-to", "the watch", env=env)
    assert done.returncode == 1 and "not ok with 9.9.10" in done.stderr
    assert ledger.get(f"/api/deployments/{number}")["state"] == "active"


# --- prod: nobody writes by hand ---

def policy(rig):
    """The policy that is shipped, and the user of this rig's controllers beside those of a cluster."""
    objects = list(yaml.safe_load_all((ROOT / "deploy/gitops/by-git-only.yaml").read_text()))
    [names] = of_kind(objects, "ConfigMap")
    names["data"]["users"] += "\nrig"
    rig.kubectl("apply", "--filename=-", input=yaml.safe_dump_all(objects))


@pytest.fixture
def by_git_only(rig, prod, dev):
    for reconciler in (prod, dev):
        rig.kubectl("create", "rolebinding", "hands", "--clusterrole=cluster-admin", "--user=alice", "--namespace", reconciler.namespace)
    policy(rig)
    wait_for(rig, lambda: "not by hand" in by_hand(rig, prod.namespace, "create", "configmap", "probe", "--dry-run=server").stderr, "the policy to hold")
    yield
    rig.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "chartly-by-git-only")
    for reconciler in (prod, dev):
        rig.kubectl("delete", "rolebinding", "hands", "--namespace", reconciler.namespace, "--ignore-not-found")


def by_hand(rig, namespace, *arguments, **options):
    """What somebody may do whose rights in the namespace are all that there are."""
    return rig.kubectl(*arguments, "--namespace", namespace, "--as=alice", check=False, **options)


def test_I123_F85_P226_P227_P232_nothing_in_prod_is_changed_by_hand(rig, site, prod, dev, by_git_only, tmp_path):
    pod = rig.pods(prod.namespace, "gateway")[0]["metadata"]["name"]
    raw = tmp_path / "raw.yaml"
    _, text = prod.declared()
    raw.write_text(text.replace("replicas: 2", "replicas: 3"))
    ways = [
        ("edit", "patch", "deployment/chartly-gateway", "--type=merge", "--patch", '{"spec":{"replicas":9}}'),
        ("image", "set", "image", "deployment/chartly-gateway", "gateway=chartly:v6.6.6"),
        ("restart", "rollout", "restart", "statefulset/chartly-registry"),
        ("scale", "scale", "deployment/chartly-gateway", "--replicas=0"),
        ("delete", "delete", f"pod/{pod}", "--wait=false"),
        ("label", "label", "service/chartly-gateway", "by=hand"),
        ("make", "create", "configmap", "by-hand", "--from-literal=a=b"),
        ("apply", "apply", "--server-side", "--force-conflicts", "--filename", raw),
    ]
    before = {name: each["metadata"]["generation"] for name, each in rig.objects(prod.namespace).items() if "generation" in each["metadata"]}
    told = {}
    for name, *way in ways:
        done = by_hand(rig, prod.namespace, *way)
        told[name] = "prod is changed by a commit, not by hand: alice may not" in done.stderr or done.stderr
    assert set(told.values()) == {True}, told
    assert {name: each["metadata"]["generation"] for name, each in rig.objects(prod.namespace).items() if "generation" in each["metadata"]} == before
    assert rig.settled(prod.namespace) and pod in {each["metadata"]["name"] for each in rig.pods(prod.namespace)}
    # Reading stays, elsewhere hands do, and what git says comes in: its pods are made by the cluster itself.
    assert by_hand(rig, prod.namespace, "get", "pods").returncode == 0
    assert by_hand(rig, dev.namespace, "create", "configmap", "by-hand", "--from-literal=a=b", "--dry-run=server").returncode == 0
    for environment in ENVIRONMENTS:
        commit = ship(site, environment, "d", "v9.9.11", f"feat: {environment} gets another image")
    prod.sync()
    rig.settle(prod.namespace)
    assert commits(rig, prod.namespace) == {commit}
    assert images(rig, prod.namespace) == {f"chartly:v9.9.11@{image('d')}"}


# --- drift ---

class Looker:
    """The pod that compares prod with its commit, as its CronJob makes it: its scripts, its command, its account."""

    def __init__(self, rig, site, prod, gateway, key, folder):
        self.rig, self.folder, namespace = rig, folder, prod.namespace
        job = rig.api.get(f"/apis/batch/v1/namespaces/{namespace}/cronjobs/chartly-drift")
        spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        [container] = spec["containers"]
        volumes = {each["name"]: each for each in spec["volumes"]}
        scripts = rig.api.get(f"/api/v1/namespaces/{namespace}/configmaps/{volumes['scripts']['configMap']['name']}")["data"]
        for name, text in scripts.items():
            (folder / name).write_text(text)
        (folder / "key").write_text(key + "\n")
        token = rig.kubectl("create", "token", spec["serviceAccountName"], "--namespace", namespace).stdout.strip()
        config = json.loads((rig.folder / "kubeconfig").read_text())
        config["users"][0]["user"] = {"token": token}
        (folder / "kubeconfig").write_text(json.dumps(config))
        tools = folder / "bin"
        tools.mkdir()
        (tools / "kubectl").write_text(f"#!/bin/sh\nexec {' '.join(rig.programs['kubectl'])} \"$@\"\n")
        (tools / "kubectl").chmod(0o755)
        (tools / "helm").symlink_to(rig.helm_program)
        values = {each["name"]: each.get("value") for each in container["env"]}
        assert values["ENVIRONMENT"] == "prod"
        values |= {"NAMESPACE": namespace, "REPOSITORY": str(site.bare), "LEDGER": gateway}
        mounts = {"/opt/chartly": folder, "/etc/chartly/key": folder}
        self.command = []
        for word in container["command"] + container["args"]:
            word = re.sub(r"\$\((\w+)\)", lambda match: values[match.group(1)], word)
            for there, here in mounts.items():
                word = word.replace(there, str(here))
            self.command.append(word)
        self.env = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(folder), "KUBECONFIG": str(folder / "kubeconfig")}

    def look(self):
        done = process(self.command, env=self.env)
        assert done.returncode == 0, done.stderr + done.stdout
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def looker(rig, site, prod, ledger, tmp_path):
    rig.settle(prod.namespace)
    key = ledger.post("/api/keys", {"key_id": "drift", "role": "operator"})["secret"]
    folder = tmp_path / "looker"
    folder.mkdir()
    return Looker(rig, site, prod, ledger.url, key, folder)


def environment_of(ledger, name="prod"):
    [found] = [each for each in ledger.get("/api/environments")["environments"] if each["name"] == f"environments/{name}"]
    return found


def gauge(ledger, name, environment="prod"):
    with urllib.request.urlopen(f"http://127.0.0.1:{ledger.admin['gateway']}/metrics", timeout=10) as response:
        [value] = re.findall(rf'^{name}{{environment="{environment}"}} (\S+)$', response.read().decode(), re.M)
    return float(value)


def drift_events(ledger):
    events = ledger.call("GET", "/api/audit/events?page_size=1000", key=ledger.key)["events"]
    return [each for each in reversed(events) if each["action"].startswith("ReleasesService.Drift")]


RELEASE = {"release_version": "1.0.0", "commit": "c" * 40, "image_digest": image("e"), "builder": "https://ci.example.org/chartly"}


def open_in_prod(ledger):
    """The state of a new deployment, or why there is none."""
    try:
        return ledger.post("/api/deployments", {**RELEASE, "environment": "prod"})["state"]
    except GatewayError as error:
        assert error.status in (400, 412), error
        return error.error["reason"]


def promote_to_staging(ledger):
    for environment in ("dev", "staging"):
        opened = ledger.post("/api/deployments", {**RELEASE, "environment": environment})
        ledger.post(f"/api/{opened['name']}:conclude", {"smoke_evidence": "run 7", "handed_to": "the watch"})


def touch(site, prod, text):
    """A commit that changes what runs in prod no further than that it is another commit, and its synchronisation."""
    (site.work / "README.md").write_text(text)
    site.commit(f"docs: {text}")
    commit = site.push()
    prod.sync()
    return commit


def wait_second(rig):
    """Until the clock shows another second: what was written when is known to the second."""
    begun = int(time.time())
    wait_for(rig, lambda: int(time.time()) > begun, "the next second")


def test_M166_M168_M169_M171_M172_M173_M174_drift_in_prod_is_found_told_and_blocks_until_a_commit_takes_it_back(rig, site, prod, ledger, looker):
    promote_to_staging(ledger)
    assert looker.look() == []
    found = environment_of(ledger)
    assert found["checked_commit"] == site.head() and found.get("drift_count", 0) == 0
    assert gauge(ledger, "chartly_drift_findings") == 0 and abs(gauge(ledger, "chartly_drift_checked_seconds") - time.time()) < 60
    # Somebody edits one object and leaves another behind.
    gateway = f"/apis/apps/v1/namespaces/{prod.namespace}/deployments/chartly-gateway?fieldManager=kubectl-edit"
    grace = rig.api.get(gateway.split("?")[0])["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]

    def edit(seconds):
        rig.api.call("PATCH", gateway, {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": seconds}}}}, "application/merge-patch+json")
    edit(grace + 1)
    rig.kubectl("create", "configmap", "by-hand", "--from-literal=a=b", "--namespace", prod.namespace)
    kinds = {(each["drift"], each["object"]) for each in looker.look()}
    assert kinds == {("changed", "Deployment/chartly-gateway"), ("written", "Deployment/chartly-gateway"), ("unmanaged", "ConfigMap/by-hand")}
    found = environment_of(ledger)
    assert {(each["kind"], each["object"]) for each in found["drift"]} == kinds and found["drift_commit"] == site.head()
    [who] = [each["detail"] for each in found["drift"] if each["kind"] == "written"]
    assert "kubectl-edit" in who and "terminationGracePeriodSeconds" in who
    assert gauge(ledger, "chartly_drift_findings") == 3
    assert open_in_prod(ledger) == "DRIFT_OPEN"
    listed = ledger.cli("deployment", "environments").stdout
    assert re.search(r"^prod +3 ", listed, re.M), listed
    # The same again is no news.
    looker.look()
    assert [each["action"].split(".Drift")[1] for each in drift_events(ledger)] == ["Found"]
    # Put right by hand it is as declared, and still nobody's commit.
    wait_second(rig)
    edit(grace)
    rig.kubectl("delete", "configmap", "by-hand", "--namespace", prod.namespace)
    assert [(each["drift"], each["object"]) for each in looker.look()] == [("written", "Deployment/chartly-gateway")]
    # The same commit applied again is no new one: what it was drift of was put right by hand.
    wait_second(rig)
    prod.sync()
    assert looker.look() == [] and environment_of(ledger)["mended_by_hand"] and open_in_prod(ledger) == "DRIFT_OPEN"
    # Another one that is applied says what is to be.
    commit = touch(site, prod, "what the watch put right by hand is as it is declared")
    assert looker.look() == []
    assert environment_of(ledger).get("drift_count", 0) == 0 and gauge(ledger, "chartly_drift_findings") == 0
    assert open_in_prod(ledger) == "pending"
    events = drift_events(ledger)
    assert [each["action"].split(".Drift")[1] for each in events] == ["Found", "Changed", "MendedByHand", "Closed"]
    assert all(each["actor"] == "keys/drift" and each["subject"] == "environments/prod" for each in events)
    assert "kubectl-edit" in events[0]["detail"] and commit in events[3]["detail"]


def test_M173_M174_what_is_gone_without_a_commit_was_mended_by_hand_and_stays_open(rig, site, prod, ledger, looker):
    promote_to_staging(ledger)
    rig.kubectl("create", "serviceaccount", "by-hand", "--namespace", prod.namespace)
    assert [each["drift"] for each in looker.look()] == ["unmanaged"]
    rig.kubectl("delete", "serviceaccount", "by-hand", "--namespace", prod.namespace)
    assert looker.look() == []
    found = environment_of(ledger)
    assert found["mended_by_hand"] and found["drift_count"] == 1 and open_in_prod(ledger) == "DRIFT_OPEN"
    assert re.search(r"^prod +1, mended by hand ", ledger.cli("deployment", "environments").stdout, re.M)
    touch(site, prod, "an account that was made by hand is not needed")
    assert looker.look() == [] and environment_of(ledger).get("drift_count", 0) == 0
    assert open_in_prod(ledger) == "pending"
    assert [each["action"].split(".Drift")[1] for each in drift_events(ledger)] == ["Found", "MendedByHand", "Closed"]


def test_M167_environments_are_compared_by_schedule_by_an_account_that_only_reads(rig, site, prod, looker):
    for environment in ENVIRONMENTS:
        _, text = Reconciler(rig, site, environment).declared()
        [job] = [each for each in yaml.safe_load_all(text) if each and each["kind"] == "CronJob"]
        [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        assert {each["name"]: each.get("value") for each in container["env"]}["ENVIRONMENT"] == environment
        assert job["metadata"]["namespace"] == f"chartly-{environment}"
    # The CronJob that is shipped looks every five minutes; here it is due each minute, and its pods may run.
    shipped = yaml.safe_load_all((ROOT / "deploy/drift/drift.yaml").read_text())
    [job] = [each for each in shipped if each["kind"] == "CronJob"]
    assert job["spec"]["schedule"] == "*/5 * * * *" and job["spec"]["concurrencyPolicy"] == "Forbid"
    path = f"/apis/batch/v1/namespaces/{prod.namespace}/cronjobs/chartly-drift"
    wait_for(rig, lambda: rig.api.get(path).get("status", {}).get("lastSuccessfulTime"), "a comparison that was due to have run")

    def may(verb, kind):
        resource, _, group = kind.partition(".")
        review = rig.api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": f"system:serviceaccount:{prod.namespace}:chartly-drift", "groups": ["system:serviceaccounts", "system:authenticated"],
                     "resourceAttributes": {"namespace": prod.namespace, "verb": verb, "resource": resource, "group": group}}})
        return review["status"]["allowed"]
    assert may("list", "deployments.apps") and may("get", "configmaps")
    assert not any(may(verb, kind) for verb in ("create", "patch", "update", "delete", "deletecollection")
                   for kind in ("deployments.apps", "pods", "configmaps", "services", "roles.rbac.authorization.k8s.io"))
    assert not may("get", "secrets") and not may("list", "secrets")


def test_M170_a_comparison_that_cannot_be_made_is_no_drift_and_no_all_clear(rig, site, ledger, looker):
    looker.look()
    before = environment_of(ledger)
    shutil.move(site.bare, f"{site.bare}.away")
    try:
        done = process(looker.command, env=looker.env)
    finally:
        shutil.move(f"{site.bare}.away", site.bare)
    assert done.returncode == 2 and "git" in done.stderr
    (looker.folder / "key").write_text("not-a-key\n")
    done = process(looker.command, env=looker.env)
    assert done.returncode == 2 and "refused with 401" in done.stderr
    assert environment_of(ledger) == before
