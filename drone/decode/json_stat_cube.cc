#include "drone/decode/json_stat_cube.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/json_stat_decoder.h"

namespace chartly::drone {
namespace {

absl::Status NotJsonStat(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NOT_JSON_STAT",
               absl::StrCat("not a JSON-stat dataset: ", message));
}

// A member of the dataset in version 2, of its `dimension` in version 1.
size_t EitherMember(const JsonDocument& document, size_t dataset, size_t dimension, absl::string_view key) {
  size_t found = document.Member(dataset, key);
  return found != JsonDocument::kNone ? found : document.Member(dimension, key);
}

size_t CountElements(const JsonDocument& document, size_t array) {
  size_t count = 0;
  for (size_t i = document.First(array); i != JsonDocument::kNone; i = document.Following(document.Skip(i))) ++count;
  return count;
}

std::vector<size_t> Elements(const JsonDocument& document, size_t array) {
  std::vector<size_t> elements;
  if (array == JsonDocument::kNone || !document.IsArray(array)) return elements;
  for (size_t i = document.First(array); i != JsonDocument::kNone; i = document.Following(document.Skip(i)))
    elements.push_back(i);
  return elements;
}

// Category ids by place. `index` is an array of ids, or an object of places by id.
absl::Status ReadIndex(const JsonDocument& document, size_t index, JsonStatDimension& dimension) {
  if (document.IsArray(index)) {
    for (size_t i : Elements(document, index)) dimension.categories.push_back(document.Text(i));
    return absl::OkStatus();
  }
  std::vector<std::pair<size_t, std::string>> places;
  if (document.IsObject(index)) {
    for (size_t i = document.First(index); i != JsonDocument::kNone;
         i = document.Following(document.Skip(JsonDocument::ValueOf(i)))) {
      size_t place = 0;
      if (!absl::SimpleAtoi(document.Text(JsonDocument::ValueOf(i)), &place)) {
        return NotJsonStat(absl::StrCat("an index of dimension \"", dimension.id, "\" is no number"));
      }
      places.emplace_back(place, document.Text(i));
    }
  }
  std::sort(places.begin(), places.end());
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i].first != i) {
      return NotJsonStat(
          absl::StrCat("the index of dimension \"", dimension.id, "\" does not count from 0 to ", places.size() - 1));
    }
    dimension.categories.push_back(std::move(places[i].second));
  }
  return absl::OkStatus();
}

absl::StatusOr<JsonStatDimension> ReadDimension(const JsonDocument& document, size_t dimensions, std::string id) {
  JsonStatDimension dimension{std::move(id), {}, {}};
  size_t found = document.Member(dimensions, dimension.id);
  size_t category = found == JsonDocument::kNone ? JsonDocument::kNone : document.Member(found, "category");
  if (category == JsonDocument::kNone)
    return NotJsonStat(absl::StrCat("dimension \"", dimension.id, "\" has no category"));
  size_t index = document.Member(category, "index");
  size_t label = document.Member(category, "label");
  if (index != JsonDocument::kNone) {
    RETURN_IF_ERROR(ReadIndex(document, index, dimension));
  } else if (label != JsonDocument::kNone && document.First(label) != JsonDocument::kNone) {
    // A dimension of one category needs no index.
    dimension.categories.push_back(document.Text(document.First(label)));
  }
  dimension.labels = dimension.categories;
  if (label == JsonDocument::kNone || !document.IsObject(label)) return dimension;
  std::vector<std::pair<std::string, std::string>> labels;
  for (size_t i = document.First(label); i != JsonDocument::kNone;
       i = document.Following(document.Skip(JsonDocument::ValueOf(i)))) {
    labels.emplace_back(document.Text(i), document.Text(JsonDocument::ValueOf(i)));
  }
  std::sort(labels.begin(), labels.end());
  for (std::string& name : dimension.labels) {
    auto at = std::lower_bound(labels.begin(), labels.end(), name,
                               [](const auto& entry, const std::string& wanted) { return entry.first < wanted; });
    if (at != labels.end() && at->first == name) name = at->second;
  }
  return dimension;
}

}  // namespace

absl::StatusOr<JsonStatCube> ReadJsonStatCube(const JsonDocument& document, size_t dataset) {
  JsonStatCube cube;
  size_t dimensions = document.Member(dataset, "dimension");
  if (dimensions == JsonDocument::kNone) return NotJsonStat("it has no \"dimension\"");
  std::vector<size_t> ids = Elements(document, EitherMember(document, dataset, dimensions, "id"));
  std::vector<size_t> sizes = Elements(document, EitherMember(document, dataset, dimensions, "size"));
  if (ids.empty() || ids.size() != sizes.size()) {
    return NotJsonStat(
        absl::StrCat("it names ", ids.size(), " dimensions in \"id\" and ", sizes.size(), " in \"size\""));
  }
  cube.cells = 1;
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSIGN_OR_RETURN(JsonStatDimension dimension, ReadDimension(document, dimensions, document.Text(ids[i])));
    size_t size = dimension.categories.size();
    if (absl::StrCat(size) != document.Text(sizes[i])) {
      return NotJsonStat(absl::StrCat("dimension \"", dimension.id, "\" has ", size, " categories, but its size is ",
                                      document.Text(sizes[i])));
    }
    cube.cells *= size;
    if (cube.cells > kMaxJsonStatCells) {
      return Error(absl::StatusCode::kResourceExhausted, "PAYLOAD_TOO_LARGE",
                   absl::StrCat("the cube has more than ", kMaxJsonStatCells, " cells; ask for a part of it"));
    }
    cube.dimensions.push_back(std::move(dimension));
  }
  cube.value = document.Member(dataset, "value");
  cube.status = document.Member(dataset, "status");
  // Eurostat's first service put the statuses of the cells beside a legend of their codes.
  if (cube.status != JsonDocument::kNone && document.IsObject(cube.status)) {
    size_t cells = document.Member(cube.status, "value");
    if (cells != JsonDocument::kNone) cube.status = cells;
  }
  if (cube.value == JsonDocument::kNone) return NotJsonStat("it has no \"value\"");
  return cube;
}

absl::StatusOr<JsonStatCells> JsonStatCells::Open(const JsonDocument& document, size_t value, size_t count,
                                                  absl::string_view name) {
  JsonStatCells cells(document);
  if (value == JsonDocument::kNone || document.IsNull(value)) return cells;
  if (document.IsArray(value)) {
    size_t there = CountElements(document, value);
    cells.element_ = document.First(value);
    if (there == count) return cells;
    return NotJsonStat(absl::StrCat("\"", name, "\" has ", there, " elements, but the sizes give ", count, " cells"));
  }
  if (!document.IsObject(value)) {
    cells.for_all_ = value;
    return cells;
  }
  for (size_t i = document.First(value); i != JsonDocument::kNone;
       i = document.Following(document.Skip(JsonDocument::ValueOf(i)))) {
    size_t cell = 0;
    if (!absl::SimpleAtoi(document.Text(i), &cell) || cell >= count) {
      return NotJsonStat(absl::StrCat("\"", name, "\" names a cell \"", document.Text(i), "\", but the last one is ",
                                      count == 0 ? 0 : count - 1));
    }
    cells.numbered_.emplace_back(cell, JsonDocument::ValueOf(i));
  }
  std::sort(cells.numbered_.begin(), cells.numbered_.end());
  return cells;
}

Field JsonStatCells::Next() {
  const size_t cell = cell_++;
  if (for_all_ != JsonDocument::kNone) return document_->Get(for_all_, scratch_);
  if (element_ != JsonDocument::kNone) {
    Field field = document_->Get(element_, scratch_);
    element_ = document_->Following(document_->Skip(element_));
    return field;
  }
  size_t found = JsonDocument::kNone;
  // Of a cell that is named twice the last one counts.
  for (; position_ < numbered_.size() && numbered_[position_].first == cell; ++position_) {
    found = numbered_[position_].second;
  }
  return found == JsonDocument::kNone ? Field{Field::Kind::kNull, {}} : document_->Get(found, scratch_);
}

}  // namespace chartly::drone
