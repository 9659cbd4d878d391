#include "common/profile/quality_reader.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace chartly {
namespace {

constexpr size_t kMaxChecks = 64;
constexpr size_t kMaxCheckNameBytes = 48;

bool IsCheckName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxCheckNameBytes || !absl::ascii_islower(name[0])) return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

void ReadCheckName(const NodeAt& at, NodeReader& reader, std::string& out) {
  std::string name;
  reader.Text(at, name);
  if (name.empty()) return;
  if (!IsCheckName(name)) {
    return reader.Invalid(at, absl::StrCat("a check's name has lower-case letters, digits and \"_\", at most ",
                                           kMaxCheckNameBytes, ", and begins with a letter: price_is_positive"));
  }
  out = std::move(name);
}

void ReadCheck(const NodeAt& at, NodeReader& reader, std::vector<CheckConfig>& out) {
  CheckConfig check;
  bool is_map = reader.Map(at, {{"name", [&](const NodeAt& value) { ReadCheckName(value, reader, check.name); }},
                                {"expect", [&](const NodeAt& value) { reader.Text(value, check.expect, 4096); }}});
  if (!is_map) return;
  reader.Require(at, "name", "price_is_positive");
  reader.Require(at, "expect", "measures.price > 0");
  bool twice = std::any_of(out.begin(), out.end(), [&](const CheckConfig& other) { return other.name == check.name; });
  if (twice && !check.name.empty()) reader.Invalid(Child(at, "name"), "another check has this name; give it its own");
  out.push_back(std::move(check));
}

}  // namespace

void ReadChecks(const NodeAt& at, NodeReader& reader, std::vector<CheckConfig>& out) {
  if (at.node->kind != YamlNode::Kind::kSequence) {
    return reader.Invalid(at, "checks are a list: [{name: price_is_positive, expect: measures.price > 0}]");
  }
  reader.Items(at, [&](const NodeAt& item) { ReadCheck(item, reader, out); });
  if (out.size() > kMaxChecks) reader.Invalid(at, absl::StrCat("more than ", kMaxChecks, " checks; join some by and"));
}

void ReadExpect(const NodeAt& at, NodeReader& reader, ExpectConfig& out) {
  reader.Map(
      at,
      {{"min_records",
        [&](const NodeAt& value) { reader.Integer(value, 0, std::numeric_limits<int64_t>::max(), out.min_records); }},
       {"max_quarantined", [&](const NodeAt& value) { reader.Share(value, out.max_quarantined); }}});
}

}  // namespace chartly
