"""A pytest plugin beside pytest-rerunfailures, which names the tests that had a second try and keeps to itself why.

What failed first is printed in full, and each test that passed then gets a line 'unstable: ID', which ./dev counts. What
the tests of a file or of a run share ends with it all the same."""

import pytest_rerunfailures


def keep_what_is_set_up(item):
    """Before a second try pytest-rerunfailures forgets everything that was set up, and so never ends what a file or the whole
    run shares: servers stay when the run is over. It is enough to forget what failed."""
    stack = item.session._setupstate.stack
    for node, (finalizers, _fault) in list(stack.items()):
        stack[node] = (finalizers, None)


pytest_rerunfailures._remove_failed_setup_state_from_session = keep_what_is_set_up


def pytest_terminal_summary(terminalreporter):
    tried_again = terminalreporter.getreports("rerun")
    for report in tried_again:
        terminalreporter.section(f"failed at the first try: {report.nodeid}", sep="_")
        terminalreporter.line(report.longreprtext)
        for title, text in report.sections:
            terminalreporter.section(title, sep="-")
            terminalreporter.line(text)
    failed = {report.nodeid for kind in ("failed", "error") for report in terminalreporter.getreports(kind)}
    for nodeid in sorted({report.nodeid for report in tried_again} - failed):
        terminalreporter.line(f"unstable: {nodeid}")
