#include "common/backup/bucket_log.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/backup/durable_file.h"
#include "common/status/status.h"

namespace chartly::backup {
namespace {

namespace fs = std::filesystem;

constexpr char kParts[] = "parts";
constexpr char kLog[] = "log";
// A mark alone, while nothing is written anywhere, is not worth a request every few seconds.
constexpr int64_t kMarkEveryUs = 60'000'000;

bool IsName(absl::string_view text) {
  return !text.empty() && text != "." && text != ".." && text.find('\\') == absl::string_view::npos;
}

}  // namespace

std::string LogKey::Text() const {
  return absl::StrCat(kParts, "/", part, "/", kLog, "/", history, "/",
                      segment.has_value() ? segment->Text() : std::string(kMarkName));
}

std::optional<LogKey> LogKey::Parse(absl::string_view key) {
  const std::vector<std::string> pieces = absl::StrSplit(key, '/');
  if (pieces.size() != 5 || pieces[0] != kParts || pieces[2] != kLog) return std::nullopt;
  // A bucket is not this process's own: what it names must not lead out of the folder.
  if (!IsName(pieces[1]) || !IsName(pieces[3])) return std::nullopt;
  LogKey parsed{pieces[1], pieces[3], SegmentName::Parse(pieces[4])};
  if (!parsed.segment.has_value() && pieces[4] != kMarkName) return std::nullopt;
  return parsed;
}

void NeededLogs::Add(const BackupManifest& manifest) {
  for (const PartBackup& part : manifest.parts()) {
    if (!part.has_log()) continue;
    const auto [known, is_new] = positions_.try_emplace({part.part(), part.log().history()}, part.log().sequence());
    known->second = std::min(known->second, part.log().sequence());
  }
}

bool NeededLogs::Has(const LogKey& key) const {
  const auto found = positions_.find({key.part, key.history});
  return found != positions_.end() && (!key.segment.has_value() || key.segment->last > found->second);
}

absl::Status BucketLog::ListOnce() {
  if (there_.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<s3::Object> objects, bucket_.List(absl::StrCat(kParts, "/")));
  there_.emplace();
  for (const s3::Object& object : objects) {
    if (LogKey::Parse(object.key).has_value()) there_->insert(object.key);
  }
  return absl::OkStatus();
}

absl::StatusOr<NeededLogs> BucketLog::Needed() {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, folder_.List());
  NeededLogs all;
  for (const std::string& id : ids) {
    const absl::StatusOr<BackupManifest> manifest = folder_.Read(id);
    // One that is damaged, or went meanwhile, needs nothing.
    if (manifest.ok()) all.Add(*manifest);
  }
  return all;
}

absl::StatusOr<int64_t> BucketLog::Send() {
  RETURN_IF_ERROR(ListOnce());
  ASSIGN_OR_RETURN(const NeededLogs needed, Needed());
  int64_t bytes = 0;
  for (const auto& [place, position] : needed.positions()) {
    ASSIGN_OR_RETURN(const int64_t sent, SendHistory(place.first, place.second, position));
    bytes += sent;
  }
  return bytes;
}

absl::StatusOr<int64_t> BucketLog::SendHistory(const std::string& part, const std::string& history, uint64_t position) {
  const LogFolder log(folder_.PartFolder(part));
  // Before the segments, which are there then.
  const std::optional<LogMark> mark = log.ReadMark(history);
  ASSIGN_OR_RETURN(const std::vector<SegmentName> segments, log.Segments(history));
  int64_t bytes = 0;
  bool is_whole = true;
  for (const SegmentName& name : segments) {
    const std::string key = LogKey{part, history, name}.Text();
    if (name.last <= position || there_->contains(key)) continue;
    const std::string path = log.SegmentPath(history, name);
    std::error_code error;
    const uintmax_t size = fs::file_size(path, error);
    if (error) {  // a longer one took its place; the next call sends that
      is_whole = false;
      continue;
    }
    RETURN_IF_ERROR(bucket_.PutFile(key, path));
    bytes += static_cast<int64_t>(size);
    there_->insert(key);
    // Numbers of twenty digits sort: those that begin alike stand before it.
    for (auto it = there_->lower_bound(key.substr(0, key.rfind('-'))); it != there_->end() && *it < key;) {
      RETURN_IF_ERROR(bucket_.Delete(*it));
      it = there_->erase(it);
    }
  }
  if (mark.has_value() && is_whole) RETURN_IF_ERROR(SendMark({part, history, std::nullopt}, *mark));
  return bytes;
}

absl::Status BucketLog::SendMark(const LogKey& key, const LogMark& mark) {
  LogMark& sent = marks_[key.Text()];
  const bool is_quiet = sent.last == mark.last;
  // A moment needs the marks of all parts: those of quiet ones follow what the others have written.
  if (is_quiet && sent.time_us >= written_us_ && mark.time_us - sent.time_us < kMarkEveryUs) return absl::OkStatus();
  RETURN_IF_ERROR(bucket_.Put(key.Text(), mark.Text()));
  if (!is_quiet) written_us_ = std::max(written_us_, mark.time_us);
  sent = mark;
  return absl::OkStatus();
}

absl::Status BucketLog::Fetch(const BackupManifest& manifest) {
  for (const PartBackup& part : manifest.parts()) {
    if (!part.has_log()) continue;
    RETURN_IF_ERROR(FetchSegments(part.part(), part.log()));
  }
  return absl::OkStatus();
}

absl::Status BucketLog::FetchSegments(const std::string& part, const LogPosition& position) {
  const LogFolder log(folder_.PartFolder(part));
  const std::string begin = absl::StrCat(kParts, "/", part, "/", kLog, "/", position.history(), "/");
  if (!LogKey::Parse(begin + kMarkName).has_value()) {
    return Error(absl::StatusCode::kDataLoss, "BACKUP_CORRUPT",
                 absl::StrCat("a manifest names a log outside of the folder: ", begin));
  }
  ASSIGN_OR_RETURN(const std::vector<s3::Object> objects, bucket_.List(begin));
  RETURN_IF_ERROR(log.Begin(position.history()));
  for (const s3::Object& object : objects) {
    const std::optional<LogKey> key = LogKey::Parse(object.key);
    if (!key.has_value()) continue;
    if (!key->segment.has_value()) {
      ASSIGN_OR_RETURN(const std::string text, bucket_.Get(object.key));
      const std::optional<LogMark> mark = LogMark::Parse(text);
      const std::optional<LogMark> here = log.ReadMark(position.history());
      if (!mark.has_value() || (here.has_value() && here->last >= mark->last)) continue;
      RETURN_IF_ERROR(log.WriteMark(position.history(), *mark));
      continue;
    }
    const std::string path = log.SegmentPath(position.history(), *key->segment);
    std::error_code error;
    if (key->segment->last <= position.sequence() || fs::exists(path, error)) continue;
    RETURN_IF_ERROR(bucket_.GetFile(object.key, path));
  }
  return absl::OkStatus();
}

}  // namespace chartly::backup
