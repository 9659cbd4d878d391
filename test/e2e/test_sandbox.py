"""The kernel refuses the shipped drone what a drone never does. The test steps into the running process with ptrace,
which the kernel allows from outside, and lets one of its own threads ask."""

import ctypes
import errno
import os
import platform
import signal
import struct
from pathlib import Path

import pytest

from harness import wait_until

PTRACE_PEEKTEXT, PTRACE_POKETEXT, PTRACE_SINGLESTEP, PTRACE_GETREGS = 1, 4, 9, 12
PTRACE_SETREGS, PTRACE_ATTACH, PTRACE_DETACH = 13, 16, 17
# user_regs_struct of x86-64, 27 words
REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
             "ds es fs gs").split()
SYSCALL = 0x050f
CALLS = {"execve": 59, "fork": 57, "vfork": 58, "ptrace": 101, "mount": 165, "setuid": 105, "unshare": 272, "bpf": 321,
         "getpid": 39}

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, pid, address=None, data=None):
    ctypes.set_errno(0)
    result = libc.ptrace(request, pid, address, data)
    if result == -1 and ctypes.get_errno() != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")
    return result


class Borrowed:
    """The main thread of a process, stopped; as before when it is given back."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        ptrace(PTRACE_ATTACH, self.pid)
        os.waitpid(self.pid, 0x40000000)  # __WALL
        self.before = self.registers()
        self.code = ptrace(PTRACE_PEEKTEXT, self.pid, self.before["rip"])
        ptrace(PTRACE_POKETEXT, self.pid, self.before["rip"], self.code & ~0xffff | SYSCALL)
        return self

    def __exit__(self, *_):
        ptrace(PTRACE_POKETEXT, self.pid, self.before["rip"], self.code)
        self.set(self.before)
        ptrace(PTRACE_DETACH, self.pid)

    def registers(self):
        buffer = ctypes.create_string_buffer(8 * len(REGISTERS))
        ptrace(PTRACE_GETREGS, self.pid, None, ctypes.cast(buffer, ctypes.c_void_p))
        return dict(zip(REGISTERS, struct.unpack(f"{len(REGISTERS)}Q", buffer.raw)))

    def set(self, registers):
        buffer = ctypes.create_string_buffer(struct.pack(f"{len(REGISTERS)}Q", *(registers[r] for r in REGISTERS)))
        ptrace(PTRACE_SETREGS, self.pid, None, ctypes.cast(buffer, ctypes.c_void_p))

    def call(self, number):
        """What the kernel answers, with zero for every argument."""
        none = {name: 0 for name in ("rdi", "rsi", "rdx", "r10", "r8", "r9")}
        self.set({**self.before, **none, "rax": number, "orig_rax": 2 ** 64 - 1})
        ptrace(PTRACE_SINGLESTEP, self.pid)
        _, status = os.waitpid(self.pid, 0x40000000)
        assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP, status
        answer = self.registers()["rax"]
        return answer - 2 ** 64 if answer >= 2 ** 63 else answer


@pytest.fixture
def drone(single):
    started = single.drone()
    wait_until(lambda: single.get("/api/drones")["drones"], "the drone")
    return started


def test_every_thread_of_a_drone_is_in_the_sandbox(drone):
    threads = list(Path(f"/proc/{drone.process.pid}/task").iterdir())
    assert len(threads) > 3
    for thread in threads:
        status = dict(line.split(":\t", 1) for line in (thread / "status").read_text().splitlines() if ":\t" in line)
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", status["Name"]
    limits = Path(f"/proc/{drone.process.pid}/limits").read_text()
    assert [line.split()[-3:] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0", "bytes"]]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the registers are those of x86-64")
def test_what_a_drone_never_does_is_refused_to_it(single, source, drone):
    with Borrowed(drone.process.pid) as thread:
        answers = {name: thread.call(number) for name, number in CALLS.items()}
    assert answers.pop("getpid") == drone.process.pid, "the way of asking works"
    assert answers == {name: -errno.EPERM for name in answers}
    source.routes["/rows"] = lambda _query: (200, "application/json", b'[{"n": 1}, {"n": 2}]')
    single.create_profile("id: rows\nname: rows\nversion: 1.0.0\nschedule: {enabled: false}\n"
                          f"source: {{type: http_rest, url: \"{source.url}/rows\", format: json}}\n"
                          "mapping:\n  n: dims.n\n")
    assert single.run_to_end("rows")["status"] == "succeeded", "the drone goes on"
