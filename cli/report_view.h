// How an answer of the reporter looks to people.
#ifndef CHARTLY_CLI_REPORT_VIEW_H_
#define CHARTLY_CLI_REPORT_VIEW_H_

#include <string>

#include "cli/json.h"
#include "cli/session.h"

namespace chartly::cli {

// The rows, unless it is a correlation; the coefficients, with `method` for a matrix; the sides; the warnings on `err`.
void PrintReport(Session& session, const Json& answer, bool is_correlation, const std::string& method);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_REPORT_VIEW_H_
