// Finds what is not UTF-8. Pure, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_UTF8_H_
#define CHARTLY_DRONE_DECODE_UTF8_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace chartly::drone {

// The offset of the first byte that does not belong to a well-formed character (RFC 3629); npos if there is none.
size_t FindInvalidUtf8(absl::string_view text);

// PAYLOAD_NOT_UTF8, with the offset and the bytes around it. `before`: bytes of the payload in front of the text.
absl::Status NotUtf8Error(absl::string_view text, size_t offset, int64_t before = 0);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_UTF8_H_
