// Rows of a report as lines of a file. Pure functions.
#ifndef CHARTLY_CONTROL_REPORTER_REPORT_FILE_H_
#define CHARTLY_CONTROL_REPORTER_REPORT_FILE_H_

#include <cstddef>
#include <string>

#include "control/reporter/table.h"

namespace chartly::reporter {

// The names of the columns as the header of a CSV file (RFC 4180); `guard` as below.
void AppendCsvHeader(const Table& table, bool guard, std::string& out);
// With `guard`, text that a spreadsheet would take for a formula gets an apostrophe in front.
void AppendCsvRow(const Table& table, size_t row, bool guard, std::string& out);
// One JSON object; numbers keep all their digits.
void AppendJsonRow(const Table& table, size_t row, std::string& out);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_REPORT_FILE_H_
