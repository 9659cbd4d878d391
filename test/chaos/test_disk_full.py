"""A full disk is back-pressure: the run waits and goes on, whoever dies meanwhile."""

import random
import time

from harness import FINAL
from numbered_rows import Numbers


def full_once(cluster, numbers, disk, chance, victim):
    """Says whether the run really had to wait."""
    disk.fill(leave=chance.choice([0, 4096, 12288, 65536]))
    run_id = numbers.order()
    # Long enough for a run with space to spare.
    time.sleep(0.3 + chance.random() * 0.2)
    waited = cluster.get(f"/api/runs/{run_id}")["status"] not in FINAL
    if victim == "drone":
        cluster.drones["d1"].kill()
        cluster.drone()
        time.sleep(0.1)
    elif victim == "control plane":
        cluster.kill_control()
        cluster.start_control()
    assert cluster.drones["d1"].alive(), cluster.drones["d1"].tail()
    disk.free()
    numbers.settle()
    return waited


def test_a_full_disk_loses_nothing_and_the_run_goes_on(memory_disk, single, source, scale):
    chance = random.Random(20140103)
    numbers = Numbers(single, source, pages=30, rows=20, pause=0, text=400)
    single.drone(data=memory_disk.mount_point / "drone")
    numbers.order()
    numbers.settle()
    trials = scale(3, 50)
    waited = sum(full_once(single, numbers, memory_disk, chance, ("nobody", "drone", "control plane")[i % 3])
                 for i in range(trials))
    numbers.check()
    assert waited >= trials // 2, "most runs must have met a full disk, or this test shows nothing"
