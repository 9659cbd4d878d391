// The small durable facts of a spool: who it is and how far it got. Not thread-safe; the spool locks.
//
// Identity and base: the aggregator knows a spool by its id and numbers its entries from 1. Entry `seq` of this disk is
// number `seq - base` of the identity. A new identity is taken when the numbering the aggregator has can no longer be
// continued (entries were lost on either side), so that a gap never stalls the stream and never hides an entry.
#ifndef CHARTLY_DRONE_SPOOL_WATERMARK_H_
#define CHARTLY_DRONE_SPOOL_WATERMARK_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "drone/spool/segment.h"
#include "drone/spool/slot_file.h"

namespace chartly::drone {

struct Watermark {
  std::string spool_id;  // kSpoolIdBytes raw bytes
  int64_t base = 0;
  int64_t acked = 0;     // highest seq ever acked
  int64_t released = 0;  // entries up to it may be gone
  int64_t synced = 0;    // entries up to it were on disk; noted without an fsync, so it may lag behind
  int64_t repaired = 0;  // for holes up to it, the cursors that could hide them were set back
  uint64_t place = 0;    // PlaceOf the folder; 0 if not known
  int64_t fork = 0;      // of a copy: the last entry it has in common with what it was copied from; 0 if it is no copy
};

std::string RandomSpoolId();
// Tells a file from every copy of it, on this disk and elsewhere; 0 if the disk does not tell.
absl::StatusOr<uint64_t> PlaceOf(int fd, const std::string& path);
std::string EncodeWatermark(const Watermark& watermark);
absl::StatusOr<Watermark> DecodeWatermark(absl::string_view bytes);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_WATERMARK_H_
