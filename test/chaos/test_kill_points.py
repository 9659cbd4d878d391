"""The drone dies right before every call by which it changes its disk or tells somebody something."""

import random

import pytest

from faults import trace
from harness import FINAL, wait_until
from numbered_rows import Numbers

# Of each: the points of which some are taken, and how many a long run offers at least, so that no series ends early
# unnoticed.
SERIES = {"pwrite64": (150, 300), "fdatasync": (50, 100), "sendmsg": (40, 80), "fsync": (2, 3), "rename": (2, 3),
          "unlink": (1, 2)}


class Lives:
    """One drone life after the other, each killed at a point of its own; runs are ordered as long as there are lives."""

    def __init__(self, cluster, source, pages):
        self.cluster = cluster
        self.numbers = Numbers(cluster, source, pages=pages, rows=4, pause=0, text=1000, attempts=1)
        self.numbers.order()

    def live(self, calls, point):
        """Says whether the drone reached the point. It did not if two runs succeeded before."""
        drone = self.cluster.drone(prefix=trace(calls, f"signal=SIGKILL:when={point}"),
                                   flags=("--spool-bytes", "512KB"))
        succeeded = 0

        def over():
            nonlocal succeeded
            if not drone.alive():
                return True
            runs = self.numbers.newest_runs()
            if any(run["status"] not in FINAL for run in runs):
                return False
            if runs[0]["status"] != "succeeded":
                self.numbers.order_again()
                return False
            succeeded += 1
            self.numbers.order()
            return succeeded == 2

        wait_until(over, f"{calls} number {point}, or two runs", 60)
        killed = not drone.alive()
        assert not killed or drone.process.returncode == -9, drone.tail()
        drone.kill()
        return killed

    def check(self):
        drone = self.cluster.drone()

        def settled():
            runs = self.numbers.newest_runs()
            if any(run["status"] not in FINAL for run in runs):
                return False
            if runs[0]["status"] != "succeeded":
                self.numbers.order_again()
            return runs[0]["status"] == "succeeded"

        wait_until(settled, "the last run to succeed")
        self.numbers.check()
        log = drone.log_path.read_text(errors="replace")
        assert "lost to disk damage" not in log and "is damaged" not in log, "a kill is no damage"


@pytest.mark.parametrize("calls", SERIES)
def test_a_drone_killed_at_any_call_loses_nothing_and_doubles_nothing(traced, single, source, scale, calls):
    lives = Lives(single, source, pages=scale(60, 120))
    some, most = SERIES[calls]
    points = scale(random.Random(calls).sample(range(1, some + 1), min(3, some)), None)
    killed = 0
    if points:
        killed = sum(lives.live(calls, point) for point in points)
    else:
        while lives.live(calls, killed + 1):
            killed += 1
    lives.check()
    print(f"{calls}: killed at {killed} points")
    assert killed >= (len(points) if points else most)
