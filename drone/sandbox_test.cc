#include "drone/sandbox.h"

#include <fcntl.h>
#include <iconv.h>
#include <netdb.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>
#include <thread>

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

// Says whether `check` held in a process of its own, in the sandbox. Says true, and why, where there are no filters.
bool Inside(const std::function<bool()>& check) {
  std::fflush(stdout);
  pid_t pid = ::fork();
  if (pid == 0) {
    absl::Status entered = EnterSandbox();
    if (!entered.ok()) std::printf("skipped: %s\n", std::string(entered.message()).c_str());
    std::fflush(stdout);
    ::_exit(!entered.ok() || check() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool IsRefused(long result) { return result == -1 && errno == EPERM; }

}  // namespace

TEST_CASE("programs and processes are not started in the sandbox") {
  CHECK(Inside([] {
    char path[] = "/bin/true";
    char* const arguments[] = {path, nullptr};
    return IsRefused(::execv(path, arguments));
  }));
  CHECK(Inside([] { return IsRefused(::fork()); }));
  CHECK(Inside([] { return IsRefused(::syscall(SYS_vfork)); }));
  CHECK(Inside([] { return IsRefused(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }));
  CHECK(Inside([] { return ::syscall(SYS_clone3, nullptr, 0) == -1 && errno == ENOSYS; }));
}

TEST_CASE("other processes are out of reach from the sandbox") {
  CHECK(Inside([] { return IsRefused(::kill(::getppid(), 0)); }));
  CHECK(Inside([] { return IsRefused(::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0)); }));
  CHECK(Inside([] { return IsRefused(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }));
  CHECK(Inside([] { return IsRefused(::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0)); }));
  CHECK(Inside([] { return ::kill(::getpid(), 0) == 0 && ::raise(SIGCONT) == 0; }));
}

TEST_CASE("the sandbox leaves the machine and the users as they are") {
  CHECK(Inside([] { return IsRefused(::mount("none", "/tmp", "tmpfs", 0, nullptr)); }));
  CHECK(Inside([] { return IsRefused(::setuid(::getuid())); }));
  CHECK(Inside([] { return IsRefused(::unshare(CLONE_NEWUSER)); }));
  CHECK(Inside([] { return IsRefused(::syscall(SYS_bpf, 0, nullptr, 0)); }));
  CHECK(Inside([] { return IsRefused(::syscall(SYS_io_uring_setup, 1, nullptr)); }));
}

TEST_CASE("in the sandbox there are sockets of TCP/IP and of this host, and no others") {
  CHECK(Inside([] { return IsRefused(::socket(AF_PACKET, SOCK_RAW, 0)); }));
  CHECK(Inside([] { return IsRefused(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP)); }));
  CHECK(Inside([] { return IsRefused(::socket(AF_ALG, SOCK_SEQPACKET, 0)); }));
  CHECK(Inside([] { return IsRefused(::socket(AF_VSOCK, SOCK_STREAM, 0)); }));
  for (int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
    int type = family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM;
    CHECK(Inside([&] { return ::socket(family, type | SOCK_CLOEXEC, 0) >= 0 || errno == EAFNOSUPPORT; }));
  }
}

TEST_CASE("what a drone does works in the sandbox, and nothing is left of it when it crashes") {
  CHECK(Inside([] {
    bool ran = false;
    std::thread thread([&] { ran = true; });
    thread.join();
    return ran;
  }));
  CHECK(Inside([] {
    addrinfo* found = nullptr;
    return ::getaddrinfo("localhost", "80", nullptr, &found) == 0;
  }));
  CHECK(Inside([] { return ::iconv_open("UTF-8", "SHIFT_JIS") != iconv_t(-1); }));  // loads a library
  CHECK(Inside([] {
    rlimit core{1, 1};
    return ::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0;
  }));
}

}  // namespace chartly::drone
