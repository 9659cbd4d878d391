#include "drone/spool/recovery.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace chartly::drone {
namespace {

using Result = SegmentReader::Result;

// A stretch of a file that holds sound records.
struct Stretch {
  int64_t begin;
  int64_t end;
};

struct Scan {
  Segment segment;
  std::optional<SegmentHeader> header;
  std::vector<Stretch> sound;
  std::vector<std::pair<int64_t, int64_t>> lost;  // between sound records
  bool tail_damaged = false;                      // nothing sound follows the last stretch, but bytes do
  // A hole between records without unreadable bytes is the trace of an earlier repair.
  bool damaged() const { return !header || sound.size() > 1; }
};

absl::StatusOr<Scan> ScanSegment(const std::string& path, int64_t first_seq, int64_t max_seq,
                                 const std::function<void(const RecordHeader&)>& on_record) {
  Scan scan;
  scan.segment = {first_seq, first_seq - 1, 0};
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_RDONLY));
  ASSIGN_OR_RETURN(scan.segment.bytes, FileSize(file.get(), path));
  ASSIGN_OR_RETURN(std::string head, ReadAt(file.get(), 0, kSegmentHeaderBytes, path));
  uint32_t version = 0;
  if (IsOtherVersion(head, &version)) {
    return Error(absl::StatusCode::kFailedPrecondition, "SPOOL_VERSION_UNKNOWN",
                 absl::StrCat(path, " has format version ", version, "; this drone knows version ", kSpoolFormatVersion,
                              ". Start the drone that wrote it until it has sent everything"),
                 {{"path", path}});
  }
  scan.header = DecodeSegmentHeader(head);
  if (scan.header && scan.header->first_seq != first_seq) scan.header.reset();
  ASSIGN_OR_RETURN(SegmentReader reader, SegmentReader::Open(path));
  scan.sound.push_back({kSegmentHeaderBytes, kSegmentHeaderBytes});
  while (true) {
    int64_t expected = scan.segment.last_seq + 1;
    ASSIGN_OR_RETURN(Result result, reader.Next(expected, max_seq));
    if (result == Result::kEnd) break;
    if (result == Result::kDamaged) {
      ASSIGN_OR_RETURN(bool found, reader.Resync(expected, max_seq));
      if (!found) {
        scan.tail_damaged = true;
        break;
      }
      scan.sound.push_back({reader.offset(), reader.offset()});
      continue;
    }
    const Record& record = reader.record();
    if (record.seq > expected) scan.lost.push_back({expected, record.seq - 1});
    scan.segment.last_seq = record.seq;
    scan.sound.back().end = reader.offset();
    on_record(record);
  }
  return scan;
}

// Keeps the file under *.damaged for whoever wants to look, and puts a file with only the sound records in its place.
absl::Status SetAside(const std::string& directory, Scan& scan) {
  std::string name = SegmentName(scan.segment.first_seq);
  std::string path = absl::StrCat(directory, "/", name);
  std::string aside = absl::StrCat(path, kDamagedSuffix);
  if (scan.segment.last_seq < scan.segment.first_seq) {
    if (::rename(path.c_str(), aside.c_str()) != 0) return ErrnoError(errno, "rename", path);
    scan.segment.bytes = 0;
    return SyncDirectory(directory);
  }
  // Without a sound header the identity is not known from here; the watermark has it.
  SegmentHeader header =
      scan.header.value_or(SegmentHeader{std::string(kSpoolIdBytes, '\0'), 0, scan.segment.first_seq});
  std::string bytes = EncodeSegmentHeader(header);
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_RDONLY));
  for (const Stretch& stretch : scan.sound) {
    ASSIGN_OR_RETURN(std::string part,
                     ReadAt(file.get(), stretch.begin, static_cast<size_t>(stretch.end - stretch.begin), path));
    bytes += part;
  }
  ::unlink(aside.c_str());
  if (::link(path.c_str(), aside.c_str()) != 0) return ErrnoError(errno, "link", path);
  RETURN_IF_ERROR(WriteFileDurably(directory, name, bytes));
  scan.segment.bytes = static_cast<int64_t>(bytes.size());
  return absl::OkStatus();
}

absl::Status CutTail(const std::string& path, Scan& scan, RecoveryReport* report) {
  int64_t end = scan.sound.back().end;
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_RDWR));
  if (::ftruncate(file.get(), end) != 0) return ErrnoError(errno, "truncate", path);
  RETURN_IF_ERROR(SyncData(file.get(), path));
  LogWarn("torn end of the spool cut off", {{"path", path}, {"bytes", absl::StrCat(scan.segment.bytes - end)}});
  report->torn_bytes += scan.segment.bytes - end;
  scan.segment.bytes = end;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> ListSegments(const std::string& directory) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(directory));
  std::vector<int64_t> firsts;
  for (const std::string& name : names) {
    if (absl::EndsWith(name, kTemporarySuffix)) ::unlink(absl::StrCat(directory, "/", name).c_str());
    if (std::optional<int64_t> first_seq = ParseSegmentName(name)) firsts.push_back(*first_seq);
  }
  std::sort(firsts.begin(), firsts.end());
  return firsts;
}

void ReportLost(const std::string& path, const RecoveryLimits& limits, int64_t first, int64_t last,
                RecoveryReport* report) {
  first = std::max(first, limits.released + 1);
  if (first > last) return;
  report->lost.push_back({first, last});
  LogError("spool entries lost to disk damage; the file is kept under *.damaged",
           {{"path", path}, {"first_seq", absl::StrCat(first)}, {"last_seq", absl::StrCat(last)}});
}

}  // namespace

absl::StatusOr<std::deque<Segment>> RecoverSegments(const std::string& directory, const RecoveryLimits& limits,
                                                    const std::function<void(const RecordHeader&)>& on_record,
                                                    SegmentHeader* newest_header, RecoveryReport* report) {
  ASSIGN_OR_RETURN(std::vector<int64_t> firsts, ListSegments(directory));
  std::deque<Segment> segments;
  bool front_gone = limits.known && !firsts.empty() && firsts[0] > limits.released + 1;
  if (front_gone) ReportLost(directory, limits, limits.released + 1, firsts[0] - 1, report);
  for (size_t i = 0; i < firsts.size(); ++i) {
    bool last = i + 1 == firsts.size();
    // No record of a segment can be as new as those of the next one.
    int64_t max_seq = last ? std::numeric_limits<int64_t>::max() - 1 : firsts[i + 1] - 1;
    std::string path = absl::StrCat(directory, "/", SegmentName(firsts[i]));
    ASSIGN_OR_RETURN(Scan scan, ScanSegment(path, firsts[i], max_seq, on_record));
    // Only the last segment can have a torn tail: a segment is on disk before the next one is made. And only entries
    // that were never on disk can be in it.
    bool torn = last && scan.tail_damaged && !scan.damaged() && scan.segment.last_seq >= limits.synced;
    if (torn) {
      RETURN_IF_ERROR(CutTail(path, scan, report));
    } else if (scan.damaged() || scan.tail_damaged) {
      for (const auto& [first, end] : scan.lost) ReportLost(path, limits, first, end, report);
      absl::Status aside = SetAside(directory, scan);
      // On a full disk the file stays as it is: it is read around the damage all the same.
      if (!aside.ok() && !absl::IsResourceExhausted(aside)) return aside;
      scan.segment.damaged = !aside.ok();
    }
    int64_t must_have = last ? limits.synced : max_seq;
    if (scan.segment.last_seq < must_have) ReportLost(path, limits, scan.segment.last_seq + 1, must_have, report);
    if (scan.header) *newest_header = *scan.header;
    if (scan.segment.bytes > 0) segments.push_back(scan.segment);
  }
  if (firsts.empty() && limits.synced > limits.released) {
    ReportLost(directory, limits, limits.released + 1, limits.synced, report);
  }
  return segments;
}

}  // namespace chartly::drone
