#include "drone/spool/damaged_runs.h"

namespace chartly::drone {

uint16_t DamagedRuns::Next(uint16_t number) {
  return number == 0 ? uint16_t{0} : static_cast<uint16_t>(number % 65535 + 1);
}

void DamagedRuns::OnLost(SeqRange range) { lost_ = range; }

void DamagedRuns::OnRecord(const RecordHeader& record) {
  auto before = unended_.find(record.run_id);
  uint16_t expected = before == unended_.end() ? uint16_t{1} : Next(before->second.run_record);
  if (lost_ && (record.run_record == 0 || record.run_record != expected)) Add(record.run_id, *lost_);
  if (record.kind != EntryKind::kRunEnd) {
    unended_[record.run_id] = record;
  } else if (before != unended_.end()) {
    unended_.erase(before);
  }
}

void DamagedRuns::Add(const std::string& run_id, SeqRange range) { damaged_[run_id] = range; }

std::optional<SeqRange> DamagedRuns::Find(const std::string& run_id) const {
  auto found = damaged_.find(run_id);
  if (found == damaged_.end()) return std::nullopt;
  return found->second;
}

}  // namespace chartly::drone
