// Unpacking of zstd frames of a known size. Each thread keeps the state of its last one, some 100 KiB: small frames are
// unpacked in less time than that state takes to make. Pure function, thread-safe.
#ifndef CHARTLY_COMMON_BATCH_ZSTD_FRAME_H_
#define CHARTLY_COMMON_BATCH_ZSTD_FRAME_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace chartly {

// Whether the frame says that it holds that many bytes; ask before room is made for them.
bool FrameHolds(absl::string_view frame, size_t bytes);
// Unpacks it to exactly that many bytes at `out`; false if it is damaged.
[[nodiscard]] bool UnpackFrame(absl::string_view frame, char* out, size_t bytes);

}  // namespace chartly

#endif  // CHARTLY_COMMON_BATCH_ZSTD_FRAME_H_
