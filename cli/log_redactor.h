// Takes out of log lines what must not leave the cluster with them: credentials in headers, fields and addresses, keys
// of Chartly, tokens, private keys. Programs of Chartly never log such things; what stands around them may. Rather too
// much goes than too little. Not thread-safe: a private key lies over several lines, which come one after the other.
#ifndef CHARTLY_CLI_LOG_REDACTOR_H_
#define CHARTLY_CLI_LOG_REDACTOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace chartly::cli {

class LogRedactor {
 public:
  // `known` are secrets as they are, which go wherever they stand; those of less than 8 bytes would take words with
  // them and are left out.
  explicit LogRedactor(std::vector<std::string> known = {});
  // The line with [redacted] for each secret.
  std::string Redact(absl::string_view line);
  // Before the first line of another log.
  void Begin() { in_key_ = false; }
  // How many were taken out since it was made.
  int64_t count() const { return count_; }

 private:
  std::vector<std::string> known_;
  bool in_key_ = false;
  int64_t count_ = 0;
};

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_LOG_REDACTOR_H_
