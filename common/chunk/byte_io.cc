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

// The frame; empty if it could not be made.
std::string Pack(absl::string_view bytes, int level) {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t packed = ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size(), level);
  out.resize(ZSTD_isError(packed) ? 0 : packed);
  return out;
}

// At the level that suits a sample, which is all where there is little.
std::string PackSuited(absl::string_view bytes) {
  absl::string_view sample = bytes.substr((bytes.size() - std::min(bytes.size(), kSampleBytes)) / 2, kSampleBytes);
  std::string quick = Pack(sample, kLevel);
  std::string thorough = Pack(sample, kThoroughLevel);
  const bool pays = static_cast<double>(thorough.size()) < kThoroughPays * static_cast<double>(quick.size());
  if (sample.size() < bytes.size()) return Pack(bytes, pays ? kThoroughLevel : kLevel);
  return pays ? thorough : quick;
}

}  // namespace

void AppendBlock(absl::string_view bytes, std::string& out) {
  const std::string packed = bytes.empty() ? std::string() : PackSuited(bytes);
  if (!packed.empty() && packed.size() + bytes.size() / kLeastGain < bytes.size()) {
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
