"""The order of steps that survives a power cut, checked in what the kernel was really asked for. A disk image cannot show
every wrong order: a file system often writes more than it was asked to."""

import re

from faults import SPOOL_CALLS, trace
from harness import wait_until
from numbered_rows import Numbers

CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)")
PATH = re.compile(r"<([^<>]*)>")


def calls_of(log):
    """(thread, call, path, second path) of every call that succeeded, in order of their ends."""
    begun, calls = {}, []
    for line in log.read_text(errors="replace").splitlines():
        thread, _, rest = line.partition(" ")
        if rest.endswith("<unfinished ...>"):
            begun[thread] = rest.removesuffix("<unfinished ...>").strip()
            continue
        resumed = re.match(r" *<\.\.\. \w+ resumed>(.*)", rest)
        match = CALL.match(f"{thread} {begun.pop(thread)}{resumed[1]}" if resumed else line)
        if not match or int(match[4]) < 0:
            continue
        paths = PATH.findall(match[3]) if match[2] in ("pwrite64", "fdatasync", "fsync", "ftruncate") \
            else re.findall(r'"([^"]*)"', match[3])
        calls.append((thread, match[2], *(paths + ["", ""])[:2]))
    return [call for call in calls if "/spool" in call[2]]


def folder_of(path):
    return path.rsplit("/", 1)[0]


def faults_in(calls):
    """Every step that came before the one it must follow."""
    faults, unsynced, unnamed = [], set(), {}
    for thread, call, path, target in calls:
        if call == "pwrite64":
            unsynced.add(path)
            # A thread that renamed a file must have made the name durable before it writes anything else.
            if thread in unnamed:
                faults.append(f"{path} written before the name of {unnamed[thread]} was durable")
        elif call in ("fdatasync", "fsync"):
            unsynced.discard(path)
            if path == folder_of(unnamed.get(thread, "")):
                del unnamed[thread]
        elif call == "rename":
            if path in unsynced:
                faults.append(f"{path} renamed before its content was durable")
            unnamed[thread] = target
        elif call == "unlink" and path.endswith(".seg"):
            watermark = folder_of(path) + "/watermark"
            if watermark in unsynced:
                faults.append(f"{path} deleted before the watermark was durable")
    return faults


def test_names_follow_contents_and_deletions_follow_the_watermark(traced, single, source, tmp_path):
    numbers = Numbers(single, source, pages=40, rows=4, pause=0, text=1000)
    log = tmp_path / "trace"
    drone = single.drone(prefix=trace(SPOOL_CALLS, log=log), flags=("--spool-bytes", "512KB"))
    for _ in range(2):
        single.wait_run(numbers.order())
    wait_until(lambda: "unlink" in log.read_text(errors="replace"), "segments to be deleted")
    drone.kill()
    calls = calls_of(log)
    counts = {call: sum(1 for c in calls if c[1] == call) for call in ("pwrite64", "fdatasync", "rename", "unlink")}
    assert all(counts.values()) and counts["fdatasync"] >= numbers.pages, counts
    assert any(call[1] == "unlink" and call[2].endswith(".seg") for call in calls)
    assert faults_in(calls) == []
    # Every batch was on disk before anybody could hear of it: each write of a record is followed by a sync of its file.
    last_sync = {path: i for i, (_, call, path, _) in enumerate(calls) if call == "fdatasync"}
    last_write = {path: i for i, (_, call, path, _) in enumerate(calls) if call == "pwrite64" and path.endswith(".seg")}
    assert all(last_sync.get(path, -1) > i for path, i in last_write.items())


def test_a_wrong_order_is_seen():
    sync = [("1", "fdatasync", "/spool/a.tmp", "")]
    write, rename = [("1", "pwrite64", "/spool/a.tmp", "")], [("1", "rename", "/spool/a.tmp", "/spool/a.seg")]
    named, more = [("1", "fsync", "/spool", "")], [("1", "pwrite64", "/spool/a.seg", "")]
    assert faults_in(write + sync + rename + named + more) == []
    assert len(faults_in(write + rename + named + more)) == 1
    assert len(faults_in(write + sync + rename + more)) == 1
    note, unlink = [("2", "pwrite64", "/spool/watermark", "")], [("2", "unlink", "/spool/a.seg", "")]
    assert len(faults_in(note + unlink)) == 1
    assert faults_in(note + [("2", "fdatasync", "/spool/watermark", "")] + unlink) == []
