#include "drone/decode/json_walk.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {

JsonWalk::JsonWalk(const JsonPlan& plan, JsonRowReader& reader) : plan_(plan), reader_(reader) {
  for (size_t level = 0; level < plan.row_level(); ++level) {
    binders_.push_back(std::make_unique<JsonBinder>(plan.levels[level]));
  }
}

absl::Status JsonWalk::Check(const JsonIndex& index, size_t token) {
  return binders_[0]->Read(index, token, 0) ? absl::OkStatus() : binders_[0]->status();
}

absl::Status JsonWalk::Rows(const JsonIndex& index, size_t token) {
  index_ = &index;
  document_.emplace(index);
  if (plan_.features) {
    ASSIGN_OR_RETURN(bool lone, LoneFeature(token));
    if (lone) return GiveRow(token);
  }
  return Step(token, 0, 0);
}

absl::StatusOr<bool> JsonWalk::LoneFeature(size_t root) {
  size_t type = document_->Member(root, "type");
  std::string name = type == JsonDocument::kNone ? "" : document_->Text(type);
  if (name == "Feature") return true;
  if (name == "FeatureCollection") return false;
  return NoRecordsError(plan_, absl::StrCat("no features: the payload is ",
                                            name.empty() ? std::string("no GeoJSON") : "a GeoJSON " + name,
                                            "; rows are the features of a FeatureCollection, or one Feature"));
}

absl::Status JsonWalk::Step(size_t value, size_t step, size_t level) {
  if (step == plan_.records.steps().size()) return End(value, level);
  const PathStep& what = plan_.records.steps()[step];
  if (what.kind == PathStep::Kind::kEach) return Each(value, step, level);
  size_t next =
      what.kind == PathStep::Kind::kKey ? document_->Member(value, what.key) : document_->Element(value, what.index);
  if (next == JsonDocument::kNone) return Missing(step, "is not there", level);
  return Step(next, step + 1, level);
}

absl::Status JsonWalk::Each(size_t value, size_t step, size_t level) {
  if (document_->IsNull(value)) return absl::OkStatus();
  if (!document_->IsArray(value))
    return Missing(step, absl::StrCat("is ", document_->KindName(value), ", no array"), level);
  bool rows = step + 1 == plan_.records.steps().size() && !plan_.in_containers();
  if (rows) return Elements(value);
  for (size_t i = document_->First(value); i != JsonDocument::kNone; i = document_->Following(document_->Skip(i))) {
    element_ = i;
    // What was checked with the document cannot fail here.
    if (!plan_.levels[level + 1].empty()) binders_[level + 1]->Read(*index_, i, 0);
    RETURN_IF_ERROR(Step(i, step + 1, level + 1));
  }
  return absl::OkStatus();
}

absl::Status JsonWalk::End(size_t value, size_t level) {
  size_t steps = plan_.records.steps().size();
  if (document_->IsNull(value) && steps > 0) return absl::OkStatus();
  bool array = document_->IsArray(value);
  bool object = document_->IsObject(value);
  if (plan_.shape == RowShape::kKeyed && object) return Members(value);
  if (!plan_.in_containers() && array) return Elements(value);
  if (plan_.shape != RowShape::kKeyed && object) return GiveRow(value);
  absl::string_view wanted = plan_.in_containers() ? ", no object" : ", no array";
  return Missing(steps, absl::StrCat("is ", document_->KindName(value), wanted), level);
}

absl::Status JsonWalk::Elements(size_t array) {
  for (size_t i = document_->First(array); i != JsonDocument::kNone; i = document_->Following(reader_.next())) {
    RETURN_IF_ERROR(GiveRow(i));
  }
  return absl::OkStatus();
}

absl::Status JsonWalk::Members(size_t object) {
  std::string scratch;
  for (size_t i = document_->First(object); i != JsonDocument::kNone; i = document_->Following(reader_.next())) {
    reader_.SetKey(document_->Get(i, scratch).text);
    RETURN_IF_ERROR(GiveRow(JsonDocument::ValueOf(i)));
  }
  return absl::OkStatus();
}

absl::Status JsonWalk::GiveRow(size_t value) {
  return reader_.Read(*index_, value, 0) ? reader_.Give() : reader_.status();
}

absl::Status JsonWalk::Missing(size_t step, absl::string_view what, size_t level) {
  std::string why = NoRecordsMessage(plan_, step, what);
  if (level > 0) return reader_.GiveBad(why, document_->Source(element_));
  return NoRecordsError(plan_, why);
}

}  // namespace chartly::drone
