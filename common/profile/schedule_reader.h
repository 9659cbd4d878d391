// Reads when a profile runs, where, and how a new revision takes over. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_SCHEDULE_READER_H_
#define CHARTLY_COMMON_PROFILE_SCHEDULE_READER_H_

#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

void ReadSchedule(const NodeAt& at, NodeReader& reader, ScheduleConfig& schedule);
void ReadPlacement(const NodeAt& at, NodeReader& reader, PlacementConfig& placement);
void ReadRollout(const NodeAt& at, NodeReader& reader, RolloutConfig& rollout);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_SCHEDULE_READER_H_
