#include "common/profile/fetch_difference.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/profile/profile_parser.h"
#include "common/text/sha256.h"

namespace chartly {
namespace {

// A new key of the source counts as one that decides what is fetched, until it is named here.
constexpr std::array<absl::string_view, 7> kOfReading = {"format",     "shape", "records", "charset",
                                                         "namespaces", "csv",   "unpivot"};
// What decides how and how much is asked, and not of what payloads are.
constexpr std::array<absl::string_view, 5> kOfAsking = {"auth", "egress", "incremental", "pagination", "partition"};

template <size_t N>
bool IsBelow(absl::string_view path, const std::array<absl::string_view, N>& keys) {
  return std::any_of(keys.begin(), keys.end(), [&](absl::string_view key) {
    const std::string own = absl::StrCat("source.", key);
    return path == own || absl::StartsWith(path, absl::StrCat(own, ".")) ||
           absl::StartsWith(path, absl::StrCat(own, "["));
  });
}

std::set<std::pair<std::string, std::string>> FetchedBy(absl::string_view yaml) {
  std::set<std::pair<std::string, std::string>> fields;
  for (auto& [path, text] : FlattenProfile(yaml)) {
    if (absl::StartsWith(path, "source.") && !IsBelow(path, kOfReading))
      fields.emplace(std::move(path), std::move(text));
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

std::string SourceDigest(absl::string_view yaml) {
  std::string text;
  for (const auto& [path, value] : FetchedBy(yaml)) {
    if (IsBelow(path, kOfAsking)) continue;
    for (const std::string& part : {path, value}) absl::StrAppend(&text, part.size(), ":", part);
  }
  return Sha256Hex(text);
}

}  // namespace chartly
