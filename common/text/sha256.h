// SHA-256 as text. Pure, thread-safe.
#ifndef CHARTLY_COMMON_TEXT_SHA256_H_
#define CHARTLY_COMMON_TEXT_SHA256_H_

#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

// 64 lower-case hex digits.
std::string Sha256Hex(absl::string_view bytes);

}  // namespace chartly

#endif  // CHARTLY_COMMON_TEXT_SHA256_H_
