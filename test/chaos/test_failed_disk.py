"""A disk that fails to write: the drone ends with a failure, for its supervisor to start it again, and loses nothing."""

import pytest

from faults import trace
from harness import FINAL, wait_until
from numbered_rows import Numbers

# The first ones are met while the spool opens.
POINTS = {"fdatasync": (1, 5, 12, 30), "pwrite64": (2, 9, 40), "fsync": (1, 2), "rename": (1, 2)}


@pytest.mark.parametrize("calls", POINTS)
def test_after_a_failed_write_the_drone_ends_and_the_next_one_goes_on(traced, single, source, calls):
    numbers = Numbers(single, source, pages=30, rows=4, pause=0, text=1000, attempts=1)
    ended_itself = 0
    for point in POINTS[calls]:
        run_id = numbers.order()
        drone = single.drone(prefix=trace(calls, f"error=EIO:when={point}+"), flags=("--spool-bytes", "512KB"))
        wait_until(lambda: not drone.alive() or single.get(f"/api/runs/{run_id}")["status"] in FINAL,
                   f"the drone to end after {calls} number {point} failed")
        if not drone.alive() or single.get(f"/api/runs/{run_id}")["status"] != "succeeded":
            wait_until(lambda: not drone.alive(), "the drone to end", 20)
            assert drone.process.returncode == 1, drone.tail()
            assert "Input/output error" in drone.tail(), "the log says what failed"
            ended_itself += 1
        drone.kill()
        single.drone()
        again = single.wait_run(run_id)
        if again["status"] != "succeeded":
            single.wait_run(numbers.order_again())
        single.drones["d1"].stop()
    single.drone()
    numbers.check()
    assert ended_itself == len(POINTS[calls])
