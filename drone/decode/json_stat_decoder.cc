#include "drone/decode/json_stat_decoder.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/normalize/source_path.h"
#include "common/status/status.h"
#include "drone/decode/json_binder.h"
#include "drone/decode/json_decoder.h"
#include "drone/decode/json_document.h"
#include "drone/decode/json_index.h"
#include "drone/decode/json_stat_cube.h"
#include "drone/decode/json_window.h"

namespace chartly::drone {
namespace {

// The cell under way.
class CellRow final : public Row {
 public:
  CellRow(const JsonStatCube& cube, const std::vector<std::string>& paths)
      : cube_(cube), names_(paths), slots_(paths.size()), places_(cube.dimensions.size(), 0) {}

  // InvalidArgument (PAYLOAD_NO_COLUMN) if a path names none of the fields.
  absl::Status Bind() {
    for (size_t i = 0; i < names_.size(); ++i) {
      if (!BindSlot(names_[i], slots_[i])) return NoColumn(names_[i]);
    }
    return absl::OkStatus();
  }

  void SetCell(const Field& value, const Field& status) {
    value_ = value;
    status_ = status;
  }

  // The last dimension runs fastest.
  void Step() {
    for (size_t i = places_.size(); i-- > 0;) {
      if (++places_[i] < cube_.dimensions[i].categories.size()) return;
      places_[i] = 0;
    }
  }

  Field Get(size_t slot) const override {
    switch (slots_[slot].kind) {
      case Kind::kValue:
        return value_;
      case Kind::kStatus:
        return status_;
      case Kind::kCategory:
        return {Field::Kind::kText, Dimension(slot).categories[places_[slots_[slot].dimension]]};
      case Kind::kLabel:
        return {Field::Kind::kText, Dimension(slot).labels[places_[slots_[slot].dimension]]};
    }
    return {};
  }

  std::string Raw() const override {
    std::string out = "{";
    for (size_t i = 0; i < places_.size(); ++i) {
      const JsonStatDimension& dimension = cube_.dimensions[i];
      absl::StrAppend(&out, Quoted(dimension.id), ":", Quoted(dimension.categories[places_[i]]), ",");
    }
    bool text = value_.kind == Field::Kind::kText;
    std::string value = value_.text.empty() ? "null" : std::string(value_.text);
    return absl::StrCat(out, "\"value\":", text ? Quoted(value_.text) : value, "}");
  }

 private:
  enum class Kind { kValue, kStatus, kCategory, kLabel };
  struct Slot {
    Kind kind = Kind::kValue;
    size_t dimension = 0;
  };

  static std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\""); }
  const JsonStatDimension& Dimension(size_t slot) const { return cube_.dimensions[slots_[slot].dimension]; }

  bool BindSlot(const std::string& name, Slot& slot) const {
    for (size_t i = 0; i < cube_.dimensions.size(); ++i) {
      const std::string& id = cube_.dimensions[i].id;
      slot = {name == absl::StrCat(id, ".label") ? Kind::kLabel : Kind::kCategory, i};
      if (name == id || name == absl::StrCat("[", Quoted(id), "]") || slot.kind == Kind::kLabel) return true;
      slot.kind = Kind::kLabel;
      if (name == absl::StrCat("[", Quoted(id), "].label")) return true;
    }
    slot = {name == "status" ? Kind::kStatus : Kind::kValue, 0};
    return name == "value" || name == "status";
  }

  absl::Status NoColumn(const std::string& name) const {
    std::vector<std::string> names;
    for (const JsonStatDimension& dimension : cube_.dimensions) {
      names.push_back(dimension.id);
      names.push_back(absl::StrCat(dimension.id, ".label"));
    }
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_COLUMN",
                 absl::StrCat("there is no field \"", name,
                              "\"; the fields of this cube are: ", absl::StrJoin(names, ", "), ", value, status"),
                 {{"column", name}});
  }

  const JsonStatCube& cube_;
  const std::vector<std::string>& names_;
  std::vector<Slot> slots_;
  std::vector<size_t> places_;  // of the cell in each dimension
  Field value_;
  Field status_;
};

class JsonStatDecoder final : public PageDecoder {
 public:
  JsonStatDecoder(Path records, const std::vector<std::string>& paths)
      : records_(std::move(records)), paths_(paths), checker_(std::vector<std::vector<PathStep>>()) {}

  absl::StatusOr<DecodeResult> Decode(Body& body, const PageInfo& page, RowSink& sink) override {
    DecodeResult result;
    absl::Status status = Read(body, sink, result.rows);
    if (!status.ok()) return DescribePayload(page, status);
    return result;
  }

 private:
  absl::Status Read(Body& body, RowSink& sink, int64_t& rows) {
    JsonWindow window(body);
    RETURN_IF_ERROR(window.Fill(kMaxJsonRowBytes + 1));
    if (window.size() > kMaxJsonRowBytes) {
      return Error(absl::StatusCode::kResourceExhausted, "PAYLOAD_TOO_LARGE",
                   absl::StrCat("JSON-stat is read as a whole and may have at most ", kMaxJsonRowBytes,
                                " bytes; ask for a part of the cube"));
    }
    size_t size = window.size();
    RETURN_IF_ERROR(index_.Build(window.Lend(size), size, 0));
    if (!checker_.Read(index_, 0, 0)) return checker_.status();
    if (checker_.next() != index_.size() || index_.in_string()) {
      return NotJsonError(index_, index_.Position(checker_.next()), "more text after the end");
    }
    JsonDocument document(index_);
    ASSIGN_OR_RETURN(size_t dataset, FindDataset(document));
    ASSIGN_OR_RETURN(JsonStatCube cube, ReadJsonStatCube(document, dataset));
    return GiveCells(document, cube, sink, rows);
  }

  absl::Status GiveCells(const JsonDocument& document, const JsonStatCube& cube, RowSink& sink, int64_t& rows) {
    CellRow row(cube, paths_);
    RETURN_IF_ERROR(row.Bind());
    ASSIGN_OR_RETURN(JsonStatCells values, JsonStatCells::Open(document, cube.value, cube.cells, "value"));
    ASSIGN_OR_RETURN(JsonStatCells statuses, JsonStatCells::Open(document, cube.status, cube.cells, "status"));
    for (size_t cell = 0; cell < cube.cells; ++cell) {
      Field value = values.Next();
      row.SetCell(value, statuses.Next());
      RETURN_IF_ERROR(sink.OnRow(row, static_cast<uint32_t>(++rows)));
      row.Step();
    }
    return absl::OkStatus();
  }

  static absl::Status NoDataset(absl::string_view message) {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_RECORDS", message);
  }

  static std::string Class(const JsonDocument& document, size_t value) {
    size_t member = document.Member(value, "class");
    return member == JsonDocument::kNone ? "" : document.Text(member);
  }

  absl::StatusOr<size_t> FindDataset(const JsonDocument& document) const {
    size_t at = document.Follow(0, records_.steps());
    if (at == JsonDocument::kNone)
      return NoDataset(absl::StrCat("source.records \"", records_.text(), "\" leads nowhere"));
    std::string type = Class(document, at);
    if (type == "collection") {
      return NoDataset(
          "a JSON-stat collection only lists datasets; take the address (href) of one of its items as source.url, or "
          "let source.records lead to an item that holds its dataset");
    }
    if (type == "dimension") return NoDataset("a JSON-stat dimension has no cells; ask for a dataset");
    if (document.Member(at, "dimension") != JsonDocument::kNone || type == "dataset") return at;
    return OnlyDatasetIn(document, at);
  }

  static absl::StatusOr<size_t> OnlyDatasetIn(const JsonDocument& document, size_t bundle) {
    std::vector<std::string> names;
    size_t found = JsonDocument::kNone;
    if (document.IsObject(bundle)) {
      for (size_t i = document.First(bundle); i != JsonDocument::kNone;
           i = document.Following(document.Skip(JsonDocument::ValueOf(i)))) {
        if (document.Member(JsonDocument::ValueOf(i), "dimension") == JsonDocument::kNone) continue;
        found = JsonDocument::ValueOf(i);
        names.push_back(document.Text(i));
      }
    }
    if (names.size() == 1) return found;
    if (names.empty()) return NoDataset("no JSON-stat dataset in the payload: nothing in it has a \"dimension\"");
    return NoDataset(
        absl::StrCat("the payload holds several datasets; set source.records to one of: ", absl::StrJoin(names, ", ")));
  }

  const Path records_;
  const std::vector<std::string> paths_;
  JsonIndex index_;
  JsonBinder checker_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PageDecoder>> MakeJsonStatDecoder(const SourceConfig& source,
                                                                 const std::vector<std::string>& paths) {
  ASSIGN_OR_RETURN(Path records, Path::Parse(source.records));
  if (records.levels_up() > 0 || records.has_each()) {
    return Error(absl::StatusCode::kInvalidArgument, "PATH_INVALID",
                 "source.records of JSON-stat leads to one dataset, without [*] and ^");
  }
  return std::make_unique<JsonStatDecoder>(std::move(records), paths);
}

}  // namespace chartly::drone
