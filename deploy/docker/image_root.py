#!/usr/bin/env python3
"""Lays out the root of the image: the programs, the libraries they load, and nothing else. No shell, no package manager.

  image_root.py BIN_DIR PROFILES_DIR DESTINATION

DESTINATION/root becomes /, DESTINATION/data becomes /app/data, which belongs to the user of the image. The same programs
and packages give the same bytes: times are SOURCE_DATE_EPOCH (0 where it is not set), and the list of contents, an SPDX
document, is sorted.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

USER = 10440
PROGRAMS = ("chartly-control", "chartly-drone", "chartly")
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout


def libraries(programs):
    """Real path of every shared object that the programs load, by the name under which they ask for it."""
    found = {}
    for program in programs:
        for line in output("ldd", str(program)).splitlines():
            match = re.match(r"\s*(?:(\S+) => )?(/\S+) \(0x", line)
            if match:
                found[match.group(1) or match.group(2)] = Path(match.group(2))
    return found


def packages(paths):
    """Debian package -> version of the files; a file of no package is an error, since nobody could say what it is."""
    real = {path.resolve() for path in paths}
    # The package may know a path from before /lib became a link to /usr/lib.
    spellings = {spelling: path for path in real for spelling in (str(path), str(path).removeprefix("/usr"))}
    done = subprocess.run(["dpkg-query", "-S", *sorted(spellings)], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    owner = {}
    for line in done.stdout.splitlines():
        name, _, path = line.partition(": ")
        if path in spellings:
            owner[spellings[path]] = name.split(",")[0]
    if real - set(owner):
        sys.exit(f"image_root.py: {min(real - set(owner))} belongs to no package")
    lines = output("dpkg-query", "-W", "-f=${binary:Package} ${Version}\n", *sorted(set(owner.values()))).splitlines()
    return dict(line.split(" ", 1) for line in lines)


def copy(source, target, mode):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def spdx(root, version, installed):
    """The SPDX 2.3 document of what is in the image."""
    names = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    files = [{"SPDXID": f"SPDXRef-File-{i}", "fileName": f"./{name}",
              "checksums": [{"algorithm": a, "checksumValue": hashlib.new(a.lower(), (root / name).read_bytes()).hexdigest()}
                            for a in ("SHA1", "SHA256")],
              "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION"} for i, name in enumerate(names)]
    described = [{"SPDXID": "SPDXRef-Package-chartly", "name": "chartly", "versionInfo": version,
                  "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "Apache-2.0",
                  "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION"}]
    for name, release in sorted(installed.items()):
        plain, _, arch = name.partition(":")
        described.append({"SPDXID": "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", name), "name": plain,
                          "versionInfo": release, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
                          "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
                          "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                            "referenceLocator": f"pkg:deb/debian/{plain}@{release}" + (f"?arch={arch}" if arch else "")}]})
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"chartly-{version}",
            "documentNamespace": f"urn:chartly:sbom:{digest}",
            "creationInfo": {"created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH)), "creators": ["Tool: image_root.py"]},
            "packages": described, "files": files,
            "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                               "relatedSpdxElement": "SPDXRef-Package-chartly"}] +
                             [{"spdxElementId": "SPDXRef-Package-chartly", "relationshipType": "DEPENDS_ON",
                               "relatedSpdxElement": each["SPDXID"]} for each in described[1:]]}


def settle(root):
    """Owners, modes and times that do not depend on who ran this, and when."""
    for path in [root, *sorted(root.rglob("*"))]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o1777 if path == root / "tmp" else 0o755)
        if os.geteuid() == 0:
            os.chown(path, 0, 0, follow_symlinks=False)
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


def main():
    binaries, profiles, destination = map(Path, sys.argv[1:4])
    root = destination / "root"
    if root.exists():
        sys.exit(f"image_root.py: {root} is there already")
    (destination / "data").mkdir(parents=True)
    for program in PROGRAMS:
        target = root / "usr/bin" / program
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["strip", "--strip-unneeded", "-o", target, binaries / program], check=True)
        target.chmod(0o755)
    loaded = libraries(root / "usr/bin" / program for program in PROGRAMS)
    for name, path in loaded.items():
        # The loader is asked for by its path, everything else by its name, which the loader finds in /usr/lib.
        copy(path, root / (name.lstrip("/") if name.startswith("/") else f"usr/lib/{name}"), 0o755)
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")
    copy(authorities, root / "etc/ssl/certs/ca-certificates.crt", 0o644)
    # The times of cron lines; "posix" and "right" are the same zones once more.
    zones = Path("/usr/share/zoneinfo")
    for source in sorted(zones.rglob("*")):
        name = source.relative_to(zones)
        if source.is_file() and name.parts[0] not in ("posix", "right"):
            copy(source, root / "usr/share/zoneinfo" / name, 0o644)
    for source in sorted(profiles.rglob("*")):
        if source.is_file():
            copy(source, root / "app/profiles" / source.relative_to(profiles), 0o644)
    (root / "etc/passwd").write_text(f"root:x:0:0:root:/:/sbin/nologin\nchartly:x:{USER}:{USER}:chartly:/app/data:/sbin/nologin\n")
    (root / "etc/group").write_text(f"root:x:0:\nchartly:x:{USER}:\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    (root / "tmp").mkdir()
    version = output(str(binaries / "chartly"), "--version").split()[-1]
    installed = packages(loaded.values())
    installed["ca-certificates"] = output("dpkg-query", "-W", "-f=${Version}", "ca-certificates")
    installed["tzdata"] = output("dpkg-query", "-W", "-f=${Version}", "tzdata")
    (root / "usr/share/chartly").mkdir(parents=True)
    (root / "usr/share/chartly/sbom.spdx.json").write_text(json.dumps(spdx(root, version, installed), indent=1) + "\n")
    for path in root.rglob("*"):
        if path.is_file() and path.parts[-2:-1] in (("etc",), ("chartly",)):
            path.chmod(0o644)
    settle(root)


if __name__ == "__main__":
    main()
