"""A pytest plugin: the temporary folder of a test that passed is removed, since those of a whole run take 30 GB."""

import shutil

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.stash[PASSED] = outcome.get_result().passed


PASSED = pytest.StashKey()


@pytest.fixture(autouse=True)
def tmp_path_of_what_failed(request, tmp_path):
    """Comes before the other fixtures of a test and so ends after them, when nothing uses the folder any more."""
    yield
    if request.node.stash.get(PASSED, False):
        shutil.rmtree(tmp_path, ignore_errors=True)
