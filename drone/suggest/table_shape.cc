// Rows of CSV and its kin: the delimiter, lines before the header, and the header itself.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/value/value.h"
#include "drone/suggest/row_shape.h"

namespace chartly::drone {
namespace {

constexpr size_t kLinesLookedAt = 60;
constexpr int64_t kMaxPreamble = 30;

// Number of delimiters outside quotes in each of the first lines; -1 for an empty line.
std::vector<int> CountDelimiters(absl::string_view text, char delimiter) {
  std::vector<int> counts;
  int count = 0;
  bool quoted = false;
  bool blank = true;
  for (char c : text) {
    if (c == '"') quoted = !quoted;
    if (c == '\n' && !quoted) {
      counts.push_back(blank ? -1 : count);
      if (counts.size() == kLinesLookedAt) return counts;
      count = 0;
      blank = true;
      continue;
    }
    if (c != '\r') blank = false;
    count += !quoted && c == delimiter;
  }
  if (!blank) counts.push_back(count);
  return counts;
}

// The commonest number of delimiters above zero, and how many lines have it.
std::pair<int, int> Commonest(const std::vector<int>& counts) {
  std::map<int, int> lines;
  for (int count : counts) lines[count] += count > 0;
  std::pair<int, int> best{0, 0};
  for (auto [count, number] : lines) {
    if (number > best.second || (number == best.second && count > best.first)) best = {count, number};
  }
  return best;
}

std::vector<std::string> SplitLine(absl::string_view line, char delimiter) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == delimiter && !quoted) {
      cells.emplace_back();
    } else if (c != '\r') {
      cells.back().push_back(c);
    }
  }
  for (std::string& cell : cells) absl::StripAsciiWhitespace(&cell);
  return cells;
}

absl::string_view LineAt(absl::string_view text, int64_t number) {
  size_t begin = 0;
  for (int64_t i = 0; i < number; ++i) begin = text.find('\n', begin) + 1;
  return text.substr(begin, text.find('\n', begin) - begin);
}

bool LooksLikeHeader(const std::vector<std::string>& cells) {
  std::set<std::string> distinct(cells.begin(), cells.end());
  if (distinct.size() != cells.size() || distinct.count("") > 0) return false;
  size_t numbers = std::count_if(cells.begin(), cells.end(), [](const std::string& cell) {
    return ParseNumber(cell).ok() || ParseDate(cell).ok();
  });
  return numbers * 2 <= cells.size();
}

}  // namespace

absl::StatusOr<RowShapeGuess> GuessTable(absl::string_view text, char delimiter) {
  std::string delimiters = delimiter != 0 ? std::string(1, delimiter) : ",;\t|";
  std::vector<int> counts;
  std::pair<int, int> best{0, 0};
  for (char candidate : delimiters) {
    std::vector<int> found = CountDelimiters(text, candidate);
    std::pair<int, int> common = Commonest(found);
    if (common.second < best.second || (common.second == best.second && common.first <= best.first)) continue;
    best = common;
    counts = found;
    delimiter = candidate;
  }
  if (best.second == 0) {
    return Error(
        absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_ROWS",
        "this is neither JSON nor XML, and no line of it holds commas, semicolons, tabs or bars as a table would");
  }
  RowShapeGuess guess;
  guess.source.format = delimiter == '\t' ? Format::kTsv : Format::kCsv;
  if (delimiter != ',' && delimiter != '\t') guess.source.csv.delimiter = delimiter;
  int64_t header = std::find(counts.begin(), counts.end(), best.first) - counts.begin();
  if (header > kMaxPreamble) header = 0;
  guess.source.csv.skip_lines = header;
  std::vector<std::string> cells = SplitLine(LineAt(text, header), delimiter);
  if (LooksLikeHeader(cells)) {
    guess.paths = cells;
  } else {
    guess.source.csv.header = false;
    for (size_t i = 1; i <= cells.size(); ++i) guess.paths.push_back(absl::StrCat("column", i));
    guess.source.csv.columns = guess.paths;
  }
  double even = static_cast<double>(best.second) / static_cast<double>(counts.size());
  guess.rows = std::count(text.begin(), text.end(), '\n');
  guess.confidence = (guess.source.csv.header ? 0.95 : 0.7) * std::min(1.0, 0.5 + even / 2);
  guess.why = absl::StrCat("a table of ", best.first + 1, " columns",
                           header > 0 ? absl::StrCat(" after ", header, " lines of other text") : "");
  return guess;
}

}  // namespace chartly::drone
