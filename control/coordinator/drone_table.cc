#include "control/coordinator/drone_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"

namespace chartly::coordinator {
namespace {

constexpr int kDefaultCapacity = 4;

}  // namespace

absl::Status DroneTable::Load(const StateStore& store, absl::Time now, absl::Time steady) {
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store.Range(kDronePrefix));
  for (const StateEntry& stored : entries) {
    DroneEntry entry;
    if (!entry.drone.ParseFromString(stored.value)) {
      return Error(absl::StatusCode::kDataLoss, "STATE_CORRUPT",
                   absl::StrCat("the stored drone ", stored.key, " cannot be read; restore the coordinator's folder"));
    }
    entry.draining = entry.drone.state() == v1::DRONE_STATE_DRAINING;
    entry.last_seen = now;
    entry.heard = steady;
    Set(std::move(entry));
  }
  return absl::OkStatus();
}

DroneEntry* DroneTable::Find(absl::string_view drone_id) {
  auto it = drones_.find(drone_id);
  return it == drones_.end() ? nullptr : &it->second;
}

const DroneEntry* DroneTable::Find(absl::string_view drone_id) const {
  auto it = drones_.find(drone_id);
  return it == drones_.end() ? nullptr : &it->second;
}

DroneEntry DroneTable::Registered(const v1::RegisterDroneRequest& request, absl::Time now, absl::Time steady) const {
  const DroneEntry* before = Find(request.drone_id());
  DroneEntry entry;
  v1::Drone& drone = entry.drone;
  drone.set_name(absl::StrCat("drones/", request.drone_id()));
  drone.set_drone_id(request.drone_id());
  drone.set_epoch(before == nullptr ? 1 : before->drone.epoch() + 1);
  *drone.mutable_labels() = request.labels();
  drone.set_capacity(request.capacity() == 0 ? kDefaultCapacity : request.capacity());
  drone.set_version(request.version());
  *drone.mutable_consent() = request.consent();
  drone.set_state(v1::DRONE_STATE_ACTIVE);
  *drone.mutable_register_time() = ToTimestamp(now);
  if (before != nullptr) drone.set_spool_bytes(before->drone.spool_bytes());
  entry.last_seen = now;
  entry.heard = steady;
  return entry;
}

void DroneTable::Set(DroneEntry entry) {
  std::string id = entry.drone.drone_id();
  drones_[std::move(id)] = std::move(entry);
}

StateTransaction::Put DroneTable::StoredForm(const DroneEntry& entry) {
  v1::Drone drone = entry.drone;
  drone.set_state(entry.draining ? v1::DRONE_STATE_DRAINING : v1::DRONE_STATE_ACTIVE);
  drone.clear_last_seen();
  drone.clear_spool_bytes();
  drone.clear_clock_skew_ms();
  drone.clear_heartbeat_interval_ms();
  return {absl::StrCat(kDronePrefix, drone.drone_id()), drone.SerializeAsString()};
}

v1::DroneState StateOf(const DroneEntry& entry, absl::Time steady, absl::Duration lease) {
  if (steady - entry.heard > lease) return v1::DRONE_STATE_OFFLINE;
  return entry.draining ? v1::DRONE_STATE_DRAINING : v1::DRONE_STATE_ACTIVE;
}

}  // namespace chartly::coordinator
