"""Deployment tests: what the charts, manifests and overlays of the repository describe, and whether it would work.

The first word behind test_ is the number of the requirement in the deployment contract."""

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
import rendering  # noqa: E402
from api_rig import Rig  # noqa: E402

SET = [f"chart:{name}" for name in rendering.VARIANTS] + ["raw"] + [f"overlay:{name}" for name in rendering.overlays()]


def objects_of(name):
    kind, _, rest = name.partition(":")
    return {"chart": rendering.chart, "overlay": rendering.overlay}[kind](rest) if rest else rendering.raw()


@pytest.fixture(params=SET)
def rendered(request):
    """Every rendering in turn."""
    return objects_of(request.param)


@pytest.fixture(params=[name for name in SET if name not in ("chart:openshift", "overlay:openshift")])
def rendered_with_user(request):
    """Every rendering whose processes have a fixed user."""
    return objects_of(request.param)


@pytest.fixture(scope="session")
def rig():
    """An API without nodes, which the tests share; each has namespaces of its own."""
    made = Rig()
    try:
        yield made
        assert not made.kubelet.faults(), made.kubelet.faults()
    finally:
        made.close()


# --- in which order tools are needed ---

def pytest_addoption(parser):
    parser.addoption("--tools", choices=["quick", "slow"],
                     help="only the tests that do without the tools that take many minutes to build, or only those that do not")


# Files that use kube-score or Terraform, which slow_tools in ./dev makes like the API without nodes.
SLOW_FILES = ["test_linters", "test_terraform"]


def needs_slow_tool(item):
    return "rig" in item.fixturenames or item.path.stem in SLOW_FILES


def pytest_collection_modifyitems(config, items):
    # Absent where this folder is not named on the command line.
    if wanted := config.getoption("tools", None):
        kept = [item for item in items if needs_slow_tool(item) == (wanted == "slow")]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


# --- what the contract is checked with ---

OUTCOMES = {}


def pytest_runtest_logreport(report):
    if report.when == "call" or report.skipped or report.failed:
        OUTCOMES.setdefault(report.nodeid.split("::")[-1].split("[")[0], []).append(report.outcome)


def pytest_sessionfinish(session):
    # Where several processes share the tests, the one that hands them out hears of all.
    path = os.environ.get("CHARTLY_DEPLOY_RESULTS")
    if path and not hasattr(session.config, "workerinput"):
        Path(path).write_text(json.dumps(OUTCOMES))
