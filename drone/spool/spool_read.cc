// The reading half of Spool. It needs no index in memory: entries are read in order, and the place is remembered.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/spool/spool.h"

namespace chartly::drone {

using Result = SegmentReader::Result;

absl::StatusOr<std::vector<SpoolEntry>> Spool::Read(int64_t from_seq, size_t max_bytes) {
  absl::MutexLock lock(&read_mu_);
  std::vector<SpoolEntry> entries;
  size_t bytes = 0;
  int64_t next_seq = from_seq;
  Segment segment;
  absl::Status status;
  while (FindSegment(next_seq, &segment)) {
    if (!ReadSegment(segment, &next_seq, max_bytes, &bytes, &entries, &status)) break;
    if (next_seq > segment.last_seq) continue;
    // The rest of this segment is damaged; what follows is behind a gap.
    if (!entries.empty()) break;
    next_seq = segment.last_seq + 1;
  }
  if (!status.ok()) return status;
  return entries;
}

bool Spool::FindSegment(int64_t from_seq, Segment* segment) const {
  absl::MutexLock lock(&mu_);
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].last_seq < from_seq) continue;
    *segment = segments_[i];
    bool active = active_.valid() && i + 1 == segments_.size();
    if (!active) return true;
    segment->bytes = synced_bytes_;
    segment->last_seq = synced_seq_;
    return synced_seq_ >= from_seq;
  }
  return false;
}

// It was sound when this process wrote it or checked it. The next one sets it aside and knows what is lost.
absl::Status Spool::FailDamaged(const Segment& segment, int64_t offset) {
  absl::MutexLock lock(&mu_);
  return FailLocked(Error(
      absl::StatusCode::kDataLoss, "SPOOL_DAMAGED",
      absl::StrCat("the record at ", offset, " of ", SegmentPath(segment.first_seq), " is not what was written")));
}

// Says whether the caller may go on with the next segment.
bool Spool::ReadSegment(const Segment& segment, int64_t* next_seq, size_t max_bytes, size_t* bytes,
                        std::vector<SpoolEntry>* entries, absl::Status* status) {
  bool resumes = cursor_.first_seq == segment.first_seq && cursor_.next_seq <= *next_seq && cursor_.offset > 0;
  if (!resumes) cursor_ = {segment.first_seq, segment.first_seq, static_cast<int64_t>(kSegmentHeaderBytes)};
  absl::StatusOr<SegmentReader> reader =
      SegmentReader::Open(SegmentPath(segment.first_seq), cursor_.offset, segment.bytes);
  if (!reader.ok()) {
    *status = reader.status();
    return false;
  }
  while (true) {
    absl::StatusOr<Result> result = reader->Next(cursor_.next_seq, segment.last_seq);
    if (result.ok() && *result == Result::kDamaged) {
      if (!segment.damaged) {
        *status = FailDamaged(segment, reader->offset());
        return false;
      }
      absl::StatusOr<bool> found = reader->Resync(cursor_.next_seq, segment.last_seq);
      if (found.ok() && *found) continue;
      if (found.ok()) return true;
      result = found.status();
    }
    if (!result.ok()) {
      *status = result.status();
      return false;
    }
    if (*result == Result::kEnd) return true;
    Record& record = reader->record();
    if (record.seq >= *next_seq) {
      bool gap = !entries->empty() && record.seq != *next_seq;
      bool full = !entries->empty() && *bytes + record.payload.size() > max_bytes;
      if (gap || full) return false;
      *bytes += record.payload.size();
      *next_seq = record.seq + 1;
      entries->push_back({record.seq, record.kind, std::move(record.payload)});
    }
    cursor_.next_seq = record.seq + 1;
    cursor_.offset = reader->offset();
  }
}

}  // namespace chartly::drone
