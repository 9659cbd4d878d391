#include "drone/decode/xml_rows.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxRowBytes = size_t{8} << 20;
constexpr size_t kMaxOuterBytes = size_t{1} << 20;

bool HasAttribute(XmlAttributes attributes, const XmlNameTest& name, const std::string& value) {
  for (; !attributes.AtEnd(); attributes.Next()) {
    if (attributes.value() == value && name.Fits(attributes.name())) return true;
  }
  return false;
}

}  // namespace

size_t XmlPlan::outer_levels() const {
  if (records.empty()) return 0;
  return 1 + static_cast<size_t>(
                 std::count_if(records.begin(), records.end() - 1, [](const XmlStep& step) { return step.each; }));
}

void XmlPlan::KeepFor(const XmlPath& path) {
  const size_t levels = outer_levels();
  if (path.levels_up == 0 || path.levels_up > levels) return;
  kept.resize(levels);
  for (const XmlStep& step : path.steps) kept[levels - path.levels_up].push_back(step.name.local);
}

absl::Status XmlRows::Read(Body& body, XmlUris& uris) {
  XmlParser parser(*this, uris);
  parser_ = &parser;
  plan_ = nullptr;
  depth_ = on_way_ = furthest_way_ = levels_ = 0;
  in_row_ = keeps_ = false;
  absl::Status status = parser.Parse(body);
  parser_ = nullptr;
  RETURN_IF_ERROR(status);
  return CheckFound();
}

absl::Status XmlRows::CheckFound() const {
  if (furthest_way_ >= plan_->records.size()) return absl::OkStatus();
  const std::string& missing = plan_->records[furthest_way_ - 1].name.local;
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_RECORDS",
               absl::StrCat("no element <", missing, "> where source.records expects it; the root element is <",
                            absl::Utf8SafeCHexEscape(root_name_.substr(0, 64)), ">"));
}

const XmlTree* XmlRows::Level(size_t up) const {
  if (up == 0) return &row_;
  return up <= levels_ ? &outer_[levels_ - up] : nullptr;
}

bool XmlRows::OnTheWay(const XmlName& name, XmlAttributes attributes) const {
  if (on_way_ == 0) return true;
  const XmlStep& step = plan_->records[on_way_ - 1];
  return step.name.Fits(name) && std::all_of(step.where.begin(), step.where.end(), [&](const auto& where) {
           return HasAttribute(attributes, where.first, where.second);
         });
}

absl::Status XmlRows::OnStart(const XmlName& name, XmlAttributes attributes) {
  ++depth_;
  if (in_row_) {
    row_.Open(name, attributes);
    return CheckSize();
  }
  if (plan_ == nullptr) {
    root_name_ = std::string(name.local);
    ASSIGN_OR_RETURN(plan_, handler_.PlanFor(name));
    outer_.resize(std::max(outer_.size(), plan_->outer_levels()));
  }
  const bool beside = depth_ == on_way_ + 1;
  if (beside && OnTheWay(name, attributes)) return Enter(name, attributes);
  if (beside) {
    keeps_ = levels_ <= plan_->kept.size() &&
             std::find(plan_->kept[levels_ - 1].begin(), plan_->kept[levels_ - 1].end(), name.local) !=
                 plan_->kept[levels_ - 1].end();
  }
  if (!keeps_) return absl::OkStatus();
  Outer().Open(name, attributes);
  return CheckSize();
}

absl::Status XmlRows::Enter(const XmlName& name, XmlAttributes attributes) {
  ++on_way_;
  furthest_way_ = std::max(furthest_way_, on_way_);
  if (on_way_ == plan_->records.size() + 1) {
    in_row_ = true;
    parser_->Mark();
    row_.Clear();
    row_.Open(name, attributes);
    return CheckSize();
  }
  if (OpensLevel()) {
    ++levels_;
    Outer().Clear();
  }
  Outer().Open(name, attributes);
  return CheckSize();
}

absl::Status XmlRows::OnEnd() {
  --depth_;
  if (depth_ + 1 == on_way_) return Leave();
  if (in_row_) {
    row_.Close();
  } else if (keeps_) {
    Outer().Close();
  }
  return absl::OkStatus();
}

absl::Status XmlRows::Leave() {
  if (in_row_) {
    row_.Close();
    absl::Status status = handler_.OnRow(*this);
    in_row_ = false;
    --on_way_;
    parser_->Unmark();
    return status;
  }
  if (levels_ == 1) handler_.OnOuterEnd(Outer());
  // What has passed on the way is of no use to the rows that follow, and there may be any number of it.
  Outer().Drop();
  if (OpensLevel()) --levels_;
  --on_way_;
  return absl::OkStatus();
}

absl::Status XmlRows::OnText(absl::string_view text) {
  if (in_row_) {
    row_.AddText(text);
  } else if (keeps_ && depth_ > on_way_) {
    Outer().AddText(text);
  } else {
    return absl::OkStatus();
  }
  return CheckSize();
}

absl::Status XmlRows::CheckSize() const {
  if (in_row_) {
    if (row_.bytes() <= kMaxRowBytes) return absl::OkStatus();
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_ROW_TOO_LARGE",
                 absl::StrCat("an element that is a row takes more than 8 MiB; is source.records (",
                              plan_->records.empty() ? "the root" : plan_->records.back().name.local, ") right?"));
  }
  if (outer_[levels_ - 1].bytes() <= kMaxOuterBytes) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_OUTER_TOO_LARGE",
               "what is kept around the rows for paths with ^ takes more than 1 MiB");
}

}  // namespace chartly::drone
