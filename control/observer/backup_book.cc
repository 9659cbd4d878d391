#include "control/observer/backup_book.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/backup/backup_bucket.h"
#include "common/backup/log_folder.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::observer {
namespace {

constexpr char kPrefix[] = "backups/";
constexpr int kPageDefault = 100;
constexpr int kPageMax = 1000;

// What refers to something else goes before it, so that nothing in a backup refers to what is not there: the
// coordinator and reports to records, records to profiles and drones, and the audit log tells of all (ADR 21).
constexpr std::array kOrder = {Part::kCoordinator, Part::kReporter, Part::kReleases, Part::kAggregator,
                               Part::kRegistry,    Part::kAuth,     Part::kAudit};

google::protobuf::Timestamp Timestamp(int64_t us) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(us);
}

std::string IdIn(const std::string& name) { return std::string(absl::StripPrefix(name, kPrefix)); }

v1::Backup Describe(const backup::BackupManifest& manifest) {
  v1::Backup result;
  result.set_name(kPrefix + manifest.id());
  result.set_state(v1::BACKUP_STATE_READY);
  *result.mutable_create_time() = Timestamp(manifest.started_us());
  *result.mutable_finish_time() = Timestamp(manifest.finished_us());
  result.set_version(manifest.version());
  for (const backup::PartBackup& part : manifest.parts()) {
    result.add_parts(part.part());
    result.set_copied_bytes(result.copied_bytes() + part.copied_bytes());
    for (const backup::BackupFile& file : part.files()) result.set_size_bytes(result.size_bytes() + file.bytes());
    if (!part.has_ledger()) continue;
    result.set_records(part.ledger().records());
    result.set_last_batch(static_cast<int64_t>(part.ledger().last_batch()));
    if (part.ledger().acked_us() > 0) *result.mutable_last_ack_time() = Timestamp(part.ledger().acked_us());
  }
  return result;
}

void ShowSuccess(int64_t finished_us) {
  SetGauge("chartly_backup_last_success_seconds", static_cast<double>(finished_us) / 1e6);
}

}  // namespace

BackupBook::BackupBook(BackupConfig config, PartCopies& copies, Clock& clock)
    : config_(std::move(config)), folder_(config_.folder), copies_(copies), clock_(clock) {
  if (!config_.folder.empty()) ShowSuccess(Newest().finished_us());
}

absl::Status BackupBook::OpenBucket() {
  if (config_.bucket.url.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(bucket_, s3::Bucket::Open(config_.bucket, clock_, stopping_));
  return absl::OkStatus();
}

absl::Status BackupBook::Admit() const {
  if (config_.folder.empty()) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "BACKUP_DIR_NOT_SET",
        "there is no folder for backups; start chartly-control with --backup-dir, on another disk than --data");
  }
  if (stopping_) return Error(absl::StatusCode::kUnavailable, "OBSERVER_STOPPING", "the observer is stopping");
  if (!busy_) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "BACKUP_BUSY",
               "a backup or a check of one is under way; wait for its end");
}

// The time of now, or the first second behind the newest backup: what is named earlier would be dropped as an old one.
absl::StatusOr<std::string> BackupBook::NewId() const {
  ASSIGN_OR_RETURN(std::vector<std::string> ids, folder_.List());
  std::string id = backup::BackupIdOf(clock_.Now());
  if (ids.empty() || id > ids.back()) return id;
  ASSIGN_OR_RETURN(absl::Time newest, backup::TimeOfBackup(ids.back()));
  return backup::BackupIdOf(newest + absl::Seconds(1));
}

void BackupBook::StartJob(std::function<Publish()> job) {
  if (job_.joinable()) job_.join();  // it is over, or busy_ would be set
  busy_ = true;
  job_ = std::thread([this, job = std::move(job)] {
    const Publish publish = job();
    // At once, so that whoever sees the end of a job may begin the next one.
    absl::MutexLock lock(&mu_);
    publish();
    busy_ = false;
  });
}

absl::StatusOr<v1::Backup> BackupBook::Create() {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(Admit());
  ASSIGN_OR_RETURN(std::string id, NewId());
  v1::Backup begun;
  begun.set_name(kPrefix + id);
  begun.set_state(v1::BACKUP_STATE_RUNNING);
  begun.set_version(kVersion);
  *begun.mutable_create_time() = Timestamp(absl::ToUnixMicros(clock_.Now()));
  unfinished_ = begun;
  StartJob([this, id] { return MakeBackup(id); });
  return begun;
}

backup::BackupManifest BackupBook::Newest() const {
  absl::StatusOr<std::vector<std::string>> ids = folder_.List();
  if (!ids.ok() || ids->empty()) return {};
  absl::StatusOr<backup::BackupManifest> newest = folder_.Read(ids->back());
  return newest.ok() ? *std::move(newest) : backup::BackupManifest();
}

absl::StatusOr<backup::BackupManifest> BackupBook::CopyParts(const std::string& id) {
  const backup::BackupManifest known = Newest();
  backup::BackupManifest manifest;
  manifest.set_id(id);
  manifest.set_version(kVersion);
  manifest.set_started_us(absl::ToUnixMicros(clock_.Now()));
  for (Part part : kOrder) {
    absl::StatusOr<backup::PartBackup> copy = copies_.Make(part);
    if (!copy.ok()) return Annotate(copy.status(), InfoOf(part).name);
    RETURN_IF_ERROR(folder_.AddChecksums(*copy, known, [this] { return stopping_.load(); }));
    *manifest.add_parts() = *std::move(copy);
    absl::MutexLock lock(&mu_);
    unfinished_->add_parts(InfoOf(part).name);
  }
  manifest.set_finished_us(absl::ToUnixMicros(clock_.Now()));
  return manifest;
}

BackupBook::Publish BackupBook::MakeBackup(const std::string& id) {
  absl::StatusOr<backup::BackupManifest> manifest = CopyParts(id);
  const absl::Status status = manifest.ok() ? folder_.Write(*manifest) : manifest.status();
  Count("chartly_backups_total", 1, status.ok() ? "succeeded" : "failed");
  if (status.ok()) {
    ShowSuccess(manifest->finished_us());
    LogInfo("backup made", {{"backup", id}});
  } else {
    LogError("backup failed", {{"backup", id}, {"error", std::string(status.message())}});
  }
  const absl::Status dropped = DropOld();
  if (!dropped.ok()) LogWarn("old backups stay", {{"error", std::string(dropped.message())}});
  const std::optional<v1::BackupCopy> copy = status.ok() ? CopyToBucket() : std::nullopt;
  return [this, id, status, copy]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (copy) bucket_copies_[id] = *copy;
    if (status.ok()) return unfinished_.reset();
    unfinished_->set_state(v1::BACKUP_STATE_FAILED);
    unfinished_->set_error(std::string(status.message()));
    *unfinished_->mutable_finish_time() = Timestamp(absl::ToUnixMicros(clock_.Now()));
  };
}

std::optional<v1::BackupCopy> BackupBook::CopyToBucket() {
  if (bucket_ == nullptr) return std::nullopt;
  backup::BackupBucket copies(folder_, *bucket_);
  const absl::StatusOr<int64_t> sent = copies.Send();
  v1::BackupCopy result;
  result.set_place(bucket_->url());
  *result.mutable_finish_time() = Timestamp(absl::ToUnixMicros(clock_.Now()));
  result.set_state(sent.ok() ? v1::BACKUP_STATE_READY : v1::BACKUP_STATE_FAILED);
  Count("chartly_backup_copies_total", 1, sent.ok() ? "succeeded" : "failed");
  if (!sent.ok()) {
    result.set_error(std::string(sent.status().message()));
    LogError("backup not copied to the bucket", {{"error", result.error()}});
    return result;
  }
  result.set_sent_bytes(*sent);
  SetGauge("chartly_backup_copy_last_success_seconds", absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch()));
  const absl::Status kept = copies.Keep(std::max<size_t>(config_.keep, 1));
  if (!kept.ok()) LogWarn("old backups stay in the bucket", {{"error", std::string(kept.message())}});
  return result;
}

// Manifests first: what they do not name any more is no backup, whatever becomes of its files.
absl::Status BackupBook::DropOld() {
  ASSIGN_OR_RETURN(std::vector<std::string> ids, folder_.List());
  while (ids.size() > std::max<size_t>(config_.keep, 1)) {
    RETURN_IF_ERROR(folder_.Remove(ids.front()));
    ids.erase(ids.begin());
  }
  std::map<std::string, KeptCopies> kept;
  for (const std::string& id : ids) {
    // Without it nobody knows which files it needs, so all stay.
    ASSIGN_OR_RETURN(backup::BackupManifest manifest, folder_.Read(id));
    for (const backup::PartBackup& part : manifest.parts()) {
      kept[part.part()].numbers.push_back(part.number());
      if (part.has_log()) kept[part.part()].positions.push_back(part.log());
    }
  }
  for (Part part : kOrder) RETURN_IF_ERROR(Annotate(copies_.Keep(part, kept[InfoOf(part).name]), InfoOf(part).name));
  return absl::OkStatus();
}

int64_t BackupBook::LogUntil(const backup::BackupManifest& manifest) const {
  int64_t until_us = std::numeric_limits<int64_t>::max();
  for (const backup::PartBackup& part : manifest.parts()) {
    if (!part.has_log()) return 0;
    const absl::StatusOr<backup::LogReach> reach = backup::LogFolder(folder_.PartFolder(part.part())).Reach(part.log());
    until_us = std::min(until_us, reach.ok() ? reach->until_us : 0);
  }
  return manifest.parts_size() == 0 ? 0 : until_us;
}

v1::Backup BackupBook::Describe(const std::string& id) {
  v1::Backup result;
  absl::StatusOr<backup::BackupManifest> manifest = folder_.Read(id);
  if (manifest.ok()) {
    result = observer::Describe(*manifest);
  } else {
    result.set_name(kPrefix + id);
    result.set_state(v1::BACKUP_STATE_FAILED);
    result.set_error(std::string(manifest.status().message()));
  }
  if (manifest.ok()) {
    const int64_t until_us = LogUntil(*manifest);
    if (until_us > manifest->finished_us()) *result.mutable_log_until_time() = Timestamp(until_us);
  }
  auto found = verifications_.find(id);
  if (found != verifications_.end()) *result.mutable_verification() = found->second;
  auto copy = bucket_copies_.find(id);
  if (copy != bucket_copies_.end()) *result.mutable_copy() = copy->second;
  return result;
}

absl::StatusOr<v1::Backup> BackupBook::Get(const std::string& name) {
  absl::MutexLock lock(&mu_);
  if (unfinished_.has_value() && unfinished_->name() == name) return *unfinished_;
  if (config_.folder.empty()) return Admit();
  RETURN_IF_ERROR(folder_.Read(IdIn(name)).status());
  return Describe(IdIn(name));
}

absl::StatusOr<v1::ListBackupsResponse> BackupBook::List(const v1::ListBackupsRequest& request) {
  if (request.page_size() < 0) {
    return Error(absl::StatusCode::kInvalidArgument, "FIELD_INVALID", "page_size: must not be negative");
  }
  const int size = request.page_size() == 0 ? kPageDefault : std::min<int>(request.page_size(), kPageMax);
  v1::ListBackupsResponse response;
  if (config_.folder.empty()) return response;
  absl::MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(std::vector<std::string> ids, folder_.List());
  if (unfinished_.has_value() && request.page_token().empty()) *response.add_backups() = *unfinished_;
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    if (!request.page_token().empty() && *id >= request.page_token()) continue;
    if (unfinished_.has_value() && unfinished_->name() == kPrefix + *id) continue;
    if (response.backups_size() >= size) {
      response.set_next_page_token(IdIn(response.backups(response.backups_size() - 1).name()));
      break;
    }
    *response.add_backups() = Describe(*id);
  }
  return response;
}

absl::StatusOr<v1::Backup> BackupBook::Verify(const std::string& name) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(Admit());
  const std::string id = IdIn(name);
  ASSIGN_OR_RETURN(backup::BackupManifest manifest, folder_.Read(id));
  verifications_[id].Clear();
  verifications_[id].set_state(v1::BACKUP_STATE_RUNNING);
  StartJob([this, manifest] { return CheckFiles(manifest); });
  return Describe(id);
}

absl::StatusOr<backup::Verification> BackupBook::CheckWithLogs(const backup::BackupManifest& manifest) const {
  const auto stopped = [this] { return stopping_.load(); };
  ASSIGN_OR_RETURN(backup::Verification checked, folder_.Verify(manifest, stopped));
  for (const backup::PartBackup& part : manifest.parts()) {
    if (!part.has_log()) continue;
    ASSIGN_OR_RETURN(const backup::LogFolder::Check log,
                     backup::LogFolder(folder_.PartFolder(part.part())).Verify(part.log(), stopped));
    checked.files += log.segments;
    for (const std::string& fault : log.faults) {
      if (checked.faults.size() < backup::kMaxFaults) checked.faults.push_back(fault);
    }
  }
  return checked;
}

BackupBook::Publish BackupBook::CheckFiles(const backup::BackupManifest& manifest) {
  absl::StatusOr<backup::Verification> checked = CheckWithLogs(manifest);
  v1::BackupVerification result;
  *result.mutable_finish_time() = Timestamp(absl::ToUnixMicros(clock_.Now()));
  if (checked.ok()) {
    result.set_files(checked->files);
    result.mutable_faults()->Add(checked->faults.begin(), checked->faults.end());
  } else {
    result.add_faults(std::string(checked.status().message()));
  }
  result.set_state(result.faults_size() == 0 ? v1::BACKUP_STATE_READY : v1::BACKUP_STATE_FAILED);
  if (result.faults_size() > 0) {
    LogError("a backup is damaged", {{"backup", manifest.id()}, {"fault", result.faults(0)}});
  }
  return [this, id = manifest.id(), result]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { verifications_[id] = result; };
}

void BackupBook::Shutdown() {
  stopping_ = true;
  copies_.Cancel();
  std::thread job;
  {
    absl::MutexLock lock(&mu_);
    job = std::move(job_);
  }
  if (job.joinable()) job.join();
}

}  // namespace chartly::observer
