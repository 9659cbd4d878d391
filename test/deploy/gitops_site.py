"""Two repositories as a site has them, one of code and one of manifests, and a reconciler that does with the second what Argo
CD does: it renders the applications of a commit, applies them on the server as their owner, and prunes."""

import contextlib
import re
import shutil
import subprocess
import sys
import threading
import time

import yaml

from api_rig import ApiError
from rendering import ROOT
from tools import run

sys.path.insert(0, str(ROOT / "deploy/drift"))
import declared  # noqa: E402

CONTROLLER = "system:serviceaccount:argocd:argocd-application-controller"
PRUNED = ["deployments.apps", "statefulsets.apps", "cronjobs.batch", "services", "configmaps", "serviceaccounts",
          "networkpolicies.networking.k8s.io", "ingresses.networking.k8s.io", "poddisruptionbudgets.policy",
          "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"]
# Rollouts of the tests need not linger.
QUICK = "\nrollout:\n  minReadySeconds: 0\n"


def git(*arguments, cwd, check=True, name="Ada Author", mail="ada@example.org"):
    return run("git", "-c", f"user.name={name}", "-c", f"user.email={mail}", *arguments, cwd=cwd, check=check)


class Repository:
    """A bare repository with the hook of the server, and a checkout."""

    def __init__(self, folder, fill):
        self.bare, self.work = folder / "repository.git", folder / "work"
        run("git", "init", "--quiet", "--bare", "--initial-branch=main", self.bare)
        run("git", "init", "--quiet", "--initial-branch=main", self.work)
        git("remote", "add", "origin", self.bare, cwd=self.work)
        fill(self.work)
        git("add", "--all", cwd=self.work)
        git("commit", "--quiet", "--message", "feat: begin", cwd=self.work)
        git("push", "--quiet", "origin", "main", cwd=self.work)

    def head(self):
        return git("rev-parse", "HEAD", cwd=self.work).stdout.strip()

    def commit(self, message, reviewer="Rae Reviewer <rae@example.org>"):
        """What is changed in the checkout, as a reviewed commit on main."""
        git("add", "--all", cwd=self.work)
        trailer = f"\n\nReviewed-by: {reviewer}" if reviewer else ""
        git("commit", "--quiet", "--message", message + trailer, cwd=self.work)
        return self.head()

    def merge(self, branch, reviewer="Rae Reviewer <rae@example.org>"):
        """The one commit of a branch, reviewed, onto main."""
        git("checkout", "--quiet", "main", cwd=self.work)
        git("merge", "--quiet", "--ff-only", branch, cwd=self.work)
        git("commit", "--quiet", "--amend", "--no-edit", "--trailer", f"Reviewed-by: {reviewer}", cwd=self.work)
        return self.push()

    def push(self, *more):
        done = self.try_push(*more)
        assert done.returncode == 0, done.stderr
        return self.head()

    def try_push(self, *more):
        return git("push", *more, "origin", "main", cwd=self.work, check=False)

    def reset(self):
        """The checkout as the server has it."""
        git("fetch", "--quiet", "origin", cwd=self.work)
        git("checkout", "--quiet", "--force", "-B", "main", "origin/main", cwd=self.work)
        git("clean", "--quiet", "--force", "-d", cwd=self.work)


def manifests(folder):
    """What the repository of manifests holds."""
    ignore = shutil.ignore_patterns("__pycache__", "health.yaml")
    for part in ("charts/chartly", "charts/infrastructure", "deploy/argocd", "deploy/drift"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    for environment in ("dev", "staging", "prod"):
        path = folder / f"charts/chartly/values-{environment}.yaml"
        text = path.read_text()
        path.write_text(text + QUICK if "\nrollout:" not in text else re.sub(r"\nrollout:.*?\n(?=\S|\Z)", QUICK, text, flags=re.S))


class Site(Repository):
    def __init__(self, folder):
        super().__init__(folder, manifests)
        hook = self.bare / "hooks/pre-receive"
        shutil.copy2(ROOT / "deploy/gitops/pre-receive", hook)

    def application(self, environment):
        return self.work / f"deploy/argocd/{environment}/03-backend/apps.yaml"

    def put(self, environment, digest, tag="v0.1.1"):
        """Names an image in an environment, without the tool."""
        for path, indent in ((self.application(environment), "          value: "),):
            text = re.sub(r"(- name: image.digest\n\s+value: )\S*", rf"\g<1>{digest}", path.read_text())
            path.write_text(re.sub(r"(- name: image.tag\n\s+value: )\S*", rf"\g<1>{tag}", text))

    def digest(self, environment):
        return re.search(r"- name: image.digest\n\s+value: (\S+)", self.application(environment).read_text()).group(1)


class Reconciler:
    """One environment. `sync` is what a person asks for in prod; `with keep()` it looks each interval, as in dev and staging."""

    def __init__(self, rig, site, environment, interval=0.5):
        self.rig, self.site, self.environment, self.interval = rig, site, environment, interval
        self.namespace, self.fault = f"chartly-{environment}", None
        self.applied = []  # the commit of each look that was applied as a whole, in order
        self.helm, self.kubectl = [rig.helm_program], [*rig.programs["kubectl"], f"--kubeconfig={rig.folder}/kubeconfig"]

    @property
    def synced(self):
        return self.applied[-1] if self.applied else None

    @property
    def looks(self):
        return len(self.applied)

    def declared(self, namespace=None):
        return declared.declared(self.site.bare, "main", f"deploy/argocd/{self.environment}", namespace or self.namespace,
                                 self.helm, self.kubectl)

    def apply(self, text):
        self.rig.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", f"--as={CONTROLLER}",
                         "--filename=-", input=text)

    def prepare(self):
        """The namespaces, and what a site puts in by itself: the namespace of Argo CD, and the rights of its controller."""
        for wanted in ("argocd",):
            try:
                self.rig.api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wanted}})
            except ApiError as error:
                assert error.code == 409
        self.rig.kubectl("apply", "--filename=-", input=yaml.safe_dump({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "argocd"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "argocd-application-controller", "namespace": "argocd"}]}))
        text = (self.site.work / f"deploy/argocd/{self.environment}/namespaces/namespaces.yaml").read_text()
        self.apply(text)

    def sync(self):
        commit, text = self.declared()
        self.apply(text)
        wanted = {(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(text) if each}
        listed = self.rig.kubectl("get", ",".join(PRUNED), "--namespace", self.namespace, "--output=json",
                                  "--selector=app.kubernetes.io/name=chartly")
        gone = [f"{each['kind']}/{each['metadata']['name']}" for each in yaml.safe_load(listed.stdout)["items"]
                if (each["kind"], each["metadata"]["name"]) not in wanted and not each["metadata"].get("ownerReferences")]
        if gone:
            self.rig.kubectl("delete", *gone, "--namespace", self.namespace, "--wait=false", f"--as={CONTROLLER}")
        self.applied.append(commit)
        return commit

    @contextlib.contextmanager
    def keep(self):
        ended = threading.Event()

        def run():
            while not ended.wait(self.interval):
                try:
                    self.sync()
                except BaseException as error:  # noqa: BLE001: shown by the test
                    self.fault = repr(error)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(120)
        assert self.fault is None, self.fault


def commits(rig, namespace):
    """The commits that the objects of a namespace name, claims aside: those are made once."""
    return {each["metadata"].get("annotations", {}).get("chartly.io/commit") for name, each in rig.objects(namespace).items()
            if not name.startswith("persistentvolumeclaims") and each["metadata"]["labels"]["app.kubernetes.io/component"]
            not in ("drift",) and name != "ingresses/chartly"}


def images(rig, namespace):
    return {container["image"] for pod in rig.pods(namespace) for container in pod["spec"]["containers"]}


def wait_for(rig, condition, what, limit=90):
    rig.wait(lambda: condition() or time.sleep(0.1), what, limit)


def process(command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, **options)
