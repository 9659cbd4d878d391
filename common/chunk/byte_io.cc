#include "common/chunk/byte_io.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "common/batch/zstd_frame.h"

namespace chartly {
namespace {

constexpr int kLevel = 3;
constexpr int kThoroughLevel = 12;
// Large blocks are packed thoroughly only if that makes a sample so much smaller.
constexpr size_t kSampleBytes = size_t{32} << 10;
constexpr double kThoroughPays = 0.96;
// A frame that saves less than one part in so many is not worth unpacking.
constexpr size_t kLeastGain = 64;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

// Appends the frame; 0 if it could not be made.
size_t Pack(absl::string_view bytes, int level, std::string& out) {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  const size_t begin = out.size();
  out.resize(begin + ZSTD_compressBound(bytes.size()));
  size_t packed = ZSTD_compressCCtx(context.get(), &out[begin], out.size() - begin, bytes.data(), bytes.size(), level);
  if (ZSTD_isError(packed)) packed = 0;
  out.resize(begin + packed);
  return packed;
}

int LevelFor(absl::string_view bytes) {
  absl::string_view sample = bytes.substr((bytes.size() - std::min(bytes.size(), kSampleBytes)) / 2, kSampleBytes);
  std::string packed;
  const size_t quick = Pack(sample, kLevel, packed);
  const size_t thorough = Pack(sample, kThoroughLevel, packed);
  return static_cast<double>(thorough) < kThoroughPays * static_cast<double>(quick) ? kThoroughLevel : kLevel;
}

}  // namespace

void AppendBlock(absl::string_view bytes, std::string& out) {
  std::string packed;
  const size_t size = bytes.empty() ? 0 : Pack(bytes, LevelFor(bytes), packed);
  if (size > 0 && size + bytes.size() / kLeastGain < bytes.size()) {
    AppendText(packed, out);
    return;
  }
  AppendVarint(0, out);
  out.append(bytes.data(), bytes.size());
}

bool ReadBlock(ByteReader& in, size_t size, std::string& out) {
  uint64_t packed_bytes = 0;
  absl::string_view packed;
  if (!in.Varint(packed_bytes)) return false;
  if (packed_bytes == 0) {
    if (!in.Bytes(size, packed)) return false;
    out.append(packed.data(), packed.size());
    return true;
  }
  if (!in.Bytes(packed_bytes, packed)) return false;
  if (!FrameHolds(packed, size)) return false;
  const size_t begin = out.size();
  out.resize(begin + size);
  return UnpackFrame(packed, &out[begin], size);
}

}  // namespace chartly
