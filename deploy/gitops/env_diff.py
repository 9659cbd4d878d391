#!/usr/bin/env python3
"""usage: env_diff.py [--helm PROGRAM] ONE OTHER

Says in what two environments differ once they are rendered, object by object and field by field, without what only names the
environment. Each difference is of one class:

  allowed      how much there is, how large, how much it says: replicas, resources, volumes, log level, budgets
  security     who may reach or do what: contexts, accounts, rights, network policies, secrets
  unexpected   anything else

One JSON object a line. Ends with 0 if all is allowed, 1 if not, 2 if it could not be told.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LEAST_VERSION = "1.30.0"  # of Kubernetes that the chart takes
SECURITY_KINDS = ("NetworkPolicy", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount", "Secret")
SECURITY = re.compile(r"securityContext|automountServiceAccountToken|serviceAccountName|hostNetwork|hostPID|hostIPC|hostPath|secret|seccomp"
                      r"|capabilities|privileged|--anonymous-role|\.type$")
ALLOWED_KINDS = ("PodDisruptionBudget", "HorizontalPodAutoscaler")
ALLOWED = re.compile(r"\.replicas$|\.resources\.|sizeLimit$|\.data\.(LOG_LEVEL|DEDUPE_MEMORY|STORE_MEMORY|SPOOL_BYTES)$|\.image$|minReadySeconds$"
                     r"|topologySpreadConstraints|\.affinity|storageClassName$|scrape_interval|terminationGracePeriodSeconds$")


class Failure(Exception):
    pass


def render(environment, helm):
    values = ROOT / f"charts/chartly/values-{environment}.yaml"
    if not values.exists():
        raise Failure(f"there are no values of {environment}")
    done = subprocess.run([*helm, "template", "chartly", ROOT / "charts/chartly", "--namespace", f"chartly-{environment}", "--values", values,
                           "--kube-version", LEAST_VERSION, "--set", f"image.digest=sha256:{'0' * 64}"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(done.stderr.strip())
    return objects_of(done.stdout.replace(f"chartly-{environment}", "chartly-ENVIRONMENT"))


def objects_of(text):
    """Objects by kind and name. The hash of its content in a name is no difference of its own."""
    found = [each for each in yaml.load_all(text, Loader=LOADER) if each]
    hashed = {each["metadata"]["name"]: re.sub(r"-[0-9a-f]{8,}$", "-HASH", each["metadata"]["name"]) for each in found if each["kind"] == "ConfigMap"}
    return {(each["kind"], hashed.get(each["metadata"]["name"], each["metadata"]["name"])): renamed(each, hashed) for each in found}


def renamed(value, names):
    if isinstance(value, dict):
        return {key: renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [renamed(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


def fields(one, other, path=""):
    """(path, value here, value there) of every leaf that differs; None where there is none."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            yield from fields(one.get(name), other.get(name), f"{path}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other)):
            yield from fields(a, b, f"{path}[{index}]")
    elif one != other:
        yield path, one, other


def class_of(kind, path):
    if kind in SECURITY_KINDS or SECURITY.search(path):
        return "security"
    return "allowed" if kind in ALLOWED_KINDS or ALLOWED.search(path) else "unexpected"


def diff(one, other):
    for kind, name in sorted({*one, *other}):
        for path, here, there in fields(one.get((kind, name)), other.get((kind, name))):
            yield {"object": f"{kind}/{name}", "path": path.lstrip("."), "class": class_of(kind, path), "one": here, "other": there}


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[0].removeprefix("usage: "))
    parser.add_argument("--helm", default="helm")
    parser.add_argument("one")
    parser.add_argument("other")
    options = parser.parse_args()
    try:
        found = list(diff(render(options.one, options.helm.split()), render(options.other, options.helm.split())))
    except Failure as error:
        print(f"env_diff.py: {error}", file=sys.stderr)
        return 2
    for each in found:
        print(json.dumps(each))
    return 1 if any(each["class"] != "allowed" for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
