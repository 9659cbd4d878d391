#include "drone/spool/watermark.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <cerrno>
#include <random>

#include "common/status/status.h"
#include "drone/spool/little_endian.h"

namespace chartly::drone {

std::string RandomSpoolId() {
  std::random_device random;
  std::string id;
  while (id.size() < kSpoolIdBytes) PutFixed32(id, random());
  return id;
}

absl::StatusOr<uint64_t> PlaceOf(int fd, const std::string& path) {
  struct statx info = {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &info) != 0) return ErrnoError(errno, "stat", path);
  std::string bytes;
  PutFixed64(bytes, info.stx_ino);
  if ((info.stx_mask & STATX_BTIME) != 0) {
    PutFixed64(bytes, static_cast<uint64_t>(info.stx_btime.tv_sec));
    PutFixed32(bytes, info.stx_btime.tv_nsec);
  }
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string EncodeWatermark(const Watermark& watermark) {
  std::string bytes = watermark.spool_id;
  PutFixed64(bytes, static_cast<uint64_t>(watermark.base));
  PutFixed64(bytes, static_cast<uint64_t>(watermark.acked));
  PutFixed64(bytes, static_cast<uint64_t>(watermark.released));
  PutFixed64(bytes, static_cast<uint64_t>(watermark.synced));
  PutFixed64(bytes, static_cast<uint64_t>(watermark.repaired));
  PutFixed64(bytes, watermark.place);
  PutFixed64(bytes, static_cast<uint64_t>(watermark.fork));
  return bytes;
}

absl::StatusOr<Watermark> DecodeWatermark(absl::string_view bytes) {
  // The shorter one is of format version 1.
  if (bytes.size() != kSpoolIdBytes + 24 && bytes.size() != kSpoolIdBytes + 56) {
    return Error(absl::StatusCode::kDataLoss, "SPOOL_DAMAGED", "the watermark has the wrong size");
  }
  Watermark watermark;
  watermark.spool_id = std::string(bytes.substr(0, kSpoolIdBytes));
  watermark.base = static_cast<int64_t>(GetFixed64(bytes.data() + kSpoolIdBytes));
  watermark.acked = static_cast<int64_t>(GetFixed64(bytes.data() + kSpoolIdBytes + 8));
  watermark.released = static_cast<int64_t>(GetFixed64(bytes.data() + kSpoolIdBytes + 16));
  if (bytes.size() > kSpoolIdBytes + 24) {
    watermark.synced = static_cast<int64_t>(GetFixed64(bytes.data() + kSpoolIdBytes + 24));
    watermark.repaired = static_cast<int64_t>(GetFixed64(bytes.data() + kSpoolIdBytes + 32));
    watermark.place = GetFixed64(bytes.data() + kSpoolIdBytes + 40);
    watermark.fork = static_cast<int64_t>(GetFixed64(bytes.data() + kSpoolIdBytes + 48));
  }
  return watermark;
}

}  // namespace chartly::drone
