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
  absl::Time last_seen;  // by the clock of the wall, to be shown
  absl::Time heard;      // by a clock that does not jump: its lease goes on from then
};

class DroneTable {
 public:
  // Reads all drones. They count as heard now: after a restart nobody is lost before a lease has passed. `steady` is
  // the time of the clock that does not jump, here and below.
  absl::Status Load(const StateStore& store, absl::Time now, absl::Time steady);

  // Null if unknown.
  DroneEntry* Find(absl::string_view drone_id);
  const DroneEntry* Find(absl::string_view drone_id) const;
  const std::map<std::string, DroneEntry, std::less<>>& all() const { return drones_; }
  std::map<std::string, DroneEntry, std::less<>>& all() { return drones_; }

  // The entry that registering would make: the epoch is one more than before.
  DroneEntry Registered(const v1::RegisterDroneRequest& request, absl::Time now, absl::Time steady) const;
  void Set(DroneEntry entry);
  // What to write for an entry.
  static StateTransaction::Put StoredForm(const DroneEntry& entry);

 private:
  std::map<std::string, DroneEntry, std::less<>> drones_;
};

// The state of a drone: offline if not heard for longer than `lease`. `steady` as above.
v1::DroneState StateOf(const DroneEntry& entry, absl::Time steady, absl::Duration lease);

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_DRONE_TABLE_H_
