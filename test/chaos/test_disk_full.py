"""A full disk is back-pressure: the run waits and goes on, whoever dies meanwhile."""

import random
import time

from harness import FINAL, wait_until
from numbered_rows import Numbers


def comes_to_rest(numbers):
    """Says whether the drone stops asking the source before it has everything."""
    for _ in range(50):
        served = numbers.served
        time.sleep(0.3)
        if served == numbers.pages:
            return False
        if served == numbers.served:
            return True
    return False


def full_once(cluster, numbers, disk, chance, victim):
    """Says whether the run really had to wait in its middle."""
    run_id = numbers.order()
    wait_until(lambda: numbers.served >= 4, "the run to be under way")
    if victim != "nobody":
        cluster.kill_control()  # what is in the spool stays there
    disk.fill(leave=chance.choice([0, 4096, 12288, 65536]))
    waited = comes_to_rest(numbers)
    if victim == "drone":
        cluster.drones["d1"].kill()
        cluster.drone()
        time.sleep(0.2)
    assert cluster.drones["d1"].alive(), cluster.drones["d1"].tail()
    if victim == "nobody":
        waited = waited and cluster.get(f"/api/runs/{run_id}")["status"] not in FINAL
    disk.free()
    if victim != "nobody":
        cluster.start_control()
    numbers.settle()
    return waited


def test_a_full_disk_loses_nothing_and_the_run_goes_on(memory_disk, single, source, scale):
    chance = random.Random(20140103)
    numbers = Numbers(single, source, pages=60, rows=20, pause=0.005, text=800)
    single.drone(data=memory_disk.mount_point / "drone")
    trials = scale(3, 50)
    victims = ("drone", "control plane", "nobody")
    waited = [full_once(single, numbers, memory_disk, chance, victims[i % 3]) for i in range(trials)]
    numbers.check()
    # With the control plane there the spool makes room for itself, so that the run need not wait.
    killed = [waited[i] for i in range(trials) if victims[i % 3] != "nobody"]
    assert sum(killed) * 2 >= len(killed), "most runs must have met a full disk, or this test shows nothing"
