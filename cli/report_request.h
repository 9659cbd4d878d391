// A question to the reporter, from the options of the command line.
#ifndef CHARTLY_CLI_REPORT_REQUEST_H_
#define CHARTLY_CLI_REPORT_REQUEST_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/json.h"

namespace chartly::cli {

struct ReportOptions {
  std::string name;  // a saved report; then all else is unused
  std::string file;
  std::vector<std::string> join;
  std::vector<std::string> inputs;
  std::vector<std::string> filters;
  std::vector<std::string> dims;
  std::vector<std::string> input_steps;
  std::vector<std::string> on;
  std::string kind;
  std::vector<std::string> steps;
  std::string type = "table";
  std::string method = "pearson";
  std::vector<std::string> measures;
  std::vector<std::string> controls;
  int64_t lags = 0;
  std::string order_by;
  std::vector<std::string> over;
  double confidence = 0.95;
  int64_t limit = 1000;
};

void AddReportOptions(CLI::App& verb, ReportOptions& options);

// The body of POST /api/reports: that of --file as it is, or made of the options. InvalidArgument (INPUT_INVALID,
// FILE_UNREADABLE, JSON_INVALID).
absl::StatusOr<Json> ReportRequestJson(const ReportOptions& options);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_REPORT_REQUEST_H_
