// Deletes what the profiles say is not kept any longer (`retention`), now and then. A profile that the registry does
// not have keeps everything, and so do all while it is out of reach.
//
// Start and Stop are called from one thread; Stop is safe twice.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RETENTION_H_
#define CHARTLY_CONTROL_AGGREGATOR_RETENTION_H_

#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "control/aggregator/eraser.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/redriver.h"

namespace chartly::aggregator {

class Retention {
 public:
  // All must outlive it. `interval` lies between two passes; the first comes after a minute at most.
  Retention(const RecordStore& store, Eraser& eraser, Clock& clock, absl::Duration interval, FindRevision find_revision)
      : store_(store), eraser_(eraser), clock_(clock), interval_(interval), find_revision_(std::move(find_revision)) {}
  ~Retention() { Stop(); }
  void Start();
  void Stop();

  // One pass over all profiles. A profile that fails does not keep others from theirs; the first failure is returned.
  absl::Status Pass();

 private:
  absl::Status Expire(const std::string& profile_id);

  const RecordStore& store_;
  Eraser& eraser_;
  Clock& clock_;
  const absl::Duration interval_;
  const FindRevision find_revision_;
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RETENTION_H_
