// Archives the logs of all stores of a process every few seconds, on a thread of its own.
//
// AddPart comes before Start; Start and Shutdown come from one thread; the rest is thread-safe.
#ifndef CHARTLY_COMMON_BACKUP_LOG_ARCHIVER_H_
#define CHARTLY_COMMON_BACKUP_LOG_ARCHIVER_H_

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/backup/backup_folder.h"
#include "common/backup/part_log.h"
#include "common/clock/clock.h"

namespace chartly::backup {

class LogArchiver {
 public:
  // The clock must outlive it.
  LogArchiver(const std::string& backup_dir, absl::Duration interval, Clock& clock)
      : folder_(backup_dir), interval_(interval), clock_(clock) {}
  ~LogArchiver() { Shutdown(); }

  // The source must outlive Shutdown.
  void AddPart(const std::string& part, KvSource& source);
  // Null if there is no such part here.
  PartLog* Find(const std::string& part) const;
  // As PartLog; empty also for parts that are not here.
  std::string Fault(const std::string& part) const;
  void Start();
  // Archives what was written last. Safe twice, and before Start.
  void Shutdown();

 private:
  void ArchiveAll();

  const BackupFolder folder_;
  const absl::Duration interval_;
  Clock& clock_;
  std::map<std::string, std::unique_ptr<PartLog>> parts_;
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace chartly::backup

#endif  // CHARTLY_COMMON_BACKUP_LOG_ARCHIVER_H_
