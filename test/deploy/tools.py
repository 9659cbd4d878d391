"""Finds the programs that the deployment tests use. What is not there is a skip that says how to get it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("CHARTLY_TOOLS", Path.home() / ".cache/chartly/tools"))


def find(*names):
    """The first of `names` that is installed, as ./dev setup --deploy leaves it or on the PATH."""
    for name in names:
        for path in (CACHE / "bin" / name, shutil.which(name)):
            if path and Path(path).exists():
                return str(path)
    return None


def need(*names):
    path = find(*names)
    if path is None:
        pytest.skip(f"{' or '.join(names)} is not installed; ./dev setup --deploy gets it where it can be had")
    return path


def run(*command, check=True, **options):
    """Runs a program and returns what it did; a failure shows both of its outputs."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, **options)
    assert not check or done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done
