#include "drone/decode/json_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

absl::StatusOr<Path> ParsePlainPath(const std::string& text, absl::string_view what) {
  absl::StatusOr<Path> path = Path::Parse(text);
  if (!path.ok()) return Annotate(path.status(), what);
  if (!path->has_each()) return path;
  return Error(
      absl::StatusCode::kInvalidArgument, "PATH_INVALID",
      absl::StrCat(what, ": path \"", text, "\" holds [*]; every element is a row of its own only in source.records"),
      {{"path", text}});
}

absl::StatusOr<JsonPlan::Slot> PlaceField(const std::string& text, JsonPlan& plan) {
  if (plan.shape == RowShape::kKeyed && text == "$key") return JsonPlan::Slot{JsonPlan::Where::kKey, 0, 0};
  bool whole_row = plan.shape == RowShape::kKeyed && text == "$value";
  ASSIGN_OR_RETURN(Path path, ParsePlainPath(whole_row ? std::string() : text, "mapping"));
  if (path.levels_up() > plan.row_level()) return JsonPlan::Slot{JsonPlan::Where::kNowhere, 0, 0};
  size_t level = plan.row_level() - path.levels_up();
  plan.levels[level].push_back(path.steps());
  return JsonPlan::Slot{JsonPlan::Where::kLevel, level, plan.levels[level].size() - 1};
}

absl::Status PlacePagination(const std::string& text, absl::string_view what, JsonPlan& plan, size_t& place) {
  ASSIGN_OR_RETURN(Path path, ParsePlainPath(text, what));
  if (path.text().empty()) return absl::OkStatus();
  place = plan.levels[0].size();
  plan.levels[0].push_back(path.steps());
  return absl::OkStatus();
}

size_t CountLevels(const JsonPlan& plan) {
  const std::vector<PathStep>& steps = plan.records.steps();
  auto each = std::count_if(steps.begin(), steps.end(),
                            [](const PathStep& step) { return step.kind == PathStep::Kind::kEach; });
  bool rows_named = !steps.empty() && steps.back().kind == PathStep::Kind::kEach && !plan.in_containers();
  return static_cast<size_t>(each) + (rows_named ? 1 : 2);
}

}  // namespace

absl::StatusOr<JsonPlan> MakeJsonPlan(const SourceConfig& source, Format format,
                                      const std::vector<std::string>& paths) {
  JsonPlan plan;
  plan.shape = source.shape;
  plan.names = paths;
  plan.features = format == Format::kGeoJson && source.records.empty();
  ASSIGN_OR_RETURN(plan.records, Path::Parse(plan.features ? "features" : source.records));
  if (plan.records.levels_up() > 0) {
    return Error(absl::StatusCode::kInvalidArgument, "PATH_INVALID",
                 "source.records begins at the payload; ^ leads nowhere");
  }
  plan.levels.resize(CountLevels(plan));
  if (plan.shape != RowShape::kHeaderRow) {
    for (const std::string& path : paths) {
      ASSIGN_OR_RETURN(JsonPlan::Slot slot, PlaceField(path, plan));
      plan.slots.push_back(slot);
    }
  }
  for (const JsonPlan::Paths& level : plan.levels) plan.outer_paths.push_back(level.size());
  RETURN_IF_ERROR(PlacePagination(source.pagination.pages, "source.pagination.pages", plan, plan.pages));
  RETURN_IF_ERROR(PlacePagination(source.pagination.next, "source.pagination.next", plan, plan.next));
  return plan;
}

std::string NoRecordsMessage(const JsonPlan& plan, size_t step, absl::string_view what) {
  if (plan.records.steps().empty()) return absl::StrCat("no rows: the payload ", what);
  return absl::StrCat("no rows at source.records \"", plan.records.text(), "\": its step ", step + 1, " ", what);
}

absl::Status NoRecordsError(const JsonPlan& plan, absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_RECORDS", message, {{"records", plan.records.text()}});
}

}  // namespace chartly::drone
