// The known drones: who they are (durable) and when they were last heard (in memory only).
//
// Not thread-safe: the coordinator guards it.
#ifndef CHARTLY_CONTROL_COORDINATOR_DRONE_TABLE_H_
#define CHARTLY_CONTROL_COORDINATOR_DRONE_TABLE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/v1/coordinator.pb.h"
#include "common/state/state_store.h"

namespace chartly::coordinator {

inline constexpr char kDronePrefix[] = "drone/";

struct DroneEntry {
  v1::Drone drone;  // state, last_seen and spool_bytes are those of the last look
  bool draining = false;
  absl::Time last_seen;
};

class DroneTable {
 public:
  // Reads all drones. They count as heard at `now`: after a restart nobody is lost before a lease has passed.
  absl::Status Load(const StateStore& store, absl::Time now);

  // Null if unknown.
  DroneEntry* Find(absl::string_view drone_id);
  const DroneEntry* Find(absl::string_view drone_id) const;
  const std::map<std::string, DroneEntry, std::less<>>& all() const { return drones_; }
  std::map<std::string, DroneEntry, std::less<>>& all() { return drones_; }

  // The entry that registering would make: the epoch is one more than before.
  DroneEntry Registered(const v1::RegisterDroneRequest& request, absl::Time now) const;
  void Set(DroneEntry entry);
  // What to write for an entry.
  static StateTransaction::Put StoredForm(const DroneEntry& entry);

 private:
  std::map<std::string, DroneEntry, std::less<>> drones_;
};

// The state of a drone: offline if not heard for longer than `lease`.
v1::DroneState StateOf(const DroneEntry& entry, absl::Time now, absl::Duration lease);

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_DRONE_TABLE_H_
