#include "drone/sandbox.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/handle/handle.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

using Filter = std::unique_ptr<void, FreedBy<seccomp_release>>;

constexpr uint32_t kRefused = SCMP_ACT_ERRNO(EPERM);
constexpr uint64_t kSocketTypeMask = 0xf;

// By name, since not every machine or library knows each.
constexpr const char* kNever[] = {
    // programs and processes
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
    "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
    // files by other ways than their names, and other views of them
    "mount", "umount2", "pivot_root", "chroot", "fsopen", "fsmount", "fsconfig", "fspick", "open_tree", "move_mount",
    "mount_setattr", "open_by_handle_at", "name_to_handle_at", "mknod", "mknodat", "fanotify_init", "quotactl",
    "quotactl_fd", "swapon", "swapoff", "acct",
    // users and namespaces
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "capset",
    "unshare", "setns", "personality", "add_key", "request_key", "keyctl",
    // the machine
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "iopl", "ioperm",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "syslog", "vhangup",
    // large and young parts of the kernel that nothing here needs
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "lookup_dcookie",
    "nfsservctl", "uselib", "ustat", "sysfs", "vmsplice", "modify_ldt"};

int RefuseAlways(void* filter) {
  for (const char* name : kNever) {
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;
    int error = seccomp_rule_add(filter, kRefused, number, 0);
    // A call of other machines.
    if (error != 0 && error != -EDOM) return error;
  }
  return 0;
}

// Threads are made, processes are not. clone3 keeps its arguments where a filter cannot see them; the C library asks
// the older way once it hears that there is no such call.
int RefuseProcesses(void* filter) {
  int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (error != 0) return error;
  return seccomp_rule_add(filter, kRefused, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

int RefuseSignalsToOthers(void* filter) {
  const auto self = static_cast<uint64_t>(::getpid());
  int error = seccomp_rule_add(filter, kRefused, SCMP_SYS(kill), 1, SCMP_A0(SCMP_CMP_NE, self));
  return error != 0 ? error : seccomp_rule_add(filter, kRefused, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_NE, self));
}

int RefuseSockets(void* filter) {
  // The resolver asks the kernel for addresses over AF_NETLINK, so that raw ones of it are meant to be.
  for (unsigned family = 0; family < AF_NETLINK; ++family) {
    bool used = family == AF_UNIX || family == AF_INET || family == AF_INET6;
    int error = used ? seccomp_rule_add(filter, kRefused, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, family),
                                        SCMP_A1(SCMP_CMP_MASKED_EQ, kSocketTypeMask, SOCK_RAW))
                     : seccomp_rule_add(filter, kRefused, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, family));
    if (error != 0) return error;
  }
  return seccomp_rule_add(filter, kRefused, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
}

absl::Status UnavailableError(absl::string_view step, int error) {
  return Error(absl::StatusCode::kUnavailable, "SANDBOX_UNAVAILABLE",
               absl::StrCat("the kernel does not filter the system calls of this drone (", step, ": ",
                            std::strerror(-error), "); it works, but with what its user may do"));
}

}  // namespace

absl::Status EnterSandbox() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  Filter filter(seccomp_init(SCMP_ACT_ALLOW));
  if (filter == nullptr) return UnavailableError("memory", -ENOMEM);
  for (auto* refuse : {RefuseAlways, RefuseProcesses, RefuseSignalsToOthers, RefuseSockets}) {
    int error = refuse(filter.get());
    if (error != 0) return UnavailableError("rules", error);
  }
  int error = seccomp_load(filter.get());
  return error == 0 ? absl::OkStatus() : UnavailableError("load", error);
}

}  // namespace chartly::drone
