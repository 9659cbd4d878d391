#include "drone/spool/cursor_table.h"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "drone/spool/segment.h"
#include "drone/spool/slot_file.h"

namespace chartly::drone {
namespace {

constexpr char kCursorSuffix[] = ".cursor";

}  // namespace

absl::StatusOr<CursorTable> CursorTable::Open(const std::string& directory, int64_t* damaged) {
  RETURN_IF_ERROR(MakeDirectory(directory));
  CursorTable table(directory);
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(directory));
  for (const std::string& name : names) {
    std::string path = absl::StrCat(directory, "/", name);
    if (absl::EndsWith(name, kTemporarySuffix)) ::unlink(path.c_str());
    if (!absl::EndsWith(name, kCursorSuffix)) continue;
    // The files are opened for each use: a drone may know more profiles than it may have files open.
    absl::StatusOr<std::unique_ptr<SlotFile>> file = SlotFile::Open(directory, name);
    Entry entry;
    if (file.ok() && entry.value.ParseFromString((*file)->content()) && !entry.value.profile_id().empty()) {
      entry.has_file = true;
      table.entries_.emplace(entry.value.profile_id(), std::move(entry));
      continue;
    }
    if (!file.ok() && !absl::IsDataLoss(file.status())) return file.status();
    LogError("cursor file is damaged; its profile may be read from the beginning", {{"path", path}});
    ++*damaged;
    std::string aside = absl::StrCat(path, kDamagedSuffix);
    if (::rename(path.c_str(), aside.c_str()) != 0) return ErrnoError(errno, "rename", path);
  }
  return table;
}

std::optional<storage::v1::Cursor> CursorTable::Get(const std::string& profile_id) const {
  auto found = entries_.find(profile_id);
  if (found == entries_.end() || !found->second.value.has_cursor()) return std::nullopt;
  return found->second.value.cursor();
}

CursorTable::Entry& CursorTable::EntryOf(const std::string& profile_id) {
  Entry& entry = entries_[profile_id];
  entry.value.set_profile_id(profile_id);
  return entry;
}

absl::Status CursorTable::Reserve(const std::string& profile_id) {
  Entry& entry = EntryOf(profile_id);
  return entry.has_file ? absl::OkStatus() : Save(entry);
}

void CursorTable::Set(const std::string& profile_id, const storage::v1::Cursor& cursor, int64_t seq) {
  Entry& entry = EntryOf(profile_id);
  *entry.value.mutable_cursor() = cursor;
  entry.value.set_seq(seq);
  entry.changed = true;
}

void CursorTable::Recover(int64_t seq, absl::string_view bytes, bool behind_hole) {
  storage::v1::ProfileCursor record;
  if (bytes.empty() || !record.ParseFromString(std::string(bytes))) return;
  Entry& entry = EntryOf(record.profile_id());
  if (seq <= entry.value.seq()) return;
  if (behind_hole) {
    entry.behind_hole = true;
  } else {
    Set(record.profile_id(), record.cursor(), seq);
  }
}

void CursorTable::Settle(int64_t seq) {
  for (auto& [id, entry] : entries_) {
    if (!entry.behind_hole) continue;
    entry.behind_hole = false;
    entry.value.set_seq(seq);
    entry.changed = true;
    LogWarn("rows of a profile may be lost to disk damage; its cursor was set back to fetch them again",
            {{"profile", id}});
  }
}

void CursorTable::Forget(int64_t seq) {
  for (auto& [id, entry] : entries_) {
    entry.value.clear_cursor();
    entry.value.set_seq(seq);
    entry.changed = true;
  }
}

absl::Status CursorTable::Persist() {
  absl::Status full;
  for (auto& [id, entry] : entries_) {
    if (!entry.changed) continue;
    absl::Status saved = Save(entry);
    if (!saved.ok() && !absl::IsResourceExhausted(saved)) return saved;
    full.Update(saved);
  }
  return full;
}

absl::Status CursorTable::Save(Entry& entry) {
  std::string name = HashedFileName(entry.value.profile_id(), kCursorSuffix);
  std::string content = entry.value.SerializeAsString();
  absl::StatusOr<std::unique_ptr<SlotFile>> file =
      entry.has_file ? SlotFile::Open(directory_, name) : SlotFile::Create(directory_, name, content);
  RETURN_IF_ERROR(file.status());
  if (entry.has_file) RETURN_IF_ERROR((*file)->Write(content, /*durable=*/true));
  entry.has_file = true;
  entry.changed = false;
  return absl::OkStatus();
}

}  // namespace chartly::drone
