"""A pytest plugin beside pytest-rerunfailures, which names the tests that had a second try and keeps to itself why.

What failed first is printed in full, and each test that passed then gets a line 'unstable: ID', which ./dev counts."""


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
