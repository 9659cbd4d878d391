// Takes the damaged end off the log of writes of a store that OpenKvStore refuses, so that it opens with all that was
// written before the damage. What was acknowledged behind it is gone for the store; who still has it must send it
// again. For stores whose writers find out what is missing, and nothing else: a register that is set back is a wrong
// register.
#ifndef CHARTLY_COMMON_KV_LOG_REPAIR_H_
#define CHARTLY_COMMON_KV_LOG_REPAIR_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace chartly {

// Keeps the last log of the store in `path` under another name and cuts it where its damage begins; says for people
// what was done. Nothing, and nothing was changed, if that log is not what is damaged: of a log before the last one
// nobody can tell whether the later ones fit what would be left. Safe to repeat after a kill. Requires: nobody has the
// store open.
absl::StatusOr<std::optional<std::string>> CutDamagedLog(const std::string& path);

// The logs that were cut, as they were before, in order; until somebody takes them away.
std::vector<std::string> CutLogs(const std::string& path);

}  // namespace chartly

#endif  // CHARTLY_COMMON_KV_LOG_REPAIR_H_
