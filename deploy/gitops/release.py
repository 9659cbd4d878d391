#!/usr/bin/env python3
"""usage: release.py build --bin FOLDER --registry FOLDER
       release.py promote --registry FOLDER --repository FOLDER --environment NAME [--rollback REASON] vX.Y.Z

build packs the programs of FOLDER into the image of the tag that is checked out, and publishes it with its statement of
provenance and its list of contents. It refuses a tree that is not exactly a tag, a tag that is not the version of the
sources, and a tag that is published with another content. CHARTLY_BUILDER says who builds. REGISTRY is an OCI layout.

promote commits an image that is published to a branch of a checkout of the repository of manifests: the tag and the digest
of one environment, and nothing else. What is then reviewed and merged is what runs. Going back is the same with --rollback.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TAG_NAME = "org.opencontainers.image.ref.name"
ENVIRONMENTS = ["dev", "staging", "prod"]


class Failure(Exception):
    pass


def output(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failure(f"{Path(str(command[0])).name} {command[1]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


# --- what is published ---

def read_index(registry):
    path = registry / "index.json"
    return json.loads(path.read_text()) if path.exists() else {"schemaVersion": 2, "manifests": [],
                                                               "mediaType": "application/vnd.oci.image.index.v1+json"}


def published(registry):
    """tag -> digest"""
    return {each["annotations"][TAG_NAME]: each["digest"] for each in read_index(registry)["manifests"]}


def publish(packed, version, registry):
    """Puts an image into the layout. What is there stays as it is."""
    registry.mkdir(parents=True, exist_ok=True)
    with tarfile.open(packed / f"chartly-{version}.tar") as archive:
        files = {each.name: archive.extractfile(each).read() for each in archive if each.isfile()}
    [manifest] = json.loads(files["index.json"])["manifests"]
    tag, known = f"v{version}", published(registry)
    if known.get(tag, manifest["digest"]) != manifest["digest"]:
        raise Failure(f"{tag} is published as {known[tag]} and never changes; this is {manifest['digest']}: it needs a new version")
    for name, data in files.items():
        if name.startswith("blobs/") and not (registry / name).exists():
            (registry / name).parent.mkdir(parents=True, exist_ok=True)
            (registry / name).write_bytes(data)
    for kind in ("provenance", "spdx"):
        name = f"chartly-{version}.{kind}.json"
        if tag not in known:
            (registry / name).write_bytes((packed / name).read_bytes())
    if tag not in known:
        index = read_index(registry)
        index["manifests"].append(manifest)
        (registry / "oci-layout").write_bytes(files["oci-layout"])
        made = registry / "index.json.new"
        made.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")
        made.rename(registry / "index.json")
    return manifest["digest"]


def version_here():
    """The version of the tag that is checked out, if nothing else is."""
    if changes := output("git", "status", "--porcelain", cwd=ROOT).strip():
        raise Failure(f"the tree is not what is committed: {changes.splitlines()[0].strip()}")
    tags = [tag for tag in output("git", "tag", "--points-at", "HEAD", cwd=ROOT).split() if re.fullmatch(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", tag)]
    if len(tags) != 1:
        raise Failure("what is checked out is no tag vX.Y.Z; images are built from tags only")
    version = tags[0].removeprefix("v")
    declared = re.search(r"project\(chartly VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    if version.split("-")[0] != declared:
        raise Failure(f"the tag is {tags[0]} and the sources are {declared}")
    return version


def build(options):
    version, registry = version_here(), Path(options.registry)
    epoch = output("git", "log", "-1", "--format=%ct", cwd=ROOT).strip()
    env = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        output(sys.executable, ROOT / "deploy/docker/image_root.py", options.bin, ROOT / "profiles", place / "image", env=env)
        output(sys.executable, ROOT / "deploy/docker/pack.py", place / "image", version, place / "packed", env=env)
        print(f"v{version}@{publish(place / 'packed', version, registry)}")


# --- what is promoted ---

def put(path, names):
    """Changes the values that these names of parameters have; the file stays as it is otherwise."""
    text = path.read_text()
    for name, value in names.items():
        text, count = re.subn(rf"(- name: {re.escape(name)}\n\s+value: )\S*", rf"\g<1>{value}", text)
        if count != 1:
            raise Failure(f"{path} has {count} parameters {name}")
    path.write_text(text)


def put_sample(path, tag, digest):
    text = re.sub(r"(\n      tag: )\S*", rf"\g<1>{tag}", path.read_text())
    path.write_text(re.sub(r"(\n      digest: )\S*", rf"\g<1>{digest}", text))


def promote(options):
    digest = published(Path(options.registry)).get(options.version)
    if digest is None:
        raise Failure(f"{options.version} is not published; it is built first")
    folder, environment = Path(options.repository), options.environment
    if output("git", "status", "--porcelain", cwd=folder).strip():
        raise Failure(f"{folder} has changes that are not committed")
    output("git", "checkout", "--quiet", "-B", f"promote/{environment}-{options.version}", cwd=folder)
    put(folder / f"deploy/argocd/{environment}/03-backend/apps.yaml", {"image.tag": options.version, "image.digest": digest})
    sample = folder / f"deploy/argocd/flux/{environment}.yaml"
    if sample.exists():
        put_sample(sample, options.version, digest)
    subject = f"feat: Chartly {options.version} to {environment}"
    if options.rollback:
        subject = f"fix: Rollback {environment} to {options.version} due to {options.rollback}"
    output("git", "commit", "--quiet", "--all", "--message", f"{subject}\n\n{digest}", cwd=folder)
    print(f"{environment}: {options.version}@{digest}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[0].removeprefix("usage: "))
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("build")
    verb.set_defaults(action=build)
    verb.add_argument("--bin", required=True)
    verb.add_argument("--registry", required=True)
    verb = verbs.add_parser("promote")
    verb.set_defaults(action=promote)
    verb.add_argument("--registry", required=True)
    verb.add_argument("--repository", required=True)
    verb.add_argument("--environment", required=True, choices=ENVIRONMENTS)
    verb.add_argument("--rollback")
    verb.add_argument("version")
    options = parser.parse_args()
    try:
        options.action(options)
    except Failure as error:
        print(f"release.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
