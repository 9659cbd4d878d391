#include "common/text/csv_text.h"

namespace chartly {

void AppendCsvText(std::string& out, absl::string_view text, bool guard_formulas) {
  const bool guard =
      guard_formulas && !text.empty() && absl::string_view("=+-@\t\r").find(text[0]) != absl::string_view::npos;
  const bool quote = text.empty() || text.find_first_of(",\"\r\n") != absl::string_view::npos;
  if (quote) out.push_back('"');
  if (guard) out.push_back('\'');
  for (char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  if (quote) out.push_back('"');
}

}  // namespace chartly
