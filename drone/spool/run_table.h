// The runs that began and have not ended, each with a small file of its own, so that a run cut off by a crash is known
// after it. Counts live in memory and in every record of the run; they go to the file before records are deleted.
//
// Not thread-safe; the spool locks.
#ifndef CHARTLY_DRONE_SPOOL_RUN_TABLE_H_
#define CHARTLY_DRONE_SPOOL_RUN_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/aggregator.pb.h"
#include "drone/spool/damaged_runs.h"
#include "drone/spool/segment.h"
#include "drone/spool/slot_file.h"

namespace chartly::drone {

class RunTable {
 public:
  // Reads the files of `directory` (made if absent). Unreadable ones are removed and counted in *damaged.
  static absl::StatusOr<RunTable> Open(const std::string& directory, int64_t* damaged);

  bool Contains(const std::string& run_id) const { return runs_.count(run_id) > 0; }
  // The profile of a run; empty if the run is unknown.
  std::string ProfileOf(const std::string& run_id) const;
  // Durable when it returns. AlreadyExists (RUN_EXISTS); InvalidArgument (RUN_INVALID) if the id is empty or too long.
  absl::Status Begin(const v1::RunEnd& run);
  // Adds to the counts of a run and puts the totals into the header of the record. Requires: Contains.
  void Add(int64_t fetched, int32_t pages, RecordHeader* header);
  // Takes an Add back: its record was not written.
  void Subtract(int64_t fetched, int32_t pages, const RecordHeader& header);
  // Records of open runs may be missing: the numbers of those to come are not known.
  void ForgetNumbers();
  // At recovery: what a record found on disk says of its run.
  void Recover(const RecordHeader& record);
  // The end of the run is in the spool: it is no longer open, whether or not its file can be removed yet.
  void MarkEnded(const std::string& run_id);
  // Removes the file of a run and forgets it. Requires: its end is durable.
  absl::Status Remove(const std::string& run_id);
  // The same for all ended runs.
  absl::Status RemoveEnded();
  // Makes counts and ends of all runs durable. Requires: the records they come from are durable.
  absl::Status Persist();
  // The open runs with their counts.
  std::vector<v1::RunEnd> Open() const;

 private:
  struct Run {
    v1::RunEnd info;  // fetched and pages are kept here; finished_at is set once it ended
    std::unique_ptr<SlotFile> file;
    bool changed = false;
    uint16_t last_record = 0;  // its number in the run
    bool numbered = false;     // whether last_record is known
  };
  explicit RunTable(std::string directory) : directory_(std::move(directory)) {}
  std::string directory_;
  std::map<std::string, Run> runs_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_RUN_TABLE_H_
