// A writer that is killed: a hidden test of the same program, in a process of its own, since a fork of a process with
// RocksDB's threads cannot use RocksDB. Not thread-safe.
#ifndef CHARTLY_TEST_SUPPORT_KILLED_WRITER_H_
#define CHARTLY_TEST_SUPPORT_KILLED_WRITER_H_

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "test/support/test.h"

namespace chartly::testing {

// For the writer: the path that it is to write to; null if nobody asked for a writer, and its test then does nothing.
inline const char* WriterPath() { return std::getenv("CHARTLY_TEST_WRITER_PATH"); }

// For the writer: tells that everything up to `number` is stored. False once nobody listens.
inline bool TellStored(int64_t number) { return ::write(STDOUT_FILENO, &number, sizeof number) == sizeof number; }

// Runs the hidden test `writer` on `path` and kills it once it told `tells` times that something is stored; it is
// somewhere in a later write then. Gives the last number that it told, or `before`.
inline int64_t RunAndKill(const std::string& writer, const std::string& path, unsigned tells, int64_t before) {
  int out[2];
  REQUIRE(::pipe(out) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::close(out[0]);
    ::close(out[1]);
    ::setenv("CHARTLY_TEST_WRITER_PATH", path.c_str(), 1);
    ::execl("/proc/self/exe", "writer", writer.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(out[1]);
  int64_t number = 0, last = before;
  for (unsigned i = 0; i < tells && ::read(out[0], &number, sizeof number) == sizeof number; ++i) last = number;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (::read(out[0], &number, sizeof number) == sizeof number) last = number;
  ::close(out[0]);
  return last;
}

}  // namespace chartly::testing

#endif  // CHARTLY_TEST_SUPPORT_KILLED_WRITER_H_
