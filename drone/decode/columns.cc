#include "drone/decode/columns.h"

#include <algorithm>
#include <unordered_map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/normalize/source_path.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr size_t kNamesShown = 40;

std::string Listed(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), kNamesShown); ++i) {
    absl::StrAppend(&out, i == 0 ? "" : ", ", absl::Utf8SafeCHexEscape(absl::string_view(names[i]).substr(0, 64)));
  }
  if (names.size() > kNamesShown) absl::StrAppend(&out, " and ", names.size() - kNamesShown, " more");
  return out;
}

constexpr size_t kTwice = ~size_t{0};

}  // namespace

std::string ColumnName(const std::string& path) {
  if (path.rfind("[\"", 0) != 0) return path;
  absl::StatusOr<Path> parsed = Path::Parse(path);
  return parsed.ok() && parsed->steps().size() == 1 ? parsed->steps()[0].key : path;
}

absl::StatusOr<std::vector<size_t>> BindColumns(const std::vector<std::string>& paths,
                                                const std::vector<std::string>& names) {
  if (names.size() > kMaxColumns) {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_TOO_MANY_COLUMNS",
                 absl::StrCat("the header has ", names.size(), " columns; at most ", kMaxColumns, " are read"));
  }
  std::unordered_map<std::string, size_t> index;
  for (size_t i = 0; i < names.size(); ++i) {
    auto [entry, is_new] = index.emplace(names[i], i);
    if (!is_new) entry->second = kTwice;
  }
  std::vector<size_t> columns;
  for (const std::string& path : paths) {
    auto found = index.find(path);
    if (found == index.end()) found = index.find(ColumnName(path));
    if (found == index.end()) {
      return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_COLUMN",
                   absl::StrCat("there is no column \"", path, "\"; the columns are: ", Listed(names)),
                   {{"column", path}});
    }
    if (found->second == kTwice) {
      return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_DUPLICATE_COLUMN",
                   absl::StrCat("two columns of the header are named \"", absl::Utf8SafeCHexEscape(found->first), "\""),
                   {{"column", found->first}});
    }
    columns.push_back(found->second);
  }
  return columns;
}

}  // namespace chartly::drone
