// The archived log of a part, beside its backups (docs/formats/backup.md): what was written between two of them, in
// segments that never change. A segment is named after the numbers of its first and last write, so that a missing one
// shows in the names of the others.
//
// Thread-safe; one process at a time writes, any may read. What is written is on disk once a call returns.
#ifndef CHARTLY_COMMON_BACKUP_LOG_FOLDER_H_
#define CHARTLY_COMMON_BACKUP_LOG_FOLDER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/storage/v1/backup.pb.h"

namespace chartly::backup {

using storage::v1::LogBatch;
using storage::v1::LogPosition;
using storage::v1::LogSegment;

struct SegmentName {
  uint64_t first = 0;
  uint64_t last = 0;
  // What it is called: 00000000000000000001-00000000000000000042.log
  std::string Text() const;
  static std::optional<SegmentName> Parse(absl::string_view text);
};

// Of segments in any order those that are in use, by number: while the newest grows, one that holds it whole takes its
// place.
std::vector<SegmentName> InUse(std::vector<SegmentName> segments);

// Up to when nothing is missing: what was written by then has no number above `last`.
struct LogMark {
  uint64_t last = 0;
  int64_t time_us = 0;
  std::string Text() const;
  // Nothing if it is damaged.
  static std::optional<LogMark> Parse(absl::string_view text);
};
inline constexpr char kMarkName[] = "mark";

// How far the log leads from some place.
struct LogReach {
  int64_t until_us = 0;  // every moment up to here can be had; 0 if none
  std::string fault;     // why it leads no further; empty if that is the end of what was archived
};

class LogFolder {
 public:
  // Below the folder of the copies of the part.
  explicit LogFolder(const std::string& part_folder) : path_(part_folder + "/log") {}
  std::string HistoryFolder(absl::string_view history) const;
  std::string SegmentPath(absl::string_view history, const SegmentName& name) const;

  // Oldest first; none if there is no folder. Unavailable (BACKUP_IO_ERROR), as all that follow.
  absl::StatusOr<std::vector<std::string>> Histories() const;
  // Those in use.
  absl::StatusOr<std::vector<SegmentName>> Segments(const std::string& history) const;
  // DataLoss (BACKUP_LOG_CORRUPT) names the file if it is not what was written, or missing. One whose place a longer
  // one took meanwhile is read out of that.
  absl::StatusOr<LogSegment> Read(const std::string& history, const SegmentName& name) const;
  std::optional<LogMark> ReadMark(const std::string& history) const;

  // Makes the folder of a new log.
  absl::Status Begin(const std::string& history) const;
  absl::Status Write(const LogSegment& segment) const;
  absl::Status Remove(const std::string& history, const SegmentName& name) const;
  absl::Status RemoveHistory(const std::string& history) const;
  // The one call that promises nothing about the disk: a mark that is lost makes the log seem shorter, never wrong.
  absl::Status WriteMark(const std::string& history, const LogMark& mark) const;

  // Goes over the writes behind `from` in order, up to `time`: every one that was over by then, and none that began
  // later. Gives how many. DataLoss (BACKUP_LOG_BROKEN) if one of them cannot be had: the detail "until_us" is the last
  // moment before it. `take` may refuse, which ends the call.
  absl::StatusOr<int64_t> Replay(const LogPosition& from, absl::Time time,
                                 const std::function<absl::Status(const LogBatch&)>& take) const;
  // How far it leads, by the names of the segments; at most one of them is read.
  absl::StatusOr<LogReach> Reach(const LogPosition& from) const;
  // Reads every segment behind `from`: what is wrong with them, each with the path, and how many there are. Cancelled
  // once `stopped` says true.
  struct Check {
    int64_t segments = 0;
    std::vector<std::string> faults;
  };
  absl::StatusOr<Check> Verify(const LogPosition& from, const std::function<bool()>& stopped) const;
  // Removes what is not behind any of these positions. The last segment of `active` stays, whoever needs it.
  absl::Status Keep(const std::vector<LogPosition>& positions, const std::string& active) const;

 private:
  absl::StatusOr<LogSegment> ReadFile(const std::string& history, const SegmentName& name) const;

  const std::string path_;
};

// The number of the last write of a batch or segment.
uint64_t LastOf(const LogBatch& batch);
SegmentName NameOf(const LogSegment& segment);

}  // namespace chartly::backup

#endif  // CHARTLY_COMMON_BACKUP_LOG_FOLDER_H_
