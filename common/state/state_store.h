// Where control state lives: profiles, drones, leases, runs, keys, ledger. The interface fits etcd as well as the
// embedded store: get, range, compare-and-set transaction, watch, lease. test/conformance-style battery:
// state_store_battery.h.
//
// Thread-safe. Every change has a revision, one number for the whole store that grows by one a transaction.
#ifndef CHARTLY_COMMON_STATE_STATE_STORE_H_
#define CHARTLY_COMMON_STATE_STATE_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/kv/kv_store.h"

namespace chartly {

struct StateEntry {
  std::string key;
  std::string value;
  int64_t revision = 0;  // of its last change
};

// What must hold for a transaction, and what it then does.
struct StateTransaction {
  struct Condition {
    std::string key;
    int64_t revision;  // 0: the key is absent
  };
  struct Put {
    std::string key;
    std::string value;
    int64_t lease = 0;  // 0: none; else the key goes with the lease
  };
  std::vector<Condition> conditions;
  std::vector<Put> puts;
  std::vector<std::string> deletes;
};

struct StateChange {
  StateEntry entry;  // value is empty if deleted
  bool deleted = false;
};

class StateStore {
 public:
  virtual ~StateStore() = default;
  // NotFound if there is none.
  virtual absl::StatusOr<StateEntry> Get(absl::string_view key) const = 0;
  // Entries with the prefix from `start` (a key; empty begins at the prefix) in byte order, or backwards from the last
  // key < `start` if `reverse`. At most `limit`; 0 is all.
  virtual absl::StatusOr<std::vector<StateEntry>> Range(absl::string_view prefix, absl::string_view start = "",
                                                        size_t limit = 0, bool reverse = false) const = 0;
  // Does the whole transaction durably and returns its revision; Aborted (STATE_CONFLICT) and nothing done if a
  // condition does not hold; NotFound (LEASE_NOT_FOUND) if a lease is gone; InvalidArgument if a key is empty or put or
  // deleted twice; ResourceExhausted (STATE_WATCHERS_BEHIND) if watchers do not keep up. A transaction that changes
  // nothing returns the current revision.
  virtual absl::StatusOr<int64_t> Commit(const StateTransaction& transaction) = 0;
  // Calls `callback` for every change under `prefix` made after now, in order, from one thread, until the returned
  // object goes; then the callback is over. The callback must not call Commit, nor wait for a thread that does.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  virtual std::unique_ptr<Subscription> Watch(std::string prefix, std::function<void(const StateChange&)> callback) = 0;
  // A lease lives for `ttl` from its grant or last renewal; when it ends its keys are deleted and watchers told.
  virtual absl::StatusOr<int64_t> GrantLease(absl::Duration ttl) = 0;
  virtual absl::Status RenewLease(int64_t lease) = 0;  // NotFound once it ended
  virtual absl::Status RevokeLease(int64_t lease) = 0;
  // What backups take of it; of a store that several share, of all of it.
  virtual KvSource& source() = 0;
};

// The embedded store, in a folder of its own. A thread of the store ends expired leases each second. A lease that was
// open when the store closed gets its whole time again on open: nobody could renew it meanwhile. `keep_log_bytes` as in
// KvOptions.
absl::StatusOr<std::unique_ptr<StateStore>> OpenEmbeddedStateStore(const std::string& path, Clock& clock,
                                                                   size_t keep_log_bytes = 0);

}  // namespace chartly

#endif  // CHARTLY_COMMON_STATE_STATE_STORE_H_
