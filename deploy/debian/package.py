#!/usr/bin/env python3
"""Makes the Debian package of all programs, with their units: package.py BIN_DIR PROFILES_DIR DESTINATION

It depends on the packages whose libraries the programs load, so it fits the release of Debian on which they were built.
The same programs give the same bytes: times are SOURCE_DATE_EPOCH (0 where it is not set). Nothing is started by
installing it.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "docker"))
from image_root import EPOCH, PROGRAMS, copy, libraries, output, packages  # noqa: E402

SYSTEMD = Path(__file__).parents[1] / "systemd"
CONFFILES = ("etc/chartly/drone.env",)
POSTINST = """#!/bin/sh
set -e
# The user of the units, and the units themselves; neither is there in a container.
if [ "$1" = configure ]; then
  if command -v systemd-sysusers >/dev/null; then systemd-sysusers chartly.conf; fi
  if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
fi
"""
PRERM = """#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --quiet disable --now chartly-drone.service chartly-control.service
fi
"""


def lay_out(binaries, profiles, root):
    for program in PROGRAMS:
        target = root / "usr/bin" / program
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["strip", "--strip-unneeded", "-o", target, binaries / program], check=True)
        target.chmod(0o755)
    for unit in sorted(SYSTEMD.glob("*.service")):
        copy(unit, root / "usr/lib/systemd/system" / unit.name, 0o644)
    copy(SYSTEMD / "chartly.sysusers", root / "usr/lib/sysusers.d/chartly.conf", 0o644)
    copy(SYSTEMD / "drone.env", root / "etc/chartly/drone.env", 0o644)
    for source in sorted(profiles.rglob("*")):
        if source.is_file():
            copy(source, root / "usr/share/chartly/profiles" / source.relative_to(profiles), 0o644)


def control(root, version):
    """The text of DEBIAN/control, and of DEBIAN/md5sums."""
    loaded = libraries(root / "usr/bin" / program for program in PROGRAMS).values()
    needed = {name.split(":")[0]: release for name, release in packages(loaded).items()}
    files = sorted(path for path in root.rglob("*") if path.is_file())
    depends = ", ".join(f"{name} (>= {release.split('-')[0]})" if name == "libc6" else name for name, release in sorted(needed.items()))
    fields = {"Package": "chartly", "Version": version, "Architecture": output("dpkg", "--print-architecture").strip(),
              "Maintainer": "The Chartly authors <chartly@example.org>", "Section": "net", "Priority": "optional",
              "Installed-Size": str(sum(path.stat().st_size for path in files) // 1024 + 1),
              "Depends": f"{depends}, ca-certificates, tzdata",
              "Description": "collects data where it lives, in records that can be joined\n"
                             " The control plane, the drone and the command line, with their systemd units."}
    sums = "".join(f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files)
    return "".join(f"{name}: {value}\n" for name, value in fields.items()), sums


def main():
    binaries, profiles, destination = map(Path, sys.argv[1:4])
    version = output(str(binaries / "chartly"), "--version").split()[-1]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "chartly"
        lay_out(binaries, profiles, root)
        text, sums = control(root, version)
        (root / "DEBIAN").mkdir()
        for name, content, mode in (("control", text, 0o644), ("md5sums", sums, 0o644), ("postinst", POSTINST, 0o755),
                                    ("prerm", PRERM, 0o755), ("conffiles", "".join(f"/{c}\n" for c in CONFFILES), 0o644)):
            (root / "DEBIAN" / name).write_text(content)
            (root / "DEBIAN" / name).chmod(mode)
        for path in [root, *root.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
            os.utime(path, (EPOCH, EPOCH))
        destination.mkdir(parents=True, exist_ok=True)
        architecture = output("dpkg", "--print-architecture").strip()
        target = destination / f"chartly_{version}_{architecture}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "--build", root, target], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)})
    print(target)


if __name__ == "__main__":
    main()
