#!/usr/bin/env python3
"""usage: drift.py --namespace NAMESPACE [--manager NAME]... [--without KIND]... [--kubectl PROGRAM] FILE-OR-FOLDER...
       drift.py --namespace NAMESPACE --repository URL --tree FOLDER [--revision NAME] [--helm PROGRAM]
                [--report URL --environment NAME --key-file FILE [--ca-file FILE]]

Compares what is declared with what runs. It only reads: rights to get and list are enough. FILE is what the source renders
to: raw manifests, or `helm template` with the values of the commit; or the source is a git repository, and what the
applications below FOLDER declare for the namespace. Found are

  changed     a field differs from what is declared
  missing     an object is declared and not there
  unmanaged   an object is there that nothing declares and no controller made
  written     somebody other than the source wrote a field, even if it is again what it should be, and the source has not
              said so since

One JSON object a line. Ends with 0 if there is no drift, 1 if there is, 2 if it could not be told. With --report, it tells
the releases part what it found, which keeps, audits and measures it; then 0 says that it was told.
"""

import argparse
import json
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from fractions import Fraction
from pathlib import Path

# What may write: the tools that apply the source, and the controllers of the cluster. --manager adds to them.
SOURCES = {"helm", "kubectl-client-side-apply", "argocd-controller", "kustomize-controller", "helm-controller"}
CONTROLLERS = {"kube-controller-manager", "kube-scheduler"}
KINDS = ["deployments.apps", "statefulsets.apps", "daemonsets.apps", "cronjobs.batch", "jobs.batch", "pods", "services",
         "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims", "roles.rbac.authorization.k8s.io",
         "rolebindings.rbac.authorization.k8s.io", "networkpolicies.networking.k8s.io", "ingresses.networking.k8s.io",
         "poddisruptionbudgets.policy", "horizontalpodautoscalers.autoscaling"]
# What an object says beside what the server and the controllers keep of it.
METADATA = ("labels", "annotations", "ownerReferences", "finalizers")
UNITS = {"": 1, "m": Fraction(1, 1000), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
         "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
MOST_FINDINGS, MOST_DETAIL = 500, 1000


class Failure(Exception):
    pass


class Cluster:
    def __init__(self, kubectl, namespace):
        self.kubectl, self.namespace = kubectl.split(), namespace

    def run(self, *arguments):
        done = subprocess.run([*self.kubectl, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
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


# --- whether an object is as it is declared ---

def quantity(value):
    """1000m, 1 and "1" are one number; None for what is none."""
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)([A-Za-z]*)", str(value))
    return Fraction(match.group(1)) * UNITS[match.group(2)] if match and match.group(2) in UNITS else None


def same(want, have, path):
    """Of two values that are no dictionaries and no lists."""
    if isinstance(want, bool) or isinstance(have, bool) or want == have:
        return want == have
    # The server writes quantities in a form of its own.
    is_quantity = re.search(r"\.(resources|capacity|hard)\.|sizeLimit$|[Dd]ivisor$|averageValue$", path)
    return bool(is_quantity) and quantity(want) is not None and quantity(want) == quantity(have)


def differences(want, have, path=""):
    """(path, declared, found) of every field that is declared and different. What is not declared may be anything."""
    if isinstance(want, dict) and isinstance(have, dict):
        for name, value in want.items():
            yield from differences(value, have.get(name), f"{path}.{name}")
    elif isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        for index, (a, b) in enumerate(zip(want, have)):
            yield from differences(a, b, f"{path}[{index}]")
    elif have is None:
        if says_something(want, path):
            yield path, want, have
    elif want is not None and (isinstance(want, (dict, list)) or not same(want, have, path)):
        yield path, want, have


def says_something(want, path):
    """Whether a server keeps it: it leaves out what is empty, and of some numbers the zero."""
    if isinstance(want, dict):
        return any(says_something(value, f"{path}.{name}") for name, value in want.items())
    if want == 0 and not isinstance(want, bool):
        return not path.endswith("minReadySeconds")
    return want not in (None, "", [])


def changed(want, have):
    wanted = {name: value for name, value in want.items() if name not in ("apiVersion", "kind", "metadata", "status")}
    wanted["metadata"] = {name: value for name, value in want["metadata"].items() if name in METADATA}
    found = list(differences(wanted, have))
    if found:
        lines = [line for path, a, b in found for line in (f"-{path[1:]}: {shown(a)}", f"+{path[1:]}: {shown(b)}")]
        yield named(have, drift="changed", lines=lines)


def shown(value):
    return json.dumps(value) if isinstance(value, (dict, list, bool)) or value is None else str(value)


# --- who wrote it ---

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


def declares(want, fields):
    """Whether an object declares all of these fields."""
    for name, inner in fields.items():
        if name == ".":
            continue
        kind, _, rest = name.partition(":")
        if kind == "f":
            found = [want[rest]] if isinstance(want, dict) and rest in want else []
        elif kind == "k":
            wanted = json.loads(rest)
            found = [item for item in want or [] if isinstance(item, dict) and
                     all(item.get(field, value) == value for field, value in wanted.items())]
        else:
            found = [item for item in want or [] if item == json.loads(rest)]
        if not found or not declares(found[0], inner):
            return False
    return True


def written(want, have, sources, differs):
    """What somebody else wrote, unless it is as declared and the source said so later."""
    entries = have["metadata"].get("managedFields", [])
    said = max((entry.get("time", "") for entry in entries if entry["manager"] in sources and not entry.get("subresource")), default="")
    for entry in entries:
        if entry["manager"] in sources | CONTROLLERS or entry.get("subresource") == "status":
            continue
        if not differs and entry.get("time", "") < said and declares(want, entry.get("fieldsV1", {})):
            continue
        fields = sorted(paths(entry.get("fieldsV1", {})))
        yield named(have, drift="written", manager=entry["manager"], time=entry.get("time", ""), fields=fields)


def paths(fields, prefix=""):
    inner = [(name, value) for name, value in fields.items() if name != "."]
    if not inner:
        return {prefix.lstrip(".")}
    return set().union(*(paths(value, f"{prefix}.{name.split(':', 1)[1] if ':' in name else name}") for name, value in inner))


# --- all of it ---

def drift(cluster, files, managers, without):
    sources = SOURCES | set(managers)
    arguments = [argument for file in files for argument in ("--filename", file)]
    declared = {key(each): each for each in cluster.items("create", "--dry-run=client", "--recursive", *arguments)
                if each["metadata"].get("namespace", cluster.namespace) == cluster.namespace}
    kinds = [kind for kind in KINDS if kind.split(".")[0] not in without]
    live = {key(each): each for each in cluster.items("get", ",".join(kinds), "--namespace", cluster.namespace, "--show-managed-fields")}
    for name, each in declared.items():
        hook = "helm.sh/hook" in each["metadata"].get("annotations", {})
        if name not in live and not hook and each["kind"] != "Namespace":
            yield named(each, drift="missing")
    for name, each in sorted(live.items()):
        if name in declared and "helm.sh/hook" in declared[name]["metadata"].get("annotations", {}):
            continue
        if name in declared:
            differs = list(changed(declared[name], each))
            yield from differs
            yield from written(declared[name], each, sources, differs)
        elif not owned(each) and not claimed(each, declared):
            yield named(each, drift="unmanaged", manager=(each["metadata"].get("managedFields") or [{}])[0].get("manager", ""))


def detail(each):
    if each["drift"] == "changed":
        text = "; ".join(each["lines"])
    elif each["drift"] == "written":
        text = f"by {each['manager']} at {each['time']}: {', '.join(each['fields'])}"
    else:
        text = f"made by {each['manager']}" if each.get("manager") else ""
    return text.encode()[:MOST_DETAIL].decode(errors="ignore")


def report(options, commit, found):
    body = {"commit": commit, "findings": [{"object": each["object"], "kind": each["drift"], "detail": detail(each)}
                                           for each in found[:MOST_FINDINGS]]}
    request = urllib.request.Request(
        f"{options.report}/api/environments/{options.environment}:reportDrift", json.dumps(body).encode(), method="POST",
        headers={"Content-Type": "application/json", "X-API-Key": Path(options.key_file).read_text().strip()})
    context = ssl.create_default_context(cafile=options.ca_file) if options.report.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as response:
            response.read()
    except urllib.error.HTTPError as error:
        raise Failure(f"the report was refused with {error.code}: {error.read(500).decode(errors='replace')}") from None
    except OSError as error:
        raise Failure(f"the report did not arrive: {error}") from None


def look(options):
    """(commit, what was found); the commit is empty where the source is a file."""
    cluster = Cluster(options.kubectl, options.namespace)
    if not options.repository:
        return "", list(drift(cluster, options.sources, options.manager, options.without))
    import declared  # beside this file; it needs more than files do
    try:
        commit, text = declared.declared(options.repository, options.revision, options.tree, options.namespace,
                                         options.helm.split(), options.kubectl.split())
    except declared.Failure as error:
        raise Failure(str(error)) from None
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        return commit, list(drift(cluster, [file.name], options.manager, options.without))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[0].removeprefix("usage: "))
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--manager", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--helm", default="helm")
    parser.add_argument("--repository")
    parser.add_argument("--revision", default="main")
    parser.add_argument("--tree")
    parser.add_argument("--report")
    parser.add_argument("--environment")
    parser.add_argument("--key-file")
    parser.add_argument("--ca-file")
    parser.add_argument("sources", nargs="*")
    options = parser.parse_args()
    if bool(options.repository) == bool(options.sources) or bool(options.repository) != bool(options.tree):
        parser.error("give files, or --repository and --tree")
    if options.report and not (options.repository and options.environment and options.key_file):
        parser.error("--report needs --repository, --environment and --key-file")
    try:
        commit, found = look(options)
        for each in found:
            print(json.dumps(each), flush=True)
        if options.report:
            report(options, commit, found)
            return 0
    except Failure as error:
        print(f"drift.py: {error}", file=sys.stderr)
        return 2
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
