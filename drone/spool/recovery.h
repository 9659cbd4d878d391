// What a spool does with the segment files it finds at open: checks every record, cuts a torn tail, sets damaged files
// aside and keeps what is sound of them. Never fails because of damage; only because the
// disk refuses, or with FailedPrecondition (SPOOL_VERSION_UNKNOWN) for files of another format version.
#ifndef CHARTLY_DRONE_SPOOL_RECOVERY_H_
#define CHARTLY_DRONE_SPOOL_RECOVERY_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "drone/spool/segment.h"

namespace chartly::drone {

// A segment as the spool keeps it in mind.
struct Segment {
  int64_t first_seq = 0;
  int64_t last_seq = 0;  // first_seq - 1 while it is empty
  int64_t bytes = 0;     // of the file
  bool damaged = false;  // known to be, and left as it is since the disk is full: read around it
};

struct RecoveryReport {
  int64_t torn_bytes = 0;  // cut from the tail: never acknowledged to the writer
  bool watermark_damaged = false;
  // Ranges of seq, both ends included, that were appended and cannot be read any more.
  std::vector<std::pair<int64_t, int64_t>> lost;
};

// What the watermark says must be there.
struct RecoveryLimits {
  int64_t released = 0;  // entries up to it may be gone
  int64_t synced = 0;    // entries up to it were on disk
  bool known = false;    // whether there is a watermark at all
};

// The segments of `directory` in order of seq. `on_record` sees every sound record once, in order.
// `newest_header` gets the header of the last readable segment; its spool_id stays empty if there is none.
absl::StatusOr<std::deque<Segment>> RecoverSegments(const std::string& directory, const RecoveryLimits& limits,
                                                    const std::function<void(const RecordHeader&)>& on_record,
                                                    SegmentHeader* newest_header, RecoveryReport* report);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_RECOVERY_H_
