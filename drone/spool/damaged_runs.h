// Which runs lost entries to damage. At recovery it sees every record in order and every range that is missing between
// them. Records carry their number within their run, so that a run is named only if one of its own may be missing:
// where it cannot be told, the run counts as damaged.
//
// Not thread-safe; the spool locks.
#ifndef CHARTLY_DRONE_SPOOL_DAMAGED_RUNS_H_
#define CHARTLY_DRONE_SPOOL_DAMAGED_RUNS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "drone/spool/segment.h"

namespace chartly::drone {

// Both ends included.
using SeqRange = std::pair<int64_t, int64_t>;

class DamagedRuns {
 public:
  // Entries that were appended are missing before the next record, or behind the last one.
  void OnLost(SeqRange range);
  void OnRecord(const RecordHeader& record);
  // The run is damaged for another reason: records of it may be missing in that range.
  void Add(const std::string& run_id, SeqRange range);

  // The last lost range before which, or in which, entries of the run are missing; nothing for a run that is whole.
  std::optional<SeqRange> Find(const std::string& run_id) const;
  // The newest record of each run whose end was not seen.
  const std::map<std::string, RecordHeader>& unended() const { return unended_; }
  const std::optional<SeqRange>& last_lost() const { return lost_; }

  // The number of the record after `number` in its run. 0 stands for unknown, and stays so.
  static uint16_t Next(uint16_t number);

 private:
  std::map<std::string, RecordHeader> unended_;
  std::map<std::string, SeqRange> damaged_;
  std::optional<SeqRange> lost_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_DAMAGED_RUNS_H_
