// Text inside CSV (RFC 4180). Pure.
#ifndef CHARTLY_COMMON_TEXT_CSV_TEXT_H_
#define CHARTLY_COMMON_TEXT_CSV_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

// Appends `text` as a field: in quotes if it holds a comma, a quote or a line break, or is empty, since nothing at all
// is a null. With `guard_formulas` a text that a spreadsheet would take for a formula gets an apostrophe before it.
void AppendCsvText(std::string& out, absl::string_view text, bool guard_formulas);

}  // namespace chartly

#endif  // CHARTLY_COMMON_TEXT_CSV_TEXT_H_
