#!/usr/bin/env python3
"""Packs what image_root.py laid out into an image that has the same digest wherever it is packed.

  pack.py LAID_OUT VERSION DESTINATION

DESTINATION/chartly-VERSION.tar is an OCI layout that `docker load` takes, too. Beside it lie the SPDX list of contents and
a statement of provenance (in-toto, SLSA 1.0) that names the digest, the commit and who built it (CHARTLY_BUILDER). User,
ports and command are those of the last stage of the Dockerfile. Prints the digest.
"""

import gzip
import hashlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import time
from pathlib import Path

EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
USER = 10440
HERE = Path(__file__).parent
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def entry(name, **fields):
    info = tarfile.TarInfo(name)
    info.mtime = EPOCH
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def layer(laid_out):
    """The one layer, as a tar."""
    root, out = laid_out / "root", io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            name, mode = str(path.relative_to(root)), path.stat().st_mode & 0o7777
            if path.is_dir():
                tar.addfile(entry(name, type=tarfile.DIRTYPE, mode=mode))
            else:
                tar.addfile(entry(name, mode=mode, size=path.stat().st_size), io.BytesIO(path.read_bytes()))
        tar.addfile(entry("app/data", type=tarfile.DIRTYPE, mode=0o755, uid=USER, gid=USER))
    return out.getvalue()


def config(version, diff_id):
    """What the last stage of the Dockerfile says, as the configuration of an image."""
    text = (HERE / "Dockerfile").read_text()
    lines = text[text.index("FROM scratch"):].splitlines()
    said = {word: [line.split(" ", 1)[1] for line in lines if line.startswith(f"{word} ")]
            for word in ("ENV", "USER", "WORKDIR", "EXPOSE", "LABEL", "CMD")}
    labels = dict(pair.split("=", 1) for line in said["LABEL"] for pair in shlex.split(line))
    labels["org.opencontainers.image.version"] = version
    return {"architecture": ARCHITECTURES[os.uname().machine], "os": "linux",
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH)),
            "config": {"User": said["USER"][0], "WorkingDir": said["WORKDIR"][0], "Cmd": json.loads(said["CMD"][0]),
                       "Env": [pair for line in said["ENV"] for pair in shlex.split(line)],
                       "ExposedPorts": {f"{port}/tcp": {} for port in said["EXPOSE"][0].split()}, "Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]}}


def sha(data):
    return hashlib.sha256(data).hexdigest()


def described(media, data, **more):
    return {"mediaType": f"application/vnd.oci.image.{media}", "digest": f"sha256:{sha(data)}", "size": len(data), **more}


def to_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def commit():
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True)
    return done.stdout.strip() or os.environ.get("CHARTLY_COMMIT", "unknown")


def provenance(version, digest, sbom):
    return {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": f"chartly:v{version}", "digest": {"sha256": digest}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {"buildDefinition": {"buildType": "urn:chartly:image", "externalParameters": {"version": version},
                                              "internalParameters": {"SOURCE_DATE_EPOCH": EPOCH},
                                              "resolvedDependencies": [{"name": "source", "digest": {"gitCommit": commit()}},
                                                                       {"name": "sbom.spdx.json", "digest": {"sha256": sha(sbom)}}]},
                          "runDetails": {"builder": {"id": os.environ.get("CHARTLY_BUILDER", "urn:chartly:builder:local")}}}}


def main():
    laid_out, version, destination = Path(sys.argv[1]), sys.argv[2].removeprefix("v"), Path(sys.argv[3])
    if not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", version):
        sys.exit(f"pack.py: {version} is no version; write X.Y.Z")
    plain = layer(laid_out)
    packed = gzip.compress(plain, compresslevel=9, mtime=0)
    settings = to_json(config(version, f"sha256:{sha(plain)}"))
    manifest = to_json({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "config": described("config.v1+json", settings), "layers": [described("layer.v1.tar+gzip", packed)]})
    tag = f"chartly:v{version}"
    index = to_json({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        described("manifest.v1+json", manifest, annotations={"org.opencontainers.image.ref.name": f"v{version}"})]})
    blobs = {f"blobs/sha256/{sha(data)}": data for data in (packed, settings, manifest)}
    for_docker = to_json([{"Config": f"blobs/sha256/{sha(settings)}", "RepoTags": [tag], "Layers": [f"blobs/sha256/{sha(packed)}"]}])
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index, "manifest.json": for_docker, **blobs}
    destination.mkdir(parents=True, exist_ok=True)
    with tarfile.open(destination / f"chartly-{version}.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in sorted(files.items()):
            tar.addfile(entry(name, mode=0o644, size=len(data)), io.BytesIO(data))
    sbom = (laid_out / "root/usr/share/chartly/sbom.spdx.json").read_bytes()
    (destination / f"chartly-{version}.spdx.json").write_bytes(sbom)
    statement = json.dumps(provenance(version, sha(manifest), sbom), indent=1) + "\n"
    (destination / f"chartly-{version}.provenance.json").write_text(statement)
    print(f"sha256:{sha(manifest)}")


if __name__ == "__main__":
    main()
