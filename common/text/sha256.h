// SHA-256. Pure; Sha256Hex is thread-safe, a Sha256 is not.
#ifndef CHARTLY_COMMON_TEXT_SHA256_H_
#define CHARTLY_COMMON_TEXT_SHA256_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

// 64 lower-case hex digits.
std::string Sha256Hex(absl::string_view bytes);

// The same of a text that comes in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Add(absl::string_view piece);
  // 64 lower-case hex digits of all pieces. Requires: called once, nothing is added after it.
  std::string Hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_TEXT_SHA256_H_
