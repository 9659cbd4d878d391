// The verbs of `report` for reports with a name.
#ifndef CHARTLY_CLI_SAVED_REPORT_COMMANDS_H_
#define CHARTLY_CLI_SAVED_REPORT_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/status.h"
#include "cli/session.h"

namespace chartly::cli {

void AddSavedReportCommands(CLI::App& noun, Session& session);
// Runs it now and prints what it answered.
absl::Status RunSavedReport(Session& session, const std::string& name);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_SAVED_REPORT_COMMANDS_H_
