// Plans of the server as tables, and texts as the server takes them.
#ifndef CHARTLY_CLI_PROFILE_PLAN_H_
#define CHARTLY_CLI_PROFILE_PLAN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/profile_files.h"
#include "cli/session.h"

namespace chartly::cli {

struct PlanOptions {
  std::vector<std::string> paths;
  std::string channel;
  std::string hash;  // of a plan to carry out
  bool prune = false;
  bool dry_run = false;
  bool allow_breaking = false;
};

// Asks for a plan of the files, with the signatures beside them. `origin` may be null.
absl::StatusOr<Json> AskForPlan(Session& session, const std::vector<ProfileFile>& files, const PlanOptions& options,
                                const Json& origin, bool without_drones);
// Carries out a plan and tells what became of each profile.
absl::Status CarryOut(Session& session, const std::string& hash, bool allow_breaking);
// What becomes of each profile and drone.
void PrintPlan(Session& session, const Json& plan);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_PROFILE_PLAN_H_
