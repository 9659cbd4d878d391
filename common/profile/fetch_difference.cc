#include "common/profile/fetch_difference.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/profile/profile_parser.h"

namespace chartly {
namespace {

// A new key of the source counts as one that decides what is fetched, until it is named here.
bool IsOfReading(absl::string_view path) {
  for (absl::string_view key : {"format", "shape", "records", "charset", "namespaces", "csv", "unpivot"}) {
    const std::string own = absl::StrCat("source.", key);
    if (path == own || absl::StartsWith(path, absl::StrCat(own, ".")) ||
        absl::StartsWith(path, absl::StrCat(own, "["))) {
      return true;
    }
  }
  return false;
}

std::set<std::pair<std::string, std::string>> FetchedBy(absl::string_view yaml) {
  std::set<std::pair<std::string, std::string>> fields;
  for (auto& [path, text] : FlattenProfile(yaml)) {
    if (absl::StartsWith(path, "source.") && !IsOfReading(path)) fields.emplace(std::move(path), std::move(text));
  }
  return fields;
}

}  // namespace

std::string FetchDifference(absl::string_view running, absl::string_view tried) {
  const std::set<std::pair<std::string, std::string>> before = FetchedBy(running);
  const std::set<std::pair<std::string, std::string>> after = FetchedBy(tried);
  std::vector<std::pair<std::string, std::string>> different;
  std::set_symmetric_difference(before.begin(), before.end(), after.begin(), after.end(),
                                std::back_inserter(different));
  return different.empty() ? "" : different.front().first;
}

}  // namespace chartly
