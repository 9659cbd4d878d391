#include "drone/spool/run_table.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"

namespace chartly::drone {
namespace {

constexpr char kRunSuffix[] = ".run";
constexpr size_t kMaxRunIdBytes = 255;

}  // namespace

absl::StatusOr<RunTable> RunTable::Open(const std::string& directory, int64_t* damaged) {
  RETURN_IF_ERROR(MakeDirectory(directory));
  RunTable table(directory);
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(directory));
  for (const std::string& name : names) {
    std::string path = absl::StrCat(directory, "/", name);
    if (!absl::EndsWith(name, kRunSuffix)) {
      if (absl::EndsWith(name, kTemporarySuffix)) ::unlink(path.c_str());
      continue;
    }
    absl::StatusOr<std::unique_ptr<SlotFile>> file = SlotFile::Open(directory, name);
    Run run;
    if (file.ok() && run.info.ParseFromString((*file)->content()) && !run.info.run_id().empty()) {
      run.file = *std::move(file);
      table.runs_.emplace(run.info.run_id(), std::move(run));
      continue;
    }
    if (!file.ok() && !absl::IsDataLoss(file.status())) return file.status();
    LogError("run file is damaged; its run cannot be closed", {{"path", path}});
    ++*damaged;
    std::string aside = absl::StrCat(path, kDamagedSuffix);
    if (::rename(path.c_str(), aside.c_str()) != 0) return ErrnoError(errno, "rename", path);
  }
  return table;
}

std::string RunTable::ProfileOf(const std::string& run_id) const {
  auto found = runs_.find(run_id);
  return found == runs_.end() ? "" : found->second.info.profile_id();
}

absl::Status RunTable::Begin(const v1::RunEnd& run) {
  std::string content = run.SerializeAsString();
  if (run.run_id().empty() || run.run_id().size() > kMaxRunIdBytes ||
      content.size() + 64 > SlotFile::kMaxContentBytes) {
    return Error(
        absl::StatusCode::kInvalidArgument, "RUN_INVALID",
        absl::StrCat("run id '", run.run_id().substr(0, 64), "' is empty, or the run is described by more than ",
                     SlotFile::kMaxContentBytes, " bytes"));
  }
  if (Contains(run.run_id())) {
    return Error(absl::StatusCode::kAlreadyExists, "RUN_EXISTS",
                 absl::StrCat("run ", run.run_id(), " is open already"));
  }
  Run entry;
  entry.info = run;
  entry.numbered = run.fetched() == 0;
  ASSIGN_OR_RETURN(entry.file, SlotFile::Create(directory_, HashedFileName(run.run_id(), kRunSuffix), content));
  runs_.emplace(run.run_id(), std::move(entry));
  return absl::OkStatus();
}

void RunTable::Add(int64_t fetched, int32_t pages, RecordHeader* header) {
  Run& run = runs_.at(header->run_id);
  run.info.set_fetched(run.info.fetched() + fetched);
  run.info.set_pages(run.info.pages() + pages);
  run.changed = true;
  header->run_fetched = run.info.fetched();
  header->run_pages = run.info.pages();
  header->run_record = 0;
  if (!run.numbered) return;
  header->run_record = run.last_record == 0 ? uint16_t{1} : DamagedRuns::Next(run.last_record);
  run.last_record = header->run_record;
}

void RunTable::Subtract(int64_t fetched, int32_t pages, const RecordHeader& header) {
  Run& run = runs_.at(header.run_id);
  run.info.set_fetched(run.info.fetched() - fetched);
  run.info.set_pages(run.info.pages() - pages);
  if (!run.numbered) return;
  run.last_record = header.run_record == 1 ? uint16_t{65535} : static_cast<uint16_t>(header.run_record - 1);
  if (run.info.fetched() == 0 && header.run_record == 1) run.last_record = 0;
}

void RunTable::ForgetNumbers() {
  for (auto& [id, run] : runs_) run.numbered = false;
}

void RunTable::Recover(const RecordHeader& record) {
  auto found = runs_.find(record.run_id);
  if (found == runs_.end()) return;
  v1::RunEnd& info = found->second.info;
  info.set_fetched(std::max(info.fetched(), record.run_fetched));
  info.set_pages(std::max(info.pages(), record.run_pages));
  found->second.changed = true;
  found->second.last_record = record.run_record;
  found->second.numbered = record.run_record != 0;
  if (record.kind == EntryKind::kRunEnd) MarkEnded(record.run_id);
}

void RunTable::MarkEnded(const std::string& run_id) {
  auto found = runs_.find(run_id);
  if (found == runs_.end()) return;
  found->second.info.mutable_finished_at()->set_seconds(1);  // only whether it is set matters
  found->second.changed = true;
}

absl::Status RunTable::Remove(const std::string& run_id) {
  auto run = runs_.find(run_id);
  if (run == runs_.end()) return absl::OkStatus();
  const std::string& path = run->second.file->path();
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "unlink", path);
  runs_.erase(run);
  return absl::OkStatus();
}

absl::Status RunTable::RemoveEnded() {
  std::vector<std::string> ended;
  for (const auto& [id, run] : runs_) {
    if (run.info.has_finished_at()) ended.push_back(id);
  }
  for (const std::string& id : ended) RETURN_IF_ERROR(Remove(id));
  return absl::OkStatus();
}

absl::Status RunTable::Persist() {
  for (auto& [id, run] : runs_) {
    if (!run.changed) continue;
    RETURN_IF_ERROR(run.file->Write(run.info.SerializeAsString(), /*durable=*/true));
    run.changed = false;
  }
  return absl::OkStatus();
}

std::vector<v1::RunEnd> RunTable::Open() const {
  std::vector<v1::RunEnd> open;
  for (const auto& [id, run] : runs_) {
    if (!run.info.has_finished_at()) open.push_back(run.info);
  }
  return open;
}

}  // namespace chartly::drone
