#include "common/batch/zstd_frame.h"

#include <zstd.h>

#include <memory>

namespace chartly {
namespace {

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

bool FrameHolds(absl::string_view frame, size_t bytes) {
  return ZSTD_getFrameContentSize(frame.data(), frame.size()) == bytes;
}

bool UnpackFrame(absl::string_view frame, char* out, size_t bytes) {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  const size_t unpacked = ZSTD_decompressDCtx(context.get(), out, bytes, frame.data(), frame.size());
  return !ZSTD_isError(unpacked) && unpacked == bytes;
}

}  // namespace chartly
