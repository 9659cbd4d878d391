#include "drone/decode/xml_pagination.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

absl::StatusOr<std::optional<XmlPath>> ParseIfGiven(const std::string& text, const SourceConfig& source, XmlUris& uris,
                                                    absl::string_view what) {
  if (text.empty()) return std::optional<XmlPath>();
  ASSIGN_OR_RETURN(XmlPath path, ParseXmlFieldPath(text, source.namespaces, uris, what));
  if (path.levels_up == 0) return std::optional<XmlPath>(std::move(path));
  return Error(absl::StatusCode::kInvalidArgument, "PATH_INVALID",
               absl::StrCat(what, ": path \"", text, "\" begins at the root element; ^ leads nowhere"),
               {{"path", text}});
}

}  // namespace

absl::StatusOr<XmlPagination> XmlPagination::Create(const SourceConfig& source, XmlUris& uris) {
  XmlPagination made;
  ASSIGN_OR_RETURN(made.pages_, ParseIfGiven(source.pagination.pages, source, uris, "source.pagination.pages"));
  ASSIGN_OR_RETURN(made.next_, ParseIfGiven(source.pagination.next, source, uris, "source.pagination.next"));
  return made;
}

void XmlPagination::KeepIn(XmlPlan& plan) const {
  for (const std::optional<XmlPath>* path : {&pages_, &next_}) {
    if (!path->has_value()) continue;
    XmlPath seen_from_row = **path;
    seen_from_row.levels_up = plan.outer_levels();
    plan.KeepFor(seen_from_row);
  }
}

void XmlPagination::Look(const XmlTree& root, DecodeResult& result) const {
  if (pages_.has_value() && !result.pages.has_value()) {
    int64_t pages = 0;
    if (absl::SimpleAtoi(root.FieldOf(root.Find(XmlTree::kRoot, *pages_)).text, &pages)) result.pages = pages;
  }
  if (next_.has_value() && !result.next.has_value()) {
    Field next = root.FieldOf(root.Find(XmlTree::kRoot, *next_));
    if (next.kind == Field::Kind::kText) result.next = std::string(next.text);
  }
}

}  // namespace chartly::drone
