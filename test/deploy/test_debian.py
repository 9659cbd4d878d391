"""The Debian package: the same each time, whole, and installable where it was built."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import BIN, ROOT
from tools import need, run


@pytest.fixture(scope="module")
def package():
    """The package, made twice."""
    need("dpkg-deb")
    if not (BIN / "chartly").exists():
        pytest.skip("chartly is not built; ./dev build")
    with tempfile.TemporaryDirectory() as folder:
        made = [Path(run("python3", ROOT / "deploy/debian/package.py", BIN, ROOT / "profiles", f"{folder}/{name}",
                         env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}).stdout.strip()) for name in ("first", "second")]
        yield made


def test_J140_the_package_is_the_same_bytes_each_time(package):
    assert package[0].read_bytes() == package[1].read_bytes()


def test_C46_the_package_holds_programs_units_and_their_user(package, tmp_path):
    run("dpkg-deb", "--extract", package[0], tmp_path)
    for name in ("usr/bin/chartly-control", "usr/bin/chartly-drone", "usr/bin/chartly", "usr/lib/sysusers.d/chartly.conf",
                 "usr/lib/systemd/system/chartly-control.service", "usr/lib/systemd/system/chartly-drone.service",
                 "etc/chartly/drone.env", "usr/share/chartly/profiles/sample/sample-gdp.yaml"):
        assert (tmp_path / name).is_file(), name
    listed = run("dpkg-deb", "--contents", package[0]).stdout.splitlines()
    assert all(line.split()[1] == "root/root" and line[8] != "w" for line in listed), "others may write to a file"
    version = subprocess.run([tmp_path / "usr/bin/chartly", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    assert run("dpkg-deb", "--field", package[0], "Version").stdout.strip() == version
    for unit in (tmp_path / "usr/lib/systemd/system").iterdir():
        program = next(line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")).split("=", 1)[1].split()[0]
        assert (tmp_path / program.lstrip("/")).is_file()


def test_C46_the_package_can_be_installed_where_it_was_built(package):
    if not any(Path("/var/lib/apt/lists").glob("*Packages*")):
        pytest.skip("apt has no package lists; apt-get update")
    done = run(need("apt-get"), "install", "--simulate", "--no-install-recommends", package[0])
    assert "Inst chartly " in done.stdout
