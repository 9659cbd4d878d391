#include <atomic>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

// Brings what the bucket has of it into the folder; names the backup then.
absl::Status Fetch(const ControlConfig& config, const backup::BackupFolder& folder, backup::RestoreTarget& target) {
  SystemClock clock;
  const std::atomic<bool> never = false;
  ASSIGN_OR_RETURN(const std::unique_ptr<s3::Bucket> bucket, s3::Bucket::Open(config.backup_bucket, clock, never));
  backup::BackupBucket backups(folder, *bucket);
  if (target.backup.empty()) {
    ASSIGN_OR_RETURN(target.backup, backups.NewestBy(*target.moment));
  }
  return backups.Fetch(target.backup);
}

// Out of the folder if that has all of it: the bucket may be away.
absl::StatusOr<backup::Restored> RestoreFromAnywhere(const ControlConfig& config, backup::RestoreTarget target) {
  const backup::BackupFolder folder(config.backup_dir);
  const std::vector<std::string> parts = StoredParts(config.parts);
  absl::StatusOr<backup::Restored> restored = backup::Restore(folder, target, parts, config.data_dir);
  const bool may_be_elsewhere = absl::IsNotFound(restored.status()) || absl::IsOutOfRange(restored.status()) ||
                                Reason(restored.status()) == "BACKUP_CORRUPT";
  // What was written by then was not finished, or nothing was.
  if (!may_be_elsewhere || config.backup_bucket.url.empty() || !backup::CheckRestored(config.data_dir).ok()) {
    return restored;
  }
  const absl::Status fetched = Fetch(config, folder, target);
  if (!fetched.ok()) {
    return Annotate(fetched,
                    absl::StrCat("the folder does not do (", restored.status().message(), "), nor does the bucket"));
  }
  return backup::Restore(folder, target, parts, config.data_dir);
}

}  // namespace

absl::Status RestoreControl(const ControlConfig& config, const backup::RestoreTarget& target) {
  if (config.backup_dir.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "FLAG_INVALID",
                 "--restore and --restore-to need --backup-dir, the folder that the backups lie in");
  }
  ASSIGN_OR_RETURN(const backup::Restored restored, RestoreFromAnywhere(config, target));
  const backup::BackupManifest& manifest = restored.manifest;
  std::string text = absl::StrCat("restored ", manifest.id(), " of version ", manifest.version());
  if (target.moment.has_value()) {
    absl::StrAppend(&text, " and what was written behind it up to ",
                    absl::FormatTime(absl::RFC3339_full, *target.moment, absl::UTCTimeZone()));
  }
  absl::StrAppend(&text, " into ", config.data_dir, "\n");
  for (int i = 0; i < manifest.parts_size(); ++i) {
    const backup::PartBackup& part = manifest.parts(i);
    std::vector<std::string> held;
    if (part.has_ledger()) {
      held.push_back(absl::StrCat(part.ledger().records(), " records, up to batch ", part.ledger().last_batch()));
    }
    if (target.moment.has_value()) held.push_back(absl::StrCat(restored.writes[static_cast<size_t>(i)], " writes"));
    absl::StrAppend(&text, "  ", part.part(), held.empty() ? "" : ": ", absl::StrJoin(held, ", then "), "\n");
  }
  absl::StrAppend(&text,
                  "Keys are not in backups: put admin.key, tls/ and audit-keys/ of the lost folder there before the "
                  "start. Without the last it does not start; without the others drones and programs need new ones.\n");
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace chartly::control
