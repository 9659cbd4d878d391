"""Files of a spool that nobody has sent yet are damaged, copied or set back. What is lost is told to its run with the
range and fetched again; what two copies hold arrives once."""

import random
import re
import shutil

import pytest

from faults import trace
from harness import FINAL, wait_until
from numbered_rows import Numbers

FLAGS = ("--spool-bytes", "4MB")


def leave_unsent(cluster, numbers):
    """Ends the control plane and then the drone in mid-run, so that the spool holds what the aggregator has not."""
    run_id = numbers.order()
    wait_until(lambda: cluster.get(f"/api/runs/{run_id}")["status"] == "running", "the run to be under way")
    cluster.kill_control()
    served = numbers.served
    wait_until(lambda: numbers.served >= min(served + 8, numbers.pages), "the spool to fill")
    cluster.drones["d1"].kill()
    return run_id


def harm(spool, chance):
    """Damages one file; says what it did."""
    segments = sorted(spool.glob("*.seg"))
    victims = segments * 3 + [spool / "watermark", *spool.glob("runs/*.run")]
    victim = chance.choice(victims)
    content = bytearray(victim.read_bytes())
    kind = chance.choice(["flip", "flip", "cut", "delete"])
    if kind == "flip":
        for _ in range(chance.randint(1, 3)):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del content[chance.randrange(len(content)):]
    if kind == "delete":
        victim.unlink()
    else:
        with open(victim, "r+b") as file:
            file.truncate(len(content))
            file.write(content)
    return f"{kind} {victim.relative_to(spool)}"


def test_damage_is_told_with_its_range_and_the_rows_are_fetched_again(single, source, scale):
    chance = random.Random(20140104)
    numbers = Numbers(single, source, pages=24, rows=20, pause=0.002, text=400)
    drone = single.drone(flags=FLAGS)
    told = 0
    for _ in range(scale(4, 60)):
        run_id = leave_unsent(single, numbers)
        logged = len(drone.log_path.read_bytes())
        done = harm(single.folder / "d1" / "spool", chance)
        single.start_control()
        single.drone()
        told += check_told(numbers, drone, run_id, logged, done)
    numbers.check(lost=True)
    assert told > 0, "some damage must cost rows, or this test shows nothing"


def check_told(numbers, drone, run_id, logged, what):
    """The run has its end, and if rows were lost, that and the log tell which. Says whether."""
    numbers.settle()
    log = drone.log_path.read_bytes()[logged:].decode(errors="replace")
    run = numbers.cluster.wait_run(run_id)
    ranges = re.findall(r'lost to disk damage.* first_seq="(\d+)" last_seq="(\d+)"', log)
    if run.get("error_reason") != "SPOOL_DAMAGED":
        assert run["balance"].get("lost", 0) == 0, (what, run)
        return False
    assert all(int(first) <= int(last) for first, last in ranges), what
    assert re.search(r"entries \d+ to \d+ of the spool of drone d1 were damaged", run["error"]), run
    assert run["balance"]["closed"], run
    return True


@pytest.mark.parametrize("reads", ["1+", "4+", "6..40"])
def test_a_segment_that_the_disk_cannot_read_is_told_and_its_rows_are_fetched_again(traced, single, source, reads):
    numbers = Numbers(single, source, pages=24, rows=20, pause=0.002, text=400)
    drone = single.drone(flags=FLAGS)
    run_id = leave_unsent(single, numbers)
    logged = len(drone.log_path.read_bytes())
    spool = single.folder / "d1" / "spool"
    single.start_control()
    drone = single.drone(flags=FLAGS, prefix=trace("pread64", f"error=EIO:when={reads}", path=min(spool.glob("*.seg"))))
    # How many of the reads are those of the start depends on what the spool held. Later ones end the drone, which its
    # supervisor starts again.
    wait_until(lambda: not drone.alive() or single.get(f"/api/runs/{run_id}")["status"] in FINAL,
               "the run to be final or the drone to have ended", 90)
    if not drone.alive():
        assert drone.process.returncode == 1 and "is not what was written" in drone.tail(), drone.tail()
        drone = single.drone(flags=FLAGS)
    assert check_told(numbers, drone, run_id, logged, f"reads {reads}")
    assert "the disk cannot read a part of the spool" in drone.log_path.read_bytes()[logged:].decode()
    assert len(list(spool.glob("*.damaged"))) == 1
    numbers.check(lost=True)


def test_two_drones_with_one_spool_lose_nothing_and_double_nothing(single, source, scale):
    numbers = Numbers(single, source, pages=24, rows=20, pause=0.002, text=400)
    clone = single.folder / "clone"
    for _ in range(scale(1, 25)):
        original = single.drone(flags=FLAGS)
        leave_unsent(single, numbers)
        shutil.copytree(single.folder / "d1", clone)
        single.start_control()
        single.drone()
        copy = single.drone("d1", name="clone", flags=FLAGS)
        numbers.settle()
        numbers.order()
        numbers.settle()
        # Each alone sends what it still holds.
        copy.kill()
        original.stop()
        logged = len(copy.log_path.read_bytes())
        copy.start()
        wait_until(lambda: b"connected to the aggregator" in copy.log_path.read_bytes()[logged:],
                   "the clone to connect")
        copy.stop()
        for drone in (original, copy):
            assert 'unsent="0"' in drone.tail(1), drone.tail(5)
        shutil.rmtree(clone)
    numbers.check()


def test_a_clone_under_another_name_is_refused_while_it_holds_rows_of_the_first(single, source):
    numbers = Numbers(single, source, pages=24, rows=20, pause=0.002, text=400)
    single.drone(flags=FLAGS)
    leave_unsent(single, numbers)
    shutil.copytree(single.folder / "d1", single.folder / "d2")
    single.start_control()
    clone = single.drone("d2", flags=FLAGS)
    assert clone.process.wait(20) == 1
    assert "it holds rows of drone d1 that are not sent yet" in clone.tail() and "--id d1" in clone.tail()
    single.drone()
    numbers.settle()
    numbers.check()


def test_a_spool_that_was_put_back_from_a_copy_loses_nothing_and_doubles_nothing(single, source, scale):
    numbers = Numbers(single, source, pages=24, rows=20, pause=0.002, text=400)
    drone = single.drone(flags=FLAGS)
    spool, copy = single.folder / "d1" / "spool", single.folder / "copy"
    for trial in range(scale(2, 20)):
        leave_unsent(single, numbers)
        shutil.copytree(spool, copy)
        single.start_control()
        single.drone()
        numbers.settle()
        numbers.order()
        numbers.settle()
        drone.kill()
        if trial % 2 == 0:
            shutil.rmtree(spool)
            copy.rename(spool)
        else:
            put_back_in_place(copy, spool)
        single.drone()
        numbers.order()
        numbers.settle()
    numbers.check()


def put_back_in_place(copy, spool):
    """As a tool does that only copies what differs: files stay the same files, and what the copy has not goes."""
    for file in [f for f in spool.rglob("*") if f.is_file() and not (copy / f.relative_to(spool)).exists()]:
        file.unlink()
    for file in [f for f in copy.rglob("*") if f.is_file()]:
        with open(spool / file.relative_to(copy), "ab") as target:
            target.truncate(0)
            target.write(file.read_bytes())
    shutil.rmtree(copy)
