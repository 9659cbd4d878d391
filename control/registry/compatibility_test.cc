#include "control/registry/compatibility.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"
#include "control/registry/registry_fixture_test.h"

namespace chartly::registry {
namespace {

constexpr char kBase[] = R"(id: prices
name: Prices
version: 1.0.0
source: {type: file, path: rows.json, format: json}
mapping:
  country: dims.geo.country
  year: {to: dims.time.year, type: integer}
  value: {to: measures.price, type: decimal, unit: eur, required: true, min: 0}
  note: attrs.note
key: [dims.geo.country, dims.time.year]
filter: value > 0
)";

// "field REASON verdict" of each change, in order.
std::vector<std::string> Changes(const std::string& before, const std::string& after) {
  v1::Compatibility compatibility = CompareRecordTexts(before, after);
  std::vector<std::string> lines;
  for (const v1::CompatibilityChange& change : compatibility.changes()) {
    lines.push_back(absl::StrCat(change.field(), " ", change.reason(), " ", change.verdict()));
  }
  return lines;
}

std::vector<std::string> Edited(const std::string& from, const std::string& to) {
  const std::string after = absl::StrReplaceAll(kBase, {{from, to}});
  REQUIRE(after != kBase);
  REQUIRE_OK(ParseProfileOrError("after", after));
  return Changes(kBase, after);
}

using Lines = std::vector<std::string>;

TEST_CASE("what leaves the records as they are is compatible") {
  CHECK(Edited("name: Prices", "name: Prices of bread").empty());
  CHECK(Edited("version: 1.0.0", "version: 1.0.0\nschedule: {interval: 5m}\nlimits: {max_pages: 3}").empty());
  CHECK(CompareRecordTexts(kBase, kBase).verdict() == v1::COMPATIBILITY_VERDICT_COMPATIBLE);
}

TEST_CASE("a field that is gone, has another type or unit, and another key are breaking") {
  CHECK(Edited("  note: attrs.note\n", "") == Lines{"attrs.note FIELD_LOST 3"});
  CHECK(Edited("type: decimal", "type: text").front() == "measures.price FIELD_RETYPED 3");
  CHECK(Edited("unit: eur", "unit: usd") == Lines{"measures.price UNIT_CHANGED 3"});
  CHECK(Edited("key: [dims.geo.country, dims.time.year]", "key: [dims.geo.country]") == Lines{"key KEY_CHANGED 3"});
}

TEST_CASE("a dim more changes the key of a profile that names none") {
  const std::string before = absl::StrReplaceAll(kBase, {{"key: [dims.geo.country, dims.time.year]\n", ""}});
  const std::string after = absl::StrReplaceAll(before, {{"  note:", "  town: dims.geo.town\n  note:"}});
  CHECK(Changes(before, after) == Lines{"dims.geo.town FIELD_ADDED 2", "key KEY_CHANGED 3"});
}

TEST_CASE("more than before is widening") {
  CHECK(Edited("  note:", "  town: attrs.town\n  note:") == Lines{"attrs.town FIELD_ADDED 2"});
  CHECK(Edited("type: integer", "type: decimal") == Lines{"dims.time.year FIELD_RETYPED 2"});
  CHECK(Edited(", required: true", "") == Lines{"measures.price FIELD_OPTIONAL 2"});
  CHECK(Edited(", min: 0", "") == Lines{"measures.price ROWS_WIDENED 2"});
  CHECK(Edited("filter: value > 0\n", "") == Lines{"filter ROWS_WIDENED 2"});
  CHECK(Edited("value > 0", "value > 1") == Lines{"filter ROWS_CHANGED 2"});
  CHECK(Edited("  value:", "  amount:").front() == "measures.price VALUE_RULE_CHANGED 2");
}

TEST_CASE("fewer rows of the same kind are compatible") {
  CHECK(Edited("type: integer}", "type: integer, required: true}") == Lines{"dims.time.year ROWS_NARROWED 1"});
  CHECK(Edited("dims.geo.country\n  year", "{to: dims.geo.country}\n  year").empty());
}

TEST_CASE("consent is asked for what breaks, and says what that is") {
  const std::string after = absl::StrReplaceAll(kBase, {{"  note: attrs.note\n", ""}});
  v1::Compatibility breaking = CompareRecordTexts(kBase, after);
  absl::Status refused = RequireConsent(breaking, false, "prices");
  CHECK(Reason(refused) == "PROFILE_BREAKING");
  CHECK(testing::Says(refused, "attrs.note FIELD_LOST"));
  CHECK_OK(RequireConsent(breaking, true, "prices"));
  CHECK_OK(RequireConsent(CompareRecordTexts(after, kBase), false, "prices"));
}

}  // namespace
}  // namespace chartly::registry
