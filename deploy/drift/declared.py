#!/usr/bin/env python3
"""usage: declared.py --tree FOLDER --namespace NAMESPACE [--kubectl PROGRAM] [--helm PROGRAM] REPOSITORY [REVISION]

Prints what a commit of a git repository declares for a namespace, as YAML: all applications below FOLDER that go there,
rendered as Argo CD renders them. REVISION is a branch, a tag or a commit (main). The commit is named on standard error.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Failure(Exception):
    pass


def output(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failure(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def check_out(repository, revision, folder):
    """The commit that the revision names; its files are in `folder` afterwards."""
    output("git", "init", "--quiet", folder)
    output("git", "fetch", "--quiet", "--depth=1", repository, revision, cwd=folder)
    output("git", "checkout", "--quiet", "--force", "FETCH_HEAD", cwd=folder)
    return output("git", "rev-parse", "HEAD", cwd=folder).strip()


def documents(path):
    return [each for each in yaml.load_all(path.read_text(), Loader=LOADER) if each]


def applications(folder, tree, namespace):
    """Those of the tree that come from the repository and go to the namespace."""
    found = [each for path in sorted((folder / tree).rglob("*.yaml")) for each in documents(path)
             if each.get("kind") == "Application" and each["spec"]["destination"].get("namespace") == namespace]
    return [each for each in found if "path" in each["spec"]["source"]]


def version_of_cluster(kubectl):
    return json.loads(output(*kubectl, "version", "--output=json"))["serverVersion"]["gitVersion"]


def text_of(application, folder, commit, helm, kubectl):
    """What one application declares."""
    source, destination = application["spec"]["source"], application["spec"]["destination"]["namespace"]
    path = folder / source["path"]
    if (path / "Chart.yaml").exists():
        settings = source.get("helm", {})
        flags = [flag for name in settings.get("valueFiles", []) for flag in ("--values", path / name)]
        for each in settings.get("parameters", []):
            value = each["value"].replace("$ARGOCD_APP_REVISION", commit)
            flags += ["--set-string" if each.get("forceString") else "--set", f"{each['name']}={value}"]
        return output(*helm, "template", settings.get("releaseName", application["metadata"]["name"]), path,
                      "--namespace", destination, "--no-hooks", "--kube-version", version_of_cluster(kubectl), *flags)
    if any((path / name).exists() for name in ("kustomization.yaml", "kustomization.yml", "Kustomization")):
        return output(*kubectl, "kustomize", path)
    return "---\n".join(each.read_text().rstrip() + "\n" for each in sorted(path.glob("*.yaml")))


def declared(repository, revision, tree, namespace, helm=("helm",), kubectl=("kubectl",)):
    """(commit, YAML of all objects)"""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        commit = check_out(repository, revision, folder)
        found = applications(folder, tree, namespace)
        if not found:
            raise Failure(f"{commit} has no application below {tree} that goes to {namespace}")
        return commit, "---\n".join(text_of(each, folder, commit, helm, kubectl).rstrip() + "\n" for each in found)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[0].removeprefix("usage: "))
    parser.add_argument("--tree", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--helm", default="helm")
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("repository")
    parser.add_argument("revision", nargs="?", default="main")
    options = parser.parse_args()
    try:
        commit, text = declared(options.repository, options.revision, options.tree, options.namespace,
                                options.helm.split(), options.kubectl.split())
    except Failure as error:
        print(f"declared.py: {error}", file=sys.stderr)
        return 2
    print(commit, file=sys.stderr)
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
