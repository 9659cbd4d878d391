"""Faults of the record store under ingest: what was acked is there, once, whatever happens to the process, the power and
the disk. Damage is told, by a refusal to start or by an answer, and never taken for an end."""

import functools
import http.client
import json
import random
import shutil
import time

import pytest

from faults import LoopDisk, MemoryDisk, mounted, trace
from harness import ApiError, wait_until
from store_world import TOLD, Batch, Stations, Store

# Calls by which the store changes its disk, and how many of one thread of it are hit.
POINTS = {"pwrite64": 30, "write": 40, "fdatasync": 12, "fsync": 8, "rename": 2, "ftruncate": 4, "unlink": 4}
A_PROFILE = 10  # cycles with the same profile, which bounds what each of them reads


@pytest.fixture
def store_of(tmp_path):
    made = []

    def make(records=None, **kwargs):
        folder = tmp_path / f"store{len(made)}"
        if records is not None:
            (folder / "data").mkdir(parents=True)
            (folder / "data" / "records").symlink_to(records)  # a disk of its own
        folder.mkdir(exist_ok=True)
        made.append(Store(folder, **kwargs))
        return made[-1]
    yield make
    for store in made:
        store.close()


def go_on(store, stations, cycle):
    """After a fault, with the stations still shut."""
    stations.check(stations.profile)
    stations.profile = f"p{cycle // A_PROFILE}"
    stations.open()


def finish(store, stations):
    stations.await_acks(3)
    stations.shut()
    stations.end()
    stations.check()
    assert store.faults() == [] and store.problem() == ""
    assert store.process.stop() == 0
    assert store.serves_or_ends()
    stations.check()


# --- kill -9 ---

def killed_at_some_time(store, stations, chance):
    stations.await_acks(chance.randint(1, 6))
    time.sleep(chance.random() * 0.03)
    store.kill()
    stations.shut()
    if chance.random() < 0.3:  # and again, while it opens
        store.process.start()
        time.sleep(chance.random() * 0.15)
        store.kill()


def killed_at_a_call(store, stations, chance):
    """Says whether it got there: it may have no such call any more."""
    stations.shut()
    store.kill()
    calls = chance.choice(list(POINTS))
    store.prefix = trace(calls, f"signal=SIGKILL:when={chance.randint(1, POINTS[calls])}")
    served = store.serves_or_ends()
    store.prefix = []
    if served:
        stations.open()
        end = time.monotonic() + 0.7
        wait_until(lambda: not store.process.alive() or time.monotonic() > end, "the call", 10)
    reached = not store.process.alive()
    assert not reached or store.process.process.returncode == -9, store.process.tail()
    store.kill()
    stations.shut()
    return reached


def test_kills_of_the_store_lose_nothing_and_double_nothing(traced, store_of, scale):
    chance, kills, at_calls = random.Random(20140105), scale(10, 500), 0
    store = store_of(flags=("--store-memory", "8MB", "--dedupe-memory", scale("512KB", "2MB")))
    stations = Stations(store)
    stations.open()
    for cycle in range(kills):
        if cycle % 4 == 3:
            at_calls += killed_at_a_call(store, stations, chance)
        else:
            killed_at_some_time(store, stations, chance)
        assert store.serves_or_ends(), f"cycle {cycle}: it does not come back:\n{store.process.tail()}"
        go_on(store, stations, cycle)
    finish(store, stations)
    assert at_calls >= kills // 12, "many must have died right at a call, or this test shows less than it says"
    print(f"{kills} kills, {at_calls} of them at a call; {len(stations.acked)} batches acked")


# --- power cuts ---

@pytest.fixture
def power_disk(tmp_path):
    yield from mounted(functools.partial(LoopDisk, size="256M"), tmp_path)


def test_power_cuts_of_the_store_lose_nothing_and_double_nothing(power_disk, store_of, scale):
    chance, cuts = random.Random(20140106), scale(6, 200)
    store = store_of(power_disk.mount_point)
    stations = Stations(store)
    stations.open()
    for cycle in range(cuts):
        stations.await_acks(chance.randint(1, 6))
        time.sleep(chance.random() * 0.03)
        stations.cut(power_disk)
        if chance.random() < 0.5:  # it lives on for a while, and must not ack any more
            time.sleep(chance.random() * 0.1)
        store.kill()
        stations.shut()
        power_disk.power_on()
        assert store.serves_or_ends(), f"cycle {cycle}: it does not come back:\n{store.process.tail()}"
        go_on(store, stations, cycle)
    finish(store, stations)
    print(f"{cuts} cuts; {len(stations.acked)} batches acked; refused {stations.refused}")


# --- full disks ---

@pytest.fixture
def full_disk(tmp_path, scale):
    # Large enough for all that is stored: each trial adds about 3 MiB.
    yield from mounted(functools.partial(MemoryDisk, size=scale("96m", "256m")), tmp_path)


def test_a_full_disk_of_the_store_holds_back_and_loses_nothing(full_disk, store_of, scale):
    chance, trials, refused_starts = random.Random(20140107), scale(3, 50), 0
    # With room for the index: where it is full, too, commits wait for the sealer before they are refused.
    store = store_of(full_disk.mount_point,
                     flags=("--store-memory", "8MB", "--dedupe-memory", scale("32MB", "256MB")))
    stations = Stations(store)
    stations.open()
    for cycle in range(trials):
        stations.await_acks(chance.randint(1, 4))
        before = stations.refused.get("STORE_FULL", 0)
        full_disk.fill(leave=chance.choice([0, 4096, 65536, 1 << 20]))
        wait_until(lambda: stations.refused.get("STORE_FULL", 0) > before + 2, f"refusals: {stations.refused}")
        # Where a little is left, a small batch may still go in between.
        wait_until(lambda: "is full" in store.problem(), "the health to tell of the full disk")
        if cycle % 3 == 2:
            store.kill()
            stations.shut()
            if not store.serves_or_ends():
                # There is no room to open it, which it says; whoever starts it again does so until there is.
                refused_starts += 1
                assert store.process.process.returncode == 1 and "is full; free some space" in store.process.tail(3)
        else:
            stations.shut()
        if store.process.alive():
            stations.check(stations.profile)  # what is stored can be read meanwhile
        full_disk.free()
        if not store.process.alive():
            assert store.serves_or_ends(), store.process.tail()
        stations.open()
        stations.await_acks(3, limit=20)  # by itself
        assert store.problem() == ""
        stations.shut()
        go_on(store, stations, cycle)
    finish(store, stations)
    assert set(stations.refused) == {"STORE_FULL"}, stations.refused
    print(f"{trials} times full; {len(stations.acked)} batches acked; refused {stations.refused}, "
          f"{refused_starts} starts among them")


# --- flipped bits ---

BLOCK, HEADER = 32 << 10, 7
KINDS = {"log": ("*.log", 4), "table": ("*.sst", 3), "manifest": ("MANIFEST-*", 2), "values": ("*.blob", 1)}


def records_of(content):
    """Where the records of a log are: begin and end."""
    at = 0
    while at + HEADER <= len(content):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        end = at + HEADER + int.from_bytes(content[at + 4:at + 6], "little")
        if content[at + 6] == 0:
            return
        yield at, end
        at = end


def flip(folder, chance):
    """Flips one bit of one file; says which. Of logs one in a record, every other time in its header."""
    kind = chance.choices(list(KINDS), [weight for _, weight in KINDS.values()])[0]
    victims = [f for f in sorted(folder.glob(KINDS[kind][0])) if f.stat().st_size > 0]
    victim = folder / (folder / "CURRENT").read_text().strip() if kind == "manifest" else chance.choice(victims)
    content = bytearray(victim.read_bytes())
    place = chance.randrange(len(content))
    if kind in ("log", "manifest"):
        begin, end = chance.choice(list(records_of(content)))
        place = chance.randrange(begin, begin + HEADER if chance.random() < 0.5 else end)
    content[place] ^= 1 << chance.randrange(8)
    victim.write_bytes(content)
    return kind, f"{victim.name} at byte {place}"


@pytest.fixture
def damageable(store_of, tmp_path):
    """A store with all kinds of files that was killed, a copy of its files, and the ledger of what is in it."""
    store = store_of(flags=("--store-memory", "4MB", "--dedupe-memory", "512KB"))
    chance, ledger, number = random.Random(20140108), [], 0

    def post(profile, batches):
        nonlocal number
        for _ in range(batches):
            number += 1
            batch = Batch(profile, f"b{number}", chance)
            answer = store.post("/api/results", batch.body(), headers={"Content-Type": "application/json"})
            assert answer["inserted_records"] == batch.rows
            ledger.append(batch)

    def parts():
        return sum(int(p.get("parts", 0)) for p in store.get("/api/store/stats")["profiles"])
    while parts() < 2:
        post("sealed", 20)
    store.kill()
    assert store.serves_or_ends()  # what lay in the log goes to tables
    post("open", 30)
    store.kill()
    records, kept = store.data / "records", tmp_path / "kept"
    shutil.copytree(records, kept)
    for kind, (pattern, _) in KINDS.items():
        assert any(f.stat().st_size > 0 for f in kept.glob(pattern)), f"a store without a {kind}"

    def put_back():
        shutil.rmtree(records)
        shutil.copytree(kept, records)
    return store, records, put_back, ledger


def contents_of(ledger):
    contents = {}
    for batch in ledger:
        contents.setdefault(batch.profile, {}).update(batch.contents())
    return contents


def read_all(store, ledger):
    """What is stored, and of which profiles the store says that it is damaged."""
    found, told = {}, []
    for profile in sorted({batch.profile for batch in ledger}):
        try:
            found[profile] = store.records(profile)
        except http.client.IncompleteRead:
            told.append(profile)
        except ApiError as error:
            assert error.error.get("code") == TOLD, error
            told.append(profile)
    return found, told


def send(store, batch):
    return store.post("/api/results", batch.body(), headers={"Content-Type": "application/json"})


def end_of(store, records, ledger, what):
    """How the store bears the damage: refused, cut, told or harmless. Anything else is a failure."""
    if not store.serves_or_ends():
        assert store.process.process.returncode == 1, f"{what}: {store.process.tail()}"
        said = store.process.tail(2)
        assert str(records) in said and ("restore it from a backup" in said or "check the disk" in said), (what, said)
        return "refused"
    found, told = read_all(store, ledger)
    contents, cut = contents_of(ledger), list(records.glob("*.damaged"))
    if cut:
        assert not told and str(cut[0]) in store.problem(), what
        healed(store, ledger, found, what)
        cut[0].unlink()
        assert store.problem() == "" and store.faults() == [], what
        return "cut"
    assert all(found[profile] == contents[profile] for profile in found), f"{what}: something is silently missing"
    try:
        answer = send(store, ledger[-1])
        assert answer["inserted_records"] + answer["deduped_records"] == ledger[-1].rows, (what, answer)
    except ApiError as error:
        assert error.error.get("code") == TOLD, error
        told.append(ledger[-1].profile)
    faults, problem = store.faults(), store.problem()
    if told:
        assert faults or problem, f"{what}: {told} cannot be used, and neither the check nor the health says why"
    elif not faults and not problem:
        assert answer["inserted_records"] == 0, f"{what}: {answer}"
        return "harmless"
    return "told"


def healed(store, ledger, found, what):
    """The store has what was acked before the damage, nothing of what came after, and everything once it is sent again."""
    rows = sum(len(contents) for contents in found.values())
    whole = [n for n in range(len(ledger) + 1) if sum(batch.rows for batch in ledger[:n]) == rows]
    expected = contents_of(ledger[:whole[0]]) if whole else None
    assert {p: c for p, c in found.items() if c} == expected, f"{what}: {rows} rows are not those of the first batches"
    for batch in ledger:
        send(store, batch)
    found, told = read_all(store, ledger)
    assert not told and found == contents_of(ledger), what


def comes_back(store, what):
    """Whatever became of it, the next start is no worse: it serves, or says why not. Nor did it die meanwhile."""
    assert store.process.stop() == 0, what
    if not store.serves_or_ends():
        assert store.process.process.returncode == 1 and "restore it from a backup" in store.process.tail(2), what


def test_flipped_bits_of_the_store_are_told_and_never_taken_for_an_end(damageable, scale):
    store, records, put_back, ledger = damageable
    chance, seen = random.Random(20140109), {}
    for _ in range(scale(12, 500)):
        put_back()
        kind, what = flip(records, chance)
        end = end_of(store, records, ledger, what)
        if end in ("told", "cut"):
            comes_back(store, what)
        store.kill()
        seen[kind, end] = seen.get((kind, end), 0) + 1
    put_back()
    assert end_of(store, records, ledger, "nothing") == "harmless"
    print(f"{sum(seen.values())} flips: " + json.dumps({f"{kind} {end}": n for (kind, end), n in sorted(seen.items())}))
    # Every bit of a log counts.
    assert not any(kind in ("log", "manifest") and end not in ("refused", "cut") for kind, end in seen), seen
