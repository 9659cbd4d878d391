// The verb `export` of `report`.
#ifndef CHARTLY_CLI_REPORT_EXPORT_H_
#define CHARTLY_CLI_REPORT_EXPORT_H_

#include <CLI/CLI.hpp>

#include "cli/session.h"

namespace chartly::cli {

void AddReportExport(CLI::App& noun, Session& session);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_REPORT_EXPORT_H_
