"""The power goes at any moment: what was told to the aggregator is on disk, and what was not is fetched again."""

import functools
import os
import random
import time

import pytest

from faults import LoopDisk, mounted
from harness import Cluster, wait_until
from numbered_rows import Numbers

SMALL_SPOOL = ("--spool-bytes", "512KB")  # in segments of 64 KiB, so that files come and go


def test_the_disk_of_these_tests_forgets_what_was_not_synced(loop_disk):
    kept, lost = loop_disk.mount_point / "kept", loop_disk.mount_point / "lost"
    with open(kept, "wb", buffering=0) as file:
        file.write(b"kept")
        os.fsync(file.fileno())
    lost.write_bytes(b"lost")
    loop_disk.cut_power()
    loop_disk.power_on()
    assert kept.read_bytes() == b"kept" and not lost.exists()


def cut_in_mid_run(cluster, numbers, disk, chance, machine):
    """Cuts the power of the disk at some moment of a run or shortly after it, and lets the drone begin again."""
    run_id = numbers.order()
    pages = chance.randint(0, numbers.pages + 3)
    wait_until(lambda: numbers.served >= min(pages, numbers.pages), "the run to be under way")
    if pages > numbers.pages:
        cluster.wait_run(run_id)
    time.sleep(chance.random() * 0.02)
    disk.cut_power()
    drone = cluster.drones["d1"]
    if machine:
        cluster.kill_control()
    elif chance.random() < 0.5 and pages < numbers.pages // 2:
        # It notices by itself that its disk takes nothing more, and leaves the rest to whoever starts it again.
        wait_until(lambda: not drone.alive(), "the drone to end as its disk failed", 20)
        assert drone.process.returncode == 1, drone.tail()
    drone.kill()
    disk.power_on()
    if machine:
        cluster.start_control()
    cluster.drone()
    numbers.settle()
    return cluster.get(f"/api/runs/{run_id}")["status"] == "failed"


def survive(cluster, source, disk, cuts, machine=False):
    chance = random.Random(20140102)
    numbers = Numbers(cluster, source, pages=30, rows=20, pause=0.002, text=200)
    cluster.drone(data=disk.mount_point / "drone", flags=SMALL_SPOOL)
    hit = sum(cut_in_mid_run(cluster, numbers, disk, chance, machine) for _ in range(cuts))
    numbers.check()
    assert hit >= cuts // 2, "most cuts must hit a run in its middle, or this test shows nothing"
    log = cluster.drones["d1"].log_path.read_text(errors="replace")
    assert "lost to disk damage" not in log and "is damaged" not in log, "a power cut is no damage"


def test_power_cuts_of_the_drone_lose_nothing_and_double_nothing(loop_disk, single, source, scale):
    survive(single, source, loop_disk, scale(4, 200))


@pytest.fixture
def machine(tmp_path):
    """A control plane whose data lie on a disk with room for a drone; only its logs are elsewhere."""
    for disk in mounted(functools.partial(LoopDisk, size="1G"), tmp_path):
        (disk.mount_point / "control").mkdir()
        os.sync()
        (tmp_path / "data").symlink_to(disk.mount_point / "control")
        cluster = Cluster(tmp_path)
        yield cluster, disk
        cluster.close()


def test_power_cuts_of_a_machine_with_all_parts_lose_nothing_and_double_nothing(machine, source, scale):
    cluster, disk = machine
    survive(cluster, source, disk, scale(2, 60), machine=True)
