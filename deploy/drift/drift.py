#!/usr/bin/env python3
"""usage: drift.py --namespace NAMESPACE [--manager NAME]... [--kubectl PROGRAM] FILE-OR-FOLDER...

Compares what is declared with what runs, and changes nothing. FILE is what the source renders to: raw manifests, or
`helm template` with the values of the commit. Found are

  changed     a field differs from what is declared
  missing     an object is declared and not there
  unmanaged   an object is there that nothing declares and no controller made
  written     somebody other than the source wrote a field, even if it is again what it should be

One JSON object a line. Ends with 0 if there is no drift, 1 if there is, 2 if it could not be told.
"""

import argparse
import json
import re
import subprocess
import sys

# What may write: the tools that apply the source, and the controllers of the cluster. --manager adds to them.
MANAGERS = {"helm", "kubectl-client-side-apply", "argocd-controller", "kustomize-controller", "helm-controller",
            "kube-controller-manager", "kube-scheduler"}
KINDS = ["deployments.apps", "statefulsets.apps", "daemonsets.apps", "cronjobs.batch", "jobs.batch", "pods", "services",
         "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims", "roles.rbac.authorization.k8s.io",
         "rolebindings.rbac.authorization.k8s.io", "networkpolicies.networking.k8s.io", "ingresses.networking.k8s.io",
         "poddisruptionbudgets.policy", "horizontalpodautoscalers.autoscaling"]


class Failure(Exception):
    pass


class Cluster:
    def __init__(self, kubectl, namespace):
        self.kubectl, self.namespace = kubectl.split(), namespace

    def run(self, *arguments, good=(0,)):
        done = subprocess.run([*self.kubectl, *arguments], capture_output=True, text=True)
        if done.returncode not in good:
            raise Failure(done.stderr.strip() or f"kubectl {arguments[0]} ended with {done.returncode}")
        return done.stdout

    def items(self, *arguments):
        """Objects as kubectl prints them: a list, or one object after the other."""
        text, decoder, found = self.run(*arguments, "--output=json").strip(), json.JSONDecoder(), []
        while text:
            each, end = decoder.raw_decode(text)
            found += each["items"] if each["kind"].endswith("List") else [each]
            text = text[end:].lstrip()
        return found


def key(each):
    return each["kind"], each["metadata"]["name"]


def named(each, **more):
    return {"object": "/".join(key(each)), **more}


def differences(text):
    """Object and lines of what `diff -u` printed for each file."""
    for part in re.split(r"^diff .*$", text, flags=re.M)[1:]:
        lines = [line for line in part.splitlines() if re.match(r"[-+](?![-+]{2} )", line) and "generation:" not in line]
        head = re.search(r"^\+\+\+ \S*/([^/\s]+)", part, re.M)
        if lines and head:
            # GROUP.VERSION.KIND.NAMESPACE.NAME; only the name may have dots of its own.
            found = re.search(r"\.([A-Z][A-Za-z]+)\.([^.]*)\.(.+)$", "." + head.group(1))
            yield {"drift": "changed", "object": f"{found.group(1)}/{found.group(3)}", "lines": lines}


def owned(each):
    """Whether a controller made it, or the cluster itself or Helm for its own ends."""
    metadata = each["metadata"]
    if metadata.get("ownerReferences") or metadata["name"] == "kube-root-ca.crt" or key(each) == ("ServiceAccount", "default"):
        return True
    return each.get("type") == "helm.sh/release.v1" or metadata.get("annotations", {}).get("helm.sh/hook") is not None


def claimed(each, declared):
    """Whether a StatefulSet that is declared made this claim."""
    sets = [(template["metadata"]["name"], name) for (kind, name), other in declared.items() if kind == "StatefulSet"
            for template in other["spec"].get("volumeClaimTemplates", [])]
    return each["kind"] == "PersistentVolumeClaim" and any(
        re.fullmatch(rf"{re.escape(claim)}-{re.escape(name)}-\d+", each["metadata"]["name"]) for claim, name in sets)


def written(each, managers):
    for entry in each["metadata"].get("managedFields", []):
        if entry["manager"] not in managers and entry.get("subresource") != "status":
            fields = sorted(paths(entry.get("fieldsV1", {})))
            yield named(each, drift="written", manager=entry["manager"], time=entry.get("time", ""), fields=fields)


def paths(fields, prefix=""):
    inner = [(name, value) for name, value in fields.items() if name != "."]
    if not inner:
        return {prefix.lstrip(".")}
    return set().union(*(paths(value, f"{prefix}.{name.split(':', 1)[1] if ':' in name else name}") for name, value in inner))


def drift(cluster, sources, managers):
    files = [argument for source in sources for argument in ("--filename", source)]
    declared = {key(each): each for each in cluster.items("create", "--dry-run=client", "--recursive", *files)
                if each["metadata"].get("namespace", cluster.namespace) == cluster.namespace}
    live = {key(each): each for each in cluster.items("get", ",".join(KINDS), "--namespace", cluster.namespace, "--show-managed-fields")}
    missing = [each for name, each in declared.items() if name not in live and each["kind"] != "Namespace"
               and "helm.sh/hook" not in each["metadata"].get("annotations", {})]
    yield from (named(each, drift="missing") for each in missing)
    gone = {"/".join(key(each)) for each in missing}
    # What is not there is a difference too; it is named above.
    text = cluster.run("diff", "--recursive", *files, good=(0, 1))
    hooks = {"/".join(name) for name, each in declared.items() if "helm.sh/hook" in each["metadata"].get("annotations", {})}
    yield from (each for each in differences(text) if each["object"] not in gone | hooks)
    for name, each in sorted(live.items()):
        if name in declared:
            yield from written(each, managers)
        elif not owned(each) and not claimed(each, declared):
            yield named(each, drift="unmanaged", manager=(each["metadata"].get("managedFields") or [{}])[0].get("manager", ""))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[0].removeprefix("usage: "))
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--manager", action="append", default=[])
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("sources", nargs="+")
    options = parser.parse_args()
    try:
        found = list(drift(Cluster(options.kubectl, options.namespace), options.sources, MANAGERS | set(options.manager)))
    except Failure as error:
        print(f"drift.py: {error}", file=sys.stderr)
        return 2
    for each in found:
        print(json.dumps(each))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
