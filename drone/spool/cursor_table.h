// The newest cursor of each profile: how far its source was read. A cursor lives in the record that was written with
// it; before that record is deleted, it goes to a small file of its profile. A cursor may claim rows that later turn
// out to be lost to damage; then it is set back, and the next run fetches them again.
//
// Not thread-safe; the spool locks.
#ifndef CHARTLY_DRONE_SPOOL_CURSOR_TABLE_H_
#define CHARTLY_DRONE_SPOOL_CURSOR_TABLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/storage/v1/cursor.pb.h"

namespace chartly::drone {

class CursorTable {
 public:
  // Reads the files of `directory` (made if absent). Unreadable ones are set aside and counted in *damaged; their
  // profiles begin anew unless a record knows better.
  static absl::StatusOr<CursorTable> Open(const std::string& directory, int64_t* damaged);

  // Nothing if the profile has no cursor.
  std::optional<storage::v1::Cursor> Get(const std::string& profile_id) const;
  // Makes sure that the profile has a file, so that Persist needs no new disk space for it.
  absl::Status Reserve(const std::string& profile_id);
  // Requires: the profile was reserved. `seq` is that of the record that carries the cursor.
  void Set(const std::string& profile_id, const storage::v1::Cursor& cursor, int64_t seq);

  // At recovery, in order of seq: what the record `seq` carries. Behind a hole the cursor does not count, and its
  // profile waits for Settle.
  void Recover(int64_t seq, absl::string_view bytes, bool behind_hole);
  // After recovery: profiles with cursors behind a hole stay at what they had before it; records up to `seq` say
  // nothing about them any more.
  void Settle(int64_t seq);

  // No profile has a cursor any more; records up to `seq` say nothing about them.
  void Forget(int64_t seq);

  // Makes all cursors durable. Requires: the records they come from are durable. On a full disk (ResourceExhausted)
  // those that need no new space are durable all the same.
  absl::Status Persist();

 private:
  struct Entry {
    storage::v1::ProfileCursor value;
    bool has_file = false;
    bool changed = false;
    bool behind_hole = false;
  };
  explicit CursorTable(std::string directory) : directory_(std::move(directory)) {}
  Entry& EntryOf(const std::string& profile_id);
  absl::Status Save(Entry& entry);
  std::string directory_;
  std::map<std::string, Entry> entries_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_CURSOR_TABLE_H_
