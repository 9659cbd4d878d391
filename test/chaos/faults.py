"""Disks that lose power or fill up, processes that die or fail at a chosen system call, and wall clocks that jump."""

import fcntl
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSHING_THE_JOURNAL = 2
# Every call by which the spool changes its disk.
SPOOL_CALLS = "pwrite64,fdatasync,fsync,rename,unlink,link,ftruncate,mkdir"


class Disk:
    """A mounted file system of its own."""

    def __init__(self, folder):
        self.mount_point = Path(folder) / "disk"
        self.mount_point.mkdir()
        self.mount()

    def unmount(self):
        end = time.monotonic() + 20
        while subprocess.run(["umount", self.mount_point], capture_output=True).returncode != 0:
            assert time.monotonic() < end, f"{self.mount_point} stays busy"
            time.sleep(0.02)

    def close(self):
        if os.path.ismount(self.mount_point):
            self.unmount()


class LoopDisk(Disk):
    """ext4 in a file; `cut_power` forgets at once whatever was not synced, as a disk without power does."""

    def __init__(self, folder, size="32M"):
        self.image = Path(folder) / "disk.img"
        run("truncate", "-s", size, self.image)
        run("mkfs.ext4", "-q", "-F", self.image)
        super().__init__(folder)

    def mount(self):
        run("mount", "-o", "loop", self.image, self.mount_point)

    def cut_power(self):
        folder = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING_THE_JOURNAL))
        finally:
            os.close(folder)

    def power_on(self):
        """Requires: nobody has a file open there."""
        self.unmount()
        # A copy, since the dead file system goes on to exist, and would be mounted again, as long as another mount
        # namespace on this machine happens to hold it.
        copy = self.image.with_suffix(".copy")
        run("cp", "--sparse=always", self.image, copy)
        copy.rename(self.image)
        self.mount()


class MemoryDisk(Disk):
    """Small, so that it is soon full."""

    def __init__(self, folder, size="2m"):
        self.size = size
        super().__init__(folder)

    def mount(self):
        run("mount", "-t", "tmpfs", "-o", f"size={self.size}", "tmpfs", self.mount_point)

    def fill(self, leave):
        """Takes all space but `leave` bytes, to the page."""
        with open(self.mount_point / "ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)) == 4096:
                    pass
            except OSError:  # full: somebody else may write here, too, so it cannot be told before
                pass
            ballast.truncate(max(0, ballast.tell() - leave))

    def free(self):
        (self.mount_point / "ballast").unlink()


class WallClock:
    """The wall clock of one process, which jumps when it is told to; wall_clock.c says what that moves and what not."""

    def __init__(self, folder, name):
        self.file = Path(folder) / f"{name}.clock"
        self.library = Path(folder) / "wall_clock.so"
        if not self.library.exists():
            run("cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", self.library,
                Path(__file__).parent / "wall_clock.c")
        self.off = 0
        self.file.write_bytes(struct.pack("q", 0))

    @property
    def prefix(self):
        """What to put before a command so that it has this clock."""
        return ["env", f"LD_PRELOAD={self.library}", f"WALL_CLOCK={self.file}"]

    def set(self, off):
        """So many seconds ahead of the machine's from now on, or behind. Written in place, since it is mapped."""
        self.off = off
        with open(self.file, "r+b", buffering=0) as file:
            file.write(struct.pack("q", int(off * 1e9)))

    def now(self):
        return time.time() + self.off


def run(*command):
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def can_mount(kind, folder):
    """Nothing, or why such a disk cannot be made here."""
    if os.geteuid() != 0:
        return "mounting a file system needs root"
    for tool in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            return f"{tool} is not installed"
    trial = Path(folder) / "trial"
    trial.mkdir()
    try:
        kind(trial).close()
    except subprocess.CalledProcessError as error:
        return f"this machine cannot mount such a disk: {error.stderr.decode(errors='replace').strip()}"
    return None


def mounted(kind, folder):
    """For a fixture: made before the cluster, so unmounted after it."""
    reason = can_mount(kind, folder)
    if reason:
        pytest.skip(reason)
    disk = kind(folder)
    yield disk
    disk.close()


def can_trace():
    """Nothing, or why strace cannot steer a process here."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(trace("getpid", "signal=SIGKILL:when=9999") + ["true"], capture_output=True)
    return None if tried.returncode == 0 else "strace cannot trace here: " + tried.stderr.decode(errors="replace")


def trace(calls, inject=None, log="/dev/null", path=None):
    """What to put before a command so that `inject` befalls its `calls`, of `path` alone if one is given, counted in
    each thread. The command stays the child of whoever starts it; strace is somewhere else and ends with it."""
    # With its filter in the kernel strace is much faster, but then it forgets to inject signals.
    fast = [] if inject and "signal=" in inject else ["--seccomp-bpf"]
    return ["strace", "-D", "-f", "-qq", *fast, "-y", "-o", str(log), "-e", f"trace={calls}", "-e", "signal=none",
            *(["-P", str(path)] if path else []), *(["-e", f"inject={calls}:{inject}"] if inject else [])]
