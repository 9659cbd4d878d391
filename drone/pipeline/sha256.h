// SHA-256 of a payload, for its provenance. Pure, thread-safe.
#ifndef CHARTLY_DRONE_PIPELINE_SHA256_H_
#define CHARTLY_DRONE_PIPELINE_SHA256_H_

#include <string>

#include "absl/strings/string_view.h"

namespace chartly::drone {

// 64 lower-case hex digits.
std::string Sha256Hex(absl::string_view bytes);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_SHA256_H_
