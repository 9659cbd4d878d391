// The `chartly` command: one noun a file (profile_commands.cc, run_commands.cc, ...), put together here.
//
// Answers go to `out`: tables for people, or with --output json the JSON of the server with every digit as it came.
// Everything else (errors, notes, progress) goes to `err`.
#ifndef CHARTLY_CLI_CLI_H_
#define CHARTLY_CLI_CLI_H_

#include <functional>
#include <ostream>
#include <string>

namespace chartly::cli {

// What programs may rely on.
enum ExitCode {
  kOk = 0,
  kFailed = 1,       // the operation failed, or the run did
  kBadInput = 2,     // wrong usage, a profile with faults, a request that the server finds wrong
  kUnreachable = 3,  // the control plane, or the part of it that was needed, does not answer
  kRefused = 4,      // no key, a wrong key, or one that may not do this
};

struct Environment {
  std::function<std::string(const char* name)> get;  // empty if unset
};

// Parses the arguments, does what they ask, and returns an ExitCode.
int RunCommandLine(int argc, const char* const* argv, const Environment& environment, std::ostream& out,
                   std::ostream& err);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_CLI_H_
