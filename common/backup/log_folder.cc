#include "common/backup/log_folder.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/backup/durable_file.h"
#include "common/status/status.h"
#include "common/text/sha256.h"

namespace chartly::backup {
namespace {

namespace fs = std::filesystem;

constexpr int kSegmentFormat = 1;
constexpr char kSegmentSuffix[] = ".log";
constexpr size_t kNameDigits = 20;
constexpr size_t kSumDigits = 64;

absl::Status Corrupt(const std::string& path, absl::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "BACKUP_LOG_CORRUPT", absl::StrCat(path, ": ", what), {{"path", path}});
}

// `content` with its checksum behind it.
std::string Sealed(const std::string& content) { return content + Sha256Hex(content); }

std::optional<absl::string_view> Unsealed(absl::string_view text) {
  if (text.size() < kSumDigits) return std::nullopt;
  const absl::string_view content = text.substr(0, text.size() - kSumDigits);
  if (text.substr(content.size()) != Sha256Hex(content)) return std::nullopt;
  return content;
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  if (!fs::exists(folder, error)) return names;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) return IoError(folder, error.message());
  std::sort(names.begin(), names.end());
  return names;
}

bool IsInOrder(const LogSegment& segment) {
  if (segment.batches_size() == 0) return false;
  uint64_t next = segment.batches(0).first();
  for (const LogBatch& batch : segment.batches()) {
    if (batch.first() != next || batch.ops_size() == 0) return false;
    next = LastOf(batch) + 1;
  }
  return true;
}

// Segments one behind the other from `next` on; `fault` says why there are no more, if there should be.
struct Chain {
  std::vector<SegmentName> segments;
  std::string fault;
};

Chain ChainFrom(const std::vector<SegmentName>& segments, uint64_t sequence) {
  Chain chain;
  uint64_t next = sequence + 1;
  for (const SegmentName& segment : segments) {
    if (segment.last < next) continue;
    if (segment.first > next) {
      chain.fault = absl::StrCat("the segment with write ", next, " is missing");
      break;
    }
    chain.segments.push_back(segment);
    next = segment.last + 1;
  }
  return chain;
}

absl::Status Broken(int64_t until_us, absl::string_view why) {
  return Error(absl::StatusCode::kDataLoss, "BACKUP_LOG_BROKEN", why, {{"until_us", absl::StrCat(until_us)}});
}

}  // namespace

uint64_t LastOf(const LogBatch& batch) { return batch.first() + static_cast<uint64_t>(batch.ops_size()) - 1; }

SegmentName NameOf(const LogSegment& segment) {
  return {segment.batches(0).first(), LastOf(segment.batches(segment.batches_size() - 1))};
}

std::string SegmentName::Text() const { return absl::StrFormat("%020d-%020d%s", first, last, kSegmentSuffix); }

std::optional<SegmentName> SegmentName::Parse(absl::string_view text) {
  SegmentName name;
  if (!absl::ConsumeSuffix(&text, kSegmentSuffix) || text.size() != 2 * kNameDigits + 1) return std::nullopt;
  if (!absl::SimpleAtoi(text.substr(0, kNameDigits), &name.first)) return std::nullopt;
  if (!absl::SimpleAtoi(text.substr(kNameDigits + 1), &name.last) || name.last < name.first) return std::nullopt;
  return name;
}

std::vector<SegmentName> InUse(std::vector<SegmentName> segments) {
  // Of those that begin alike the longest comes first.
  std::sort(segments.begin(), segments.end(), [](const SegmentName& a, const SegmentName& b) {
    return std::pair(a.first, b.last) < std::pair(b.first, a.last);
  });
  std::vector<SegmentName> used;
  for (const SegmentName& segment : segments) {
    if (used.empty() || segment.last > used.back().last) used.push_back(segment);
  }
  return used;
}

std::string LogMark::Text() const { return Sealed(absl::StrCat(last, " ", time_us, "\n")); }

std::optional<LogMark> LogMark::Parse(absl::string_view text) {
  const std::optional<absl::string_view> content = Unsealed(text);
  if (!content.has_value()) return std::nullopt;
  LogMark mark;
  const std::pair<absl::string_view, absl::string_view> numbers =
      absl::StrSplit(absl::StripSuffix(*content, "\n"), absl::MaxSplits(' ', 1));
  if (!absl::SimpleAtoi(numbers.first, &mark.last) || !absl::SimpleAtoi(numbers.second, &mark.time_us)) {
    return std::nullopt;
  }
  return mark;
}

std::string LogFolder::HistoryFolder(absl::string_view history) const { return absl::StrCat(path_, "/", history); }

std::string LogFolder::SegmentPath(absl::string_view history, const SegmentName& name) const {
  return absl::StrCat(HistoryFolder(history), "/", name.Text());
}

absl::StatusOr<std::vector<std::string>> LogFolder::Histories() const { return NamesIn(path_); }

absl::StatusOr<std::vector<SegmentName>> LogFolder::Segments(const std::string& history) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(HistoryFolder(history)));
  std::vector<SegmentName> segments;
  for (const std::string& name : names) {
    if (const std::optional<SegmentName> segment = SegmentName::Parse(name)) segments.push_back(*segment);
  }
  return InUse(std::move(segments));
}

absl::StatusOr<LogSegment> LogFolder::Read(const std::string& history, const SegmentName& name) const {
  absl::StatusOr<LogSegment> segment = ReadFile(history, name);
  if (!absl::IsDataLoss(segment.status())) return segment;
  ASSIGN_OR_RETURN(const std::vector<SegmentName> segments, Segments(history));
  for (const SegmentName& each : segments) {
    if (each.first == name.first && each.last > name.last) return ReadFile(history, each);
  }
  return segment;
}

absl::StatusOr<LogSegment> LogFolder::ReadFile(const std::string& history, const SegmentName& name) const {
  const std::string path = SegmentPath(history, name);
  const absl::StatusOr<std::string> text = ReadWhole(path);
  if (absl::IsNotFound(text.status())) return Corrupt(path, "missing");
  RETURN_IF_ERROR(text.status());
  const std::optional<absl::string_view> content = Unsealed(*text);
  if (!content.has_value()) return Corrupt(path, "its checksum is not that of what was written");
  LogSegment segment;
  if (!segment.ParseFromArray(content->data(), static_cast<int>(content->size()))) {
    return Corrupt(path, "it does not parse");
  }
  if (segment.format() != kSegmentFormat) {
    return Error(absl::StatusCode::kFailedPrecondition, "BACKUP_FORMAT_UNKNOWN",
                 absl::StrCat(path, " has format ", segment.format(), ", this program knows ", kSegmentFormat,
                              "; use the version that wrote it"));
  }
  const bool fits = segment.history() == history && IsInOrder(segment) && NameOf(segment).Text() == name.Text();
  return fits ? absl::StatusOr<LogSegment>(std::move(segment)) : Corrupt(path, "it is another one than its name says");
}

std::optional<LogMark> LogFolder::ReadMark(const std::string& history) const {
  const absl::StatusOr<std::string> text = ReadWhole(absl::StrCat(HistoryFolder(history), "/", kMarkName));
  return text.ok() ? LogMark::Parse(*text) : std::nullopt;
}

absl::Status LogFolder::Begin(const std::string& history) const {
  std::error_code error;
  fs::create_directories(HistoryFolder(history), error);
  if (error) return IoError(HistoryFolder(history), error.message());
  RETURN_IF_ERROR(SyncFolder(path_));
  return SyncFolder(fs::path(path_).parent_path().string());
}

absl::Status LogFolder::Write(const LogSegment& segment) const {
  LogSegment stamped = segment;
  stamped.set_format(kSegmentFormat);
  return WriteDurably(SegmentPath(segment.history(), NameOf(segment)), Sealed(stamped.SerializeAsString()));
}

absl::Status LogFolder::Remove(const std::string& history, const SegmentName& name) const {
  std::error_code error;
  fs::remove(SegmentPath(history, name), error);
  return error ? IoError(SegmentPath(history, name), error.message()) : absl::OkStatus();
}

absl::Status LogFolder::RemoveHistory(const std::string& history) const {
  std::error_code error;
  fs::remove_all(HistoryFolder(history), error);
  return error ? IoError(HistoryFolder(history), error.message()) : absl::OkStatus();
}

absl::Status LogFolder::WriteMark(const std::string& history, const LogMark& mark) const {
  return WriteAtOnce(absl::StrCat(HistoryFolder(history), "/", kMarkName), mark.Text());
}

absl::StatusOr<int64_t> LogFolder::Replay(const LogPosition& from, absl::Time time,
                                          const std::function<absl::Status(const LogBatch&)>& take) const {
  const int64_t time_us = absl::ToUnixMicros(time);
  ASSIGN_OR_RETURN(const std::vector<SegmentName> segments, Segments(from.history()));
  const Chain chain = ChainFrom(segments, from.sequence());
  int64_t count = 0;
  int64_t seen_us = 0;
  uint64_t sequence = from.sequence();
  // What comes behind a write was over later than that was begun, so up to there nothing can be missing.
  const auto end = [&](int64_t until_us, absl::string_view why) -> absl::StatusOr<int64_t> {
    if (time_us <= until_us) return count;
    return Broken(until_us, why);
  };
  for (const SegmentName& name : chain.segments) {
    const absl::StatusOr<LogSegment> segment = Read(from.history(), name);
    if (absl::IsDataLoss(segment.status())) return end(seen_us, segment.status().message());
    RETURN_IF_ERROR(segment.status());
    for (const LogBatch& batch : segment->batches()) {
      if (batch.first() <= sequence) continue;
      if (batch.time_us() > time_us) return count;
      RETURN_IF_ERROR(take(batch));
      ++count;
      sequence = LastOf(batch);
      seen_us = std::max(seen_us, batch.time_us());
    }
  }
  if (!chain.fault.empty()) return end(seen_us, chain.fault);
  const std::optional<LogMark> mark = ReadMark(from.history());
  if (!mark.has_value()) return end(seen_us, "the log ends there");
  if (mark->last > sequence) return end(seen_us, absl::StrCat("the segment with write ", sequence + 1, " is missing"));
  return end(std::max(seen_us, mark->time_us), "the log ends there");
}

absl::StatusOr<LogReach> LogFolder::Reach(const LogPosition& from) const {
  ASSIGN_OR_RETURN(const std::vector<SegmentName> segments, Segments(from.history()));
  const Chain chain = ChainFrom(segments, from.sequence());
  LogReach reach;
  reach.fault = chain.fault;
  const uint64_t last = chain.segments.empty() ? from.sequence() : chain.segments.back().last;
  const std::optional<LogMark> mark = ReadMark(from.history());
  if (reach.fault.empty() && mark.has_value()) {
    if (mark->last <= last) reach.until_us = mark->time_us;
    if (mark->last > last) reach.fault = absl::StrCat("the segment with write ", last + 1, " is missing");
  }
  if (reach.until_us > 0 || chain.segments.empty()) return reach;
  const absl::StatusOr<LogSegment> segment = Read(from.history(), chain.segments.back());
  if (segment.ok()) reach.until_us = segment->batches(segment->batches_size() - 1).time_us();
  if (!segment.ok()) reach.fault = std::string(segment.status().message());
  return reach;
}

absl::StatusOr<LogFolder::Check> LogFolder::Verify(const LogPosition& from,
                                                   const std::function<bool()>& stopped) const {
  ASSIGN_OR_RETURN(const std::vector<SegmentName> segments, Segments(from.history()));
  Check check;
  for (const SegmentName& name : segments) {
    if (stopped()) return absl::CancelledError("stopped");
    if (name.last <= from.sequence()) continue;
    ++check.segments;
    const absl::StatusOr<LogSegment> segment = Read(from.history(), name);
    if (!segment.ok()) check.faults.emplace_back(segment.status().message());
  }
  ASSIGN_OR_RETURN(const LogReach reach, Reach(from));
  // A missing one, which no file tells of.
  if (check.faults.empty() && !reach.fault.empty()) {
    check.faults.push_back(absl::StrCat(HistoryFolder(from.history()), ": ", reach.fault));
  }
  return check;
}

absl::Status LogFolder::Keep(const std::vector<LogPosition>& positions, const std::string& active) const {
  std::map<std::string, uint64_t> least;
  for (const LogPosition& position : positions) {
    const auto [known, is_new] = least.try_emplace(position.history(), position.sequence());
    known->second = std::min(known->second, position.sequence());
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> histories, Histories());
  for (const std::string& history : histories) {
    const auto needed = least.find(history);
    if (needed == least.end() && history != active) {
      RETURN_IF_ERROR(RemoveHistory(history));
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(HistoryFolder(history)));
    ASSIGN_OR_RETURN(const std::vector<SegmentName> used, Segments(history));
    for (const std::string& name : names) {
      const std::optional<SegmentName> segment = SegmentName::Parse(name);
      if (!segment.has_value()) continue;
      const bool is_newest = history == active && segment->Text() == used.back().Text();
      const bool is_behind = needed != least.end() && segment->last > needed->second;
      // One that a longer one took the place of stays behind when a process is killed.
      const bool is_used = std::any_of(used.begin(), used.end(),
                                       [&](const SegmentName& each) { return each.Text() == segment->Text(); });
      if (!is_newest && (!is_behind || !is_used)) RETURN_IF_ERROR(Remove(history, *segment));
    }
  }
  return absl::OkStatus();
}

}  // namespace chartly::backup
