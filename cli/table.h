// A table for people: columns as wide as they need to be, numbers to the right. Control characters of cells are
// shown as '?', so that data from a source cannot steer the terminal.
#ifndef CHARTLY_CLI_TABLE_H_
#define CHARTLY_CLI_TABLE_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace chartly::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  // Missing cells are empty.
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  // `if_empty` is printed instead of a table without rows.
  void Print(std::ostream& out, absl::string_view if_empty) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

// At most `width` characters, the last one "…" if something was cut off.
std::string Shorten(absl::string_view text, size_t width);
// A server's time to the second: "2026-01-31 09:00:00Z"; empty for empty.
std::string ShortTime(absl::string_view rfc3339);
// "12.3 KiB".
std::string FormatBytes(int64_t bytes);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_TABLE_H_
