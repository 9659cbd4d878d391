"""What is shared by the tests of a file or of a run ends with it, also where a test that does not share it had a second try."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).resolve().parents[1] / "support"
TESTS = '''
import pathlib
import pytest

HERE = pathlib.Path(__file__).parent


def note(line):
    with open(HERE / "notes", "a") as notes:
        notes.write(line + "\\n")


@pytest.fixture(scope="session")
def run():
    note("run begins")
    yield
    note("run ends")


@pytest.fixture(scope="module")
def file(run):
    note("file begins")
    yield
    note("file ends")


@pytest.fixture
def fault():
    if not (HERE / "tried").exists():
        (HERE / "tried").touch()
        raise OSError("not yet")


def test_one(file):
    pass


def test_two(FAULT):
    note("two")
    BODY


def test_three():
    note("three")
'''
BODY = """
    if not (HERE / "tried").exists():
        (HERE / "tried").touch()
        assert False
"""


@pytest.mark.parametrize("where", ["set-up", "call"])
@pytest.mark.parametrize("parallel", [[], ["-n", "1"]], ids=["one process", "xdist"])
def test_what_is_shared_ends_after_a_second_try(tmp_path, where, parallel):
    text = TESTS.replace("FAULT", "fault" if where == "set-up" else "").replace("    BODY", BODY if where == "call" else "")
    (tmp_path / "test_shared.py").write_text(text)
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "unstable", "--reruns", "1", "-q",
                           *parallel, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": str(SUPPORT)})
    assert done.returncode == 0 and "unstable: test_shared.py::test_two" in done.stdout, done.stdout + done.stderr
    notes = (tmp_path / "notes").read_text().split("\n")
    tries = ["two"] if where == "set-up" else ["two", "two"]
    assert notes == ["run begins", "file begins", *tries, "three", "file ends", "run ends", ""], notes
