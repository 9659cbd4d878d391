#include <atomic>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/backup/backup_bucket.h"
#include "common/backup/restore.h"
#include "common/clock/clock.h"
#include "common/status/status.h"
#include "control/control.h"

namespace chartly::control {
namespace {

// Those of the process that keep something.
std::vector<std::string> StoredParts(const std::vector<Part>& parts) {
  std::vector<std::string> names;
  for (Part part : parts) {
    if (part != Part::kGateway && part != Part::kObserver) names.emplace_back(InfoOf(part).name);
  }
  return names;
}

// From the bucket, if there is one.
absl::Status FetchBackup(const ControlConfig& config, const backup::BackupFolder& folder, const std::string& id) {
  if (config.backup_bucket.url.empty()) return absl::OkStatus();
  SystemClock clock;
  const std::atomic<bool> never = false;
  ASSIGN_OR_RETURN(const std::unique_ptr<s3::Bucket> bucket, s3::Bucket::Open(config.backup_bucket, clock, never));
  return backup::BackupBucket(folder, *bucket).Fetch(id);
}

}  // namespace

absl::Status RestoreControl(const ControlConfig& config, const std::string& backup_id) {
  if (config.backup_dir.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "FLAG_INVALID",
                 "--restore needs --backup-dir, the folder that the backup lies in");
  }
  const backup::BackupFolder folder(config.backup_dir);
  RETURN_IF_ERROR(FetchBackup(config, folder, backup_id));
  ASSIGN_OR_RETURN(const backup::BackupManifest manifest,
                   backup::Restore(folder, backup_id, StoredParts(config.parts), config.data_dir));
  std::string text =
      absl::StrCat("restored ", manifest.id(), " of version ", manifest.version(), " into ", config.data_dir, "\n");
  for (const backup::PartBackup& part : manifest.parts()) {
    absl::StrAppend(&text, "  ", part.part());
    if (part.has_ledger()) {
      absl::StrAppend(&text, ": ", part.ledger().records(), " records, up to batch ", part.ledger().last_batch());
    }
    text += "\n";
  }
  absl::StrAppend(&text,
                  "Keys are not in backups: put admin.key, tls/ and audit-keys/ of the lost folder there before the "
                  "start. Without the last it does not start; without the others drones and programs need new ones.\n");
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace chartly::control
