#include "cli/table.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "common/text/utf8.h"

namespace chartly::cli {
namespace {

std::string Printable(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    bool c1_control = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F || c1_control) {
      out.push_back('?');
      i += c1_control ? 1 : 0;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

bool LooksNumeric(const std::string& text) {
  return text.find_first_of("0123456789") != std::string::npos &&
         text.find_first_not_of("0123456789+-.eE") == std::string::npos;
}

}  // namespace

void Table::Print(std::ostream& out, absl::string_view if_empty) const {
  if (rows_.empty()) {
    out << std::string(if_empty) << "\n";
    return;
  }
  std::vector<size_t> widths;
  std::vector<bool> numeric(header_.size(), true);
  std::vector<std::vector<std::string>> cells = rows_;
  for (const std::string& title : header_) widths.push_back(CountCharacters(title));
  for (std::vector<std::string>& row : cells) {
    row.resize(header_.size());
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = Printable(row[i]);
      widths[i] = std::max(widths[i], CountCharacters(row[i]));
      if (!row[i].empty() && !LooksNumeric(row[i])) numeric[i] = false;
    }
  }
  auto print = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      std::string blanks(widths[i] - CountCharacters(row[i]), ' ');
      line += numeric[i] ? blanks + row[i] : row[i] + blanks;
      if (i + 1 < row.size()) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << "\n";
  };
  print(header_);
  for (const std::vector<std::string>& row : cells) print(row);
}

std::string Shorten(absl::string_view text, size_t width) {
  if (CountCharacters(text) <= width) return std::string(text);
  size_t characters = 0;
  size_t end = 0;
  for (; end < text.size(); ++end) {
    if (!IsUtf8Tail(text[end]) && characters++ == width - 1) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string ShortTime(absl::string_view rfc3339) {
  constexpr size_t kToSeconds = 19;
  if (rfc3339.size() <= kToSeconds || rfc3339[10] != 'T') return std::string(rfc3339);
  std::string text(rfc3339.substr(0, kToSeconds));
  text[10] = ' ';
  return text + (rfc3339.back() == 'Z' ? "Z" : std::string(rfc3339.substr(rfc3339.size() - 6)));
}

std::string FormatBytes(int64_t bytes) {
  if (bytes < 1024) return absl::StrFormat("%d B", bytes);
  double number = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (number < 1024) break;
    number /= 1024;
    unit = next;
  }
  return absl::StrFormat("%.1f %s", number, unit);
}

}  // namespace chartly::cli
