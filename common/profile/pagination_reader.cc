#include "common/profile/pagination_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace chartly {
namespace {

struct PaginationKeys {
  PaginationType type;
  absl::string_view name;
  std::vector<absl::string_view> keys;
};

const std::vector<PaginationKeys>& PaginationTypes() {
  static const auto* types = new std::vector<PaginationKeys>{
      {PaginationType::kNone, "none", {}},
      {PaginationType::kPage, "page", {"param", "start", "size_param", "size", "pages"}},
      {PaginationType::kOffset, "offset", {"param", "start", "size_param", "size"}},
      {PaginationType::kCursor, "cursor", {"param", "size_param", "size", "next"}},
      {PaginationType::kLinkHeader, "link_header", {}},
      {PaginationType::kNextUrl, "next_url", {"next"}},
  };
  return *types;
}

bool Uses(const PaginationKeys& type, absl::string_view key) {
  return std::find(type.keys.begin(), type.keys.end(), key) != type.keys.end();
}

void CheckKeys(const NodeAt& at, const PaginationKeys& type, NodeReader& reader) {
  for (absl::string_view key : {"param", "start", "size_param", "size", "pages", "next"}) {
    if (Uses(type, key)) continue;
    std::string users;
    for (const PaginationKeys& other : PaginationTypes()) {
      if (Uses(other, key)) absl::StrAppend(&users, users.empty() ? "" : ", ", other.name);
    }
    reader.RefuseKey(at, key, absl::StrCat("type: ", type.name, " does not use this key, only: ", users));
  }
}

void CheckSize(const NodeAt& at, const PaginationConfig& config, NodeReader& reader) {
  bool has_param = at.node->Find("size_param") != nullptr;
  bool has_size = at.node->Find("size") != nullptr;
  bool step_alone = config.type == PaginationType::kOffset && has_size;
  if (has_param == has_size || step_alone) return;
  reader.Invalid(at, "size_param and size go together: the parameter's name and the rows of a page");
}

// Where a profile says nothing: param and start.
void SetDefaults(const NodeAt& at, PaginationConfig& out) {
  if (at.node->Find("param") == nullptr) {
    if (out.type == PaginationType::kOffset) out.param = "offset";
    if (out.type == PaginationType::kCursor) out.param = "cursor";
  }
  if (at.node->Find("start") == nullptr && out.type == PaginationType::kOffset) out.start = 0;
}

}  // namespace

void ReadPagination(const NodeAt& at, NodeReader& reader, PaginationConfig& out) {
  NodeReader::Choices<PaginationType> types;
  for (const PaginationKeys& type : PaginationTypes()) types.emplace_back(std::string(type.name), type.type);
  if (at.node->kind == YamlNode::Kind::kScalar && at.node->text == "none") return;
  bool known = false;
  bool is_map =
      reader.Map(at, {{"type", [&](const NodeAt& value) { known = reader.Choice(value, types, out.type); }},
                      {"param", [&](const NodeAt& value) { reader.Text(value, out.param); }},
                      {"start", [&](const NodeAt& value) { reader.Integer(value, 0, 1'000'000'000, out.start); }},
                      {"size_param", [&](const NodeAt& value) { reader.Text(value, out.size_param); }},
                      {"size", [&](const NodeAt& value) { reader.Integer(value, 1, 1'000'000, out.size); }},
                      {"pages", [&](const NodeAt& value) { reader.Text(value, out.pages); }},
                      {"next", [&](const NodeAt& value) { reader.Text(value, out.next); }}});
  if (!is_map) return;
  reader.Require(at, "type", "page");
  if (!known) return;
  if (out.type == PaginationType::kNextUrl) reader.Require(at, "next", "links.next");
  if (out.type == PaginationType::kCursor) reader.Require(at, "next", "meta.next_cursor");
  auto type = std::find_if(PaginationTypes().begin(), PaginationTypes().end(),
                           [&](const PaginationKeys& keys) { return keys.type == out.type; });
  CheckKeys(at, *type, reader);
  if (Uses(*type, "size")) CheckSize(at, out, reader);
  SetDefaults(at, out);
}

}  // namespace chartly
