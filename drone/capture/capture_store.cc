#include "drone/capture/capture_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "common/text/sha256.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;

constexpr char kIndex[] = "index";
constexpr char kPayloadSuffix[] = ".zst";
constexpr char kNoRoom[] = "CAPTURE_NO_ROOM";
constexpr size_t kMaxProfiles = 1000;
constexpr absl::Duration kTidyInterval = absl::Seconds(10);

// What is over a bound is brought a little below it, so that the index is not written anew for every fetch.
int64_t Below(int64_t bound) { return bound / 8 * 7; }

int64_t SizeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<int64_t>(info.st_size) : 0;
}

std::string OutcomeOf(const absl::Status& status, bool anew) {
  if (status.ok()) return anew ? "new" : "known";
  if (Reason(status) == kNoRoom) return "no_room";
  return Reason(status) == "CAPTURE_TOO_LARGE" ? "too_large" : "failed";
}

void NoteKept(const absl::Status& status, const std::string& profile_id, bool anew) {
  Count("chartly_capture_fetches_total", 1, OutcomeOf(status, anew));
  // That there is no room is told by each fetch of each profile until somebody makes some.
  if (status.ok() || Reason(status) == kNoRoom) return;
  LogWarn("payload not kept", {{"profile", profile_id}, {"error", std::string(status.message())}});
}

}  // namespace

CaptureStore::Intake::Intake(CaptureStore& store, std::string profile_id, const CaptureConfig& bounds, Fetch fetch)
    : store_(store), profile_id_(std::move(profile_id)), bounds_(bounds), fetch_(std::move(fetch)) {
  std::string path;
  int64_t most = 0;
  {
    absl::MutexLock lock(&store_.mu_);
    most = std::min(bounds.max_bytes, store_.Allowance());
    path = absl::StrCat(store_.FolderOf(profile_id_), "/", store_.next_name_++, kTemporarySuffix);
    status_ = most > 0 ? store_.Prepare(profile_id_, bounds)
                       : Error(absl::StatusCode::kResourceExhausted, kNoRoom,
                               "the drone has no room for payloads (--capture-bytes, and free space of its disk)");
  }
  if (!status_.ok()) return;
  absl::StatusOr<std::unique_ptr<PackedFile>> file = PackedFile::Create(path, most);
  status_ = file.status();
  if (file.ok()) file_ = *std::move(file);
}

void CaptureStore::Intake::Add(absl::string_view piece) {
  if (status_.ok()) status_ = file_->Add(piece);
  if (!status_.ok()) file_.reset();  // its space is wanted back at once
}

bool CaptureStore::Intake::Keep(const std::string& sha256, int64_t bytes) {
  if (status_.ok()) status_ = file_->Finish();
  fetch_.set_sha256(sha256);
  fetch_.set_bytes(bytes);
  if (status_.ok()) status_ = store_.File(profile_id_, bounds_, fetch_, file_.get());
  NoteKept(status_, profile_id_, true);
  return status_.ok();
}

absl::StatusOr<std::unique_ptr<CaptureStore>> CaptureStore::Open(CaptureStoreOptions options, Clock& clock) {
  RETURN_IF_ERROR(MakeDirectory(options.folder));
  std::unique_ptr<CaptureStore> store(new CaptureStore(std::move(options), clock));
  absl::MutexLock lock(&store->mu_);
  RETURN_IF_ERROR(store->Load());
  store->KeepWhole();
  return store;
}

absl::Status CaptureStore::Load() {
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(options_.folder));
  for (const std::string& name : names) {
    if (!IsValidId(name)) continue;
    absl::Status loaded = LoadShelf(name);
    if (!loaded.ok()) LogError("kept payloads cannot be read", {{"profile", name}, {"error", loaded.ToString()}});
  }
  return absl::OkStatus();
}

absl::Status CaptureStore::LoadShelf(const std::string& profile_id) {
  ASSIGN_OR_RETURN(CaptureIndex index, ReadIndex(profile_id));
  std::set<std::string> named = {kIndex};
  for (const Fetch& fetch : index.fetches) named.insert(absl::StrCat(fetch.sha256(), kPayloadSuffix));
  ASSIGN_OR_RETURN(std::vector<std::string> files, ListDirectory(FolderOf(profile_id)));
  // A payload that no line names is of a fetch that a crash cut off; so is a line without an end.
  for (const std::string& file : files) {
    if (named.count(file) == 0) ::unlink(absl::StrCat(FolderOf(profile_id), "/", file).c_str());
  }
  if (index.damaged > 0) {
    LogWarn("lines of the index of kept payloads are damaged or cut off, and left out",
            {{"profile", profile_id}, {"lines", absl::StrCat(index.damaged)}});
  }
  RETURN_IF_ERROR(WriteIndex(profile_id, index));
  if (shelves_.count(profile_id) > 0) KeepBounds(profile_id);  // the crash may have come before that
  return absl::OkStatus();
}

absl::Status CaptureStore::WriteIndex(const std::string& profile_id, CaptureIndex& index) {
  if (index.fetches.empty()) {
    RemoveFolder(profile_id);
    return absl::OkStatus();
  }
  const std::string text = IndexText(index);
  index.whole_bytes = static_cast<int64_t>(text.size());
  RETURN_IF_ERROR(WriteFileDurably(FolderOf(profile_id), kIndex, text));
  Recount(profile_id, index);
  return absl::OkStatus();
}

void CaptureStore::RemoveFolder(const std::string& profile_id) {
  std::error_code error;
  fs::remove(absl::StrCat(FolderOf(profile_id), "/", kIndex), error);
  if (!error) fs::remove_all(FolderOf(profile_id), error);
  if (error) return LogWarn("payloads not let go of", {{"profile", profile_id}, {"error", error.message()}});
  shelves_.erase(profile_id);
  Tell(profile_id);
}

std::string CaptureStore::FolderOf(const std::string& profile_id) const {
  return absl::StrCat(options_.folder, "/", profile_id);
}

std::string CaptureStore::PathOf(const std::string& profile_id, const std::string& sha256) const {
  return absl::StrCat(FolderOf(profile_id), "/", sha256, kPayloadSuffix);
}

bool CaptureStore::Has(const std::string& profile_id, const std::string& sha256) const {
  return ::access(PathOf(profile_id, sha256).c_str(), F_OK) == 0;
}

absl::StatusOr<CaptureIndex> CaptureStore::ReadIndex(const std::string& profile_id) const {
  const std::string path = absl::StrCat(FolderOf(profile_id), "/", kIndex);
  if (::access(path.c_str(), F_OK) != 0) return CaptureIndex();
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_RDONLY));
  ASSIGN_OR_RETURN(int64_t size, FileSize(file.get(), path));
  ASSIGN_OR_RETURN(std::string text, ReadAt(file.get(), 0, static_cast<size_t>(size), path));
  return ParseIndex(text);
}

bool CaptureStore::Keep(const std::string& profile_id, const CaptureConfig& bounds, Fetch fetch,
                        absl::string_view payload) {
  if (Has(profile_id, fetch.sha256())) {
    absl::Status filed = File(profile_id, bounds, fetch, nullptr);
    // It may have been let go of in this moment.
    if (!absl::IsNotFound(filed)) {
      NoteKept(filed, profile_id, false);
      return filed.ok();
    }
  }
  std::unique_ptr<Intake> intake = Begin(profile_id, bounds, std::move(fetch));
  intake->Add(payload);
  return intake->Keep(intake->fetch_.sha256(), intake->fetch_.bytes());
}

std::unique_ptr<CaptureStore::Intake> CaptureStore::Begin(const std::string& profile_id, const CaptureConfig& bounds,
                                                          Fetch fetch) {
  return std::unique_ptr<Intake>(new Intake(*this, profile_id, bounds, std::move(fetch)));
}

absl::Status CaptureStore::File(const std::string& profile_id, const CaptureConfig& bounds, Fetch fetch,
                                PackedFile* file) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(Prepare(profile_id, bounds));
  const std::string path = PathOf(profile_id, fetch.sha256());
  const bool there = Has(profile_id, fetch.sha256());
  if (!there && file == nullptr) return absl::NotFoundError(path);
  if (!there) {
    RETURN_IF_ERROR(file->KeepAs(path));
    RETURN_IF_ERROR(SyncDirectory(FolderOf(profile_id)));
  }
  fetch.set_packed_bytes(SizeOf(path));
  absl::Status named = Append(profile_id, IndexLine(fetch));
  if (!named.ok() && !there) ::unlink(path.c_str());
  RETURN_IF_ERROR(named);
  Shelf& shelf = shelves_[profile_id];
  if (!there) shelf.payload_bytes += fetch.packed_bytes();
  shelf.oldest_us = shelf.fetches == 0 ? fetch.fetched_us() : std::min(shelf.oldest_us, fetch.fetched_us());
  shelf.newest_us = shelf.fetches == 0 ? fetch.fetched_us() : std::max(shelf.newest_us, fetch.fetched_us());
  ++shelf.fetches;
  KeepBounds(profile_id);
  KeepWhole();
  Tell(profile_id);
  return absl::OkStatus();
}

absl::Status CaptureStore::Prepare(const std::string& profile_id, const CaptureConfig& bounds) {
  if (shelves_.count(profile_id) == 0 && shelves_.size() >= kMaxProfiles) {
    return Error(absl::StatusCode::kResourceExhausted, "CAPTURE_PROFILES_TOO_MANY",
                 absl::StrCat("payloads of ", kMaxProfiles, " profiles are kept; no more are taken"));
  }
  RETURN_IF_ERROR(MakeDirectory(FolderOf(profile_id)));
  storage::v1::CaptureBounds wanted;
  wanted.set_max_bytes(bounds.max_bytes);
  wanted.set_max_age_us(absl::ToInt64Microseconds(bounds.max_age));
  Shelf& shelf = shelves_[profile_id];
  const storage::v1::CaptureBounds& held = shelf.bounds;
  if (held.max_bytes() == wanted.max_bytes() && held.max_age_us() == wanted.max_age_us()) return absl::OkStatus();
  RETURN_IF_ERROR(Append(profile_id, IndexLine(wanted)));
  shelf.bounds = wanted;
  return absl::OkStatus();
}

absl::Status CaptureStore::Append(const std::string& profile_id, const std::string& line) {
  Shelf& shelf = shelves_[profile_id];
  if (shelf.index_bytes == 0) {
    RETURN_IF_ERROR(WriteFileDurably(FolderOf(profile_id), kIndex, line));
  } else {
    const std::string path = absl::StrCat(FolderOf(profile_id), "/", kIndex);
    ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_WRONLY));
    // Over what a write before may have left behind the last whole line.
    RETURN_IF_ERROR(WriteAt(file.get(), shelf.index_bytes, {line}, path));
    RETURN_IF_ERROR(SyncData(file.get(), path));
  }
  shelf.index_bytes += static_cast<int64_t>(line.size());
  return absl::OkStatus();
}

absl::Status CaptureStore::LetGo(const std::string& profile_id, const char* cause, const Goes& goes) {
  ASSIGN_OR_RETURN(CaptureIndex index, ReadIndex(profile_id));
  std::stable_sort(index.fetches.begin(), index.fetches.end(),
                   [](const Fetch& a, const Fetch& b) { return a.fetched_us() < b.fetched_us(); });
  std::map<std::string, int64_t> uses;
  for (const Fetch& fetch : index.fetches) ++uses[fetch.sha256()];
  int64_t bytes = shelves_[profile_id].bytes();
  std::vector<std::string> gone;
  size_t count = 0;
  for (; count < index.fetches.size(); ++count) {
    const Fetch& oldest = index.fetches[count];
    if (!goes(oldest, bytes, index.fetches.size() - count)) break;
    bytes -= static_cast<int64_t>(IndexLine(oldest).size());
    if (--uses[oldest.sha256()] > 0) continue;
    bytes -= oldest.packed_bytes();
    gone.push_back(PathOf(profile_id, oldest.sha256()));
  }
  index.fetches.erase(index.fetches.begin(), index.fetches.begin() + static_cast<int64_t>(count));
  // First the names, then what they name: a crash in between leaves payloads that the next start takes away.
  RETURN_IF_ERROR(WriteIndex(profile_id, index));
  for (const std::string& path : gone) ::unlink(path.c_str());
  Count("chartly_capture_removed_total", static_cast<double>(count), cause);
  return absl::OkStatus();
}

void CaptureStore::Recount(const std::string& profile_id, const CaptureIndex& index) {
  Shelf& shelf = shelves_[profile_id];
  shelf = Shelf();
  shelf.bounds = index.bounds;
  shelf.fetches = static_cast<int64_t>(index.fetches.size());
  shelf.index_bytes = index.whole_bytes;
  std::set<absl::string_view> seen;
  shelf.oldest_us = std::numeric_limits<int64_t>::max();
  for (const Fetch& fetch : index.fetches) {
    if (seen.insert(fetch.sha256()).second) shelf.payload_bytes += fetch.packed_bytes();
    shelf.oldest_us = std::min(shelf.oldest_us, fetch.fetched_us());
    shelf.newest_us = std::max(shelf.newest_us, fetch.fetched_us());
  }
  Tell(profile_id);
}

void CaptureStore::KeepBounds(const std::string& profile_id) {
  const Shelf& shelf = shelves_[profile_id];
  const int64_t most = shelf.bounds.max_bytes();
  const bool over = shelf.bytes() > most || static_cast<size_t>(shelf.fetches) > options_.max_fetches;
  if (!over) return;
  absl::Status gone = LetGo(profile_id, "bytes", [&](const Fetch&, int64_t bytes, size_t left) {
    if (bytes > most || left > options_.max_fetches) return true;
    return left > 1 && (bytes > Below(most) || left > options_.max_fetches / 8 * 7);
  });
  if (!gone.ok()) LogWarn("payloads not let go of", {{"profile", profile_id}, {"error", gone.ToString()}});
}

int64_t CaptureStore::Total() const {
  int64_t total = 0;
  for (const auto& [id, shelf] : shelves_) total += shelf.bytes();
  return total;
}

int64_t CaptureStore::Allowance() const {
  struct statvfs disk {};
  if (::statvfs(options_.folder.c_str(), &disk) != 0) return options_.max_bytes;
  const int64_t free = static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
  return std::max<int64_t>(0, std::min(options_.max_bytes, Total() + free - options_.min_free_bytes));
}

// Takes from the profile with the oldest fetch, up to the oldest one of the next.
void CaptureStore::KeepWhole() {
  const int64_t allowance = Allowance();
  if (Total() <= allowance) return;
  while (true) {
    const int64_t over = Total() - Below(allowance);
    std::vector<std::pair<int64_t, std::string>> oldest;
    for (const auto& [id, shelf] : shelves_) {
      if (shelf.fetches > 0) oldest.emplace_back(shelf.oldest_us, id);
    }
    if (over <= 0 || oldest.empty()) return;
    std::sort(oldest.begin(), oldest.end());
    const int64_t until = oldest.size() > 1 ? oldest[1].first : std::numeric_limits<int64_t>::max();
    const int64_t least = shelves_[oldest[0].second].bytes() - over;
    absl::Status gone = LetGo(oldest[0].second, "bytes", [&](const Fetch& fetch, int64_t bytes, size_t) {
      return bytes > least && fetch.fetched_us() <= until;
    });
    if (gone.ok()) continue;
    LogWarn("payloads not let go of", {{"profile", oldest[0].second}, {"error", gone.ToString()}});
    return;
  }
}

void CaptureStore::DropOld() {
  const int64_t now = absl::ToUnixMicros(clock_.Now());
  std::vector<std::string> ids;
  for (const auto& [id, shelf] : shelves_) {
    if (shelf.fetches > 0 && shelf.oldest_us < now - shelf.bounds.max_age_us()) ids.push_back(id);
  }
  for (const std::string& id : ids) {
    const int64_t since = now - shelves_[id].bounds.max_age_us();
    absl::Status gone =
        LetGo(id, "age", [&](const Fetch& fetch, int64_t, size_t) { return fetch.fetched_us() < since; });
    if (!gone.ok()) LogWarn("payloads not let go of", {{"profile", id}, {"error", gone.ToString()}});
  }
}

void CaptureStore::Tidy() {
  // Its caller must not wait for another's write.
  if (!mu_.TryLock()) return;
  const absl::Time now = clock_.Now();
  if (now < tidied_ || now >= tidied_ + kTidyInterval) {
    tidied_ = now;
    DropOld();
    KeepWhole();
  }
  mu_.Unlock();
}

void CaptureStore::Forget(const std::string& profile_id) {
  absl::MutexLock lock(&mu_);
  auto shelf = shelves_.find(profile_id);
  if (shelf == shelves_.end()) return;
  Count("chartly_capture_removed_total", static_cast<double>(shelf->second.fetches), "forgotten");
  RemoveFolder(profile_id);
}

absl::StatusOr<std::vector<CaptureStore::Fetch>> CaptureStore::Fetches(const std::string& profile_id,
                                                                       absl::Time since) const {
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(CaptureIndex index, ReadIndex(profile_id));
  const int64_t since_us = since == absl::InfinitePast() ? 0 : absl::ToUnixMicros(since);
  index.fetches.erase(std::remove_if(index.fetches.begin(), index.fetches.end(),
                                     [&](const Fetch& fetch) { return fetch.fetched_us() < since_us; }),
                      index.fetches.end());
  std::stable_sort(index.fetches.begin(), index.fetches.end(),
                   [](const Fetch& a, const Fetch& b) { return a.fetched_us() < b.fetched_us(); });
  return std::move(index.fetches);
}

absl::StatusOr<std::unique_ptr<Body>> CaptureStore::OpenPayload(const std::string& profile_id, const Fetch& fetch) {
  const std::string path = PathOf(profile_id, fetch.sha256());
  absl::StatusOr<std::unique_ptr<Body>> body = PackedBody::Open(path);
  if (absl::IsNotFound(body.status())) {
    absl::MutexLock lock(&mu_);
    auto shelf = shelves_.find(profile_id);
    const bool listed =
        shelf != shelves_.end() && shelf->second.fetches > 0 && shelf->second.oldest_us <= fetch.fetched_us();
    if (!listed) return body.status();
    return Error(absl::StatusCode::kDataLoss, "CAPTURE_DAMAGED", absl::StrCat(path, " is missing"));
  }
  RETURN_IF_ERROR(body.status());
  // Rows of a payload that turns out damaged in the middle would be on their way already.
  Sha256 hash;
  while (true) {
    absl::StatusOr<absl::string_view> piece = (*body)->Read();
    if (absl::IsDataLoss(piece.status())) return TakeAwayDamaged(profile_id, fetch, piece.status().message());
    RETURN_IF_ERROR(piece.status());
    if (piece->empty()) break;
    hash.Add(*piece);
  }
  if (hash.Hex() != fetch.sha256()) return TakeAwayDamaged(profile_id, fetch, path + " is not what its name says");
  return PackedBody::Open(path);
}

absl::Status CaptureStore::TakeAwayDamaged(const std::string& profile_id, const Fetch& fetch, absl::string_view why) {
  absl::MutexLock lock(&mu_);
  ::unlink(PathOf(profile_id, fetch.sha256()).c_str());
  LogError("a kept payload is damaged and was taken away; check the disk (dmesg, smartctl)",
           {{"profile", profile_id}, {"sha256", fetch.sha256()}, {"why", std::string(why)}});
  return Error(absl::StatusCode::kDataLoss, "CAPTURE_DAMAGED", why);
}

void CaptureStore::Tell(const std::string& profile_id) {
  SetGauge("chartly_capture_bytes", static_cast<double>(Total()));
  v1::Capture capture;
  capture.set_profile_id(profile_id);
  if (auto shelf = shelves_.find(profile_id); shelf != shelves_.end() && shelf->second.fetches > 0) {
    capture.set_fetches(shelf->second.fetches);
    capture.set_bytes(shelf->second.bytes());
    *capture.mutable_oldest_fetch_time() = ToTimestamp(absl::FromUnixMicros(shelf->second.oldest_us));
    *capture.mutable_newest_fetch_time() = ToTimestamp(absl::FromUnixMicros(shelf->second.newest_us));
  }
  absl::MutexLock lock(&told_mu_);
  changed_.insert(profile_id);
  if (capture.fetches() > 0) {
    told_[profile_id] = std::move(capture);
  } else {
    told_.erase(profile_id);
  }
}

bool CaptureStore::Report(bool complete, v1::CaptureReport& report) {
  absl::MutexLock lock(&told_mu_);
  if (!complete && changed_.empty()) return false;
  report.set_complete(complete);
  if (complete) {
    for (const auto& [id, capture] : told_) *report.add_captures() = capture;
  }
  for (const std::string& id : std::exchange(changed_, {})) {
    if (complete) continue;
    auto held = told_.find(id);
    v1::Capture& capture = *report.add_captures();
    if (held != told_.end()) capture = held->second;
    capture.set_profile_id(id);
  }
  return true;
}

}  // namespace chartly::drone
