#include "drone/decode/json_decoder.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/normalize/normalizer.h"
#include "common/status/status.h"
#include "drone/decode/columns.h"
#include "drone/decode/json_rows.h"

namespace chartly::drone {
namespace {

using Index = JsonTree::Index;
using Kind = JsonTree::Kind;

Field FieldOf(const JsonTree& tree, Index node) {
  if (node == JsonTree::kNone) return {};
  switch (tree.kind(node)) {
    case Kind::kNull:
      return {Field::Kind::kNull, {}};
    case Kind::kBoolean:
      return {Field::Kind::kBoolean, tree.text(node)};
    case Kind::kNumber:
      return {Field::Kind::kNumber, tree.text(node)};
    case Kind::kString:
      return {Field::Kind::kText, tree.text(node)};
    default:
      return {Field::Kind::kComposite, tree.text(node)};
  }
}

class TreeRow final : public Row {
 public:
  TreeRow(const JsonTree& tree, const std::vector<Path>& paths, const RowLevels& levels)
      : tree_(tree), paths_(paths), levels_(levels) {}

  Field Get(size_t slot) const override {
    const Path& path = paths_[slot];
    if (path.levels_up() >= levels_.size()) return {};
    return FieldOf(tree_, tree_.Follow(levels_[levels_.size() - 1 - path.levels_up()], path.steps()));
  }

  std::string Raw() const override { return std::string(tree_.text(levels_.back())); }

 private:
  const JsonTree& tree_;
  const std::vector<Path>& paths_;
  const RowLevels& levels_;
};

// A row of cells under a header; `cells` are nodes, `columns` says which one a slot wants.
class CellRow final : public Row {
 public:
  CellRow(const JsonTree& tree, Index row, const std::vector<Index>& cells, const std::vector<size_t>& columns)
      : tree_(tree), row_(row), cells_(cells), columns_(columns) {}
  Field Get(size_t slot) const override { return FieldOf(tree_, cells_[columns_[slot]]); }
  std::string Raw() const override { return std::string(tree_.text(row_)); }

 private:
  const JsonTree& tree_;
  Index row_;
  const std::vector<Index>& cells_;
  const std::vector<size_t>& columns_;
};

absl::StatusOr<Path> ParsePlainPath(const std::string& text, absl::string_view what) {
  absl::StatusOr<Path> path = Path::Parse(text);
  if (!path.ok()) return Annotate(path.status(), what);
  if (!path->has_each()) return path;
  return Error(
      absl::StatusCode::kInvalidArgument, "PATH_INVALID",
      absl::StrCat(what, ": path \"", text, "\" holds [*]; every element is a row of its own only in source.records"),
      {{"path", text}});
}

absl::StatusOr<std::vector<std::string>> HeaderNames(const JsonTree& tree, Index header) {
  std::vector<std::string> names;
  bool is_array = tree.kind(header) == Kind::kArray;
  if (is_array) {
    for (Index cell = tree.FirstChild(header); cell != tree.End(header); cell = tree.Next(cell)) {
      names.emplace_back(absl::StripAsciiWhitespace(tree.text(cell)));
    }
  }
  if (!names.empty()) return names;
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_HEADER",
               "the first row is no array of column names, as shape header_row wants");
}

}  // namespace

absl::StatusOr<std::unique_ptr<PageDecoder>> JsonDecoder::Create(const SourceConfig& source,
                                                                 const std::vector<std::string>& paths) {
  std::unique_ptr<JsonDecoder> decoder(new JsonDecoder);
  decoder->shape_ = source.shape;
  decoder->path_texts_ = paths;
  ASSIGN_OR_RETURN(decoder->records_, Path::Parse(source.records));
  if (decoder->records_.levels_up() > 0) {
    return Error(absl::StatusCode::kInvalidArgument, "PATH_INVALID",
                 "source.records begins at the payload; ^ leads nowhere");
  }
  ASSIGN_OR_RETURN(decoder->pages_, ParsePlainPath(source.pagination.pages, "source.pagination.pages"));
  ASSIGN_OR_RETURN(decoder->next_, ParsePlainPath(source.pagination.next, "source.pagination.next"));
  if (source.shape == RowShape::kHeaderRow) return decoder;
  for (const std::string& text : paths) {
    ASSIGN_OR_RETURN(Path path, ParsePlainPath(text, "mapping"));
    decoder->paths_.push_back(std::move(path));
  }
  return decoder;
}

absl::StatusOr<DecodeResult> JsonDecoder::Decode(Body& body, const PageInfo& page, RowSink& sink) {
  if (LooksLikeMarkup(page.first_bytes)) {
    return PayloadError(
        page, "PAYLOAD_NOT_JSON",
        "a web page or other markup came instead of JSON; open the address in a browser to see what it says");
  }
  ASSIGN_OR_RETURN(std::string text, ReadAll(body, kMaxDocumentBytes));
  DecodeResult result;
  absl::Status status =
      page.format == Format::kNdjson ? DecodeLines(text, sink, result.rows) : DecodeDocument(text, sink, result);
  if (!status.ok()) return DescribePayload(page, status);
  return result;
}

absl::Status JsonDecoder::DecodeDocument(absl::string_view text, RowSink& sink, DecodeResult& result) {
  RETURN_IF_ERROR(tree_->Parse(text));
  RETURN_IF_ERROR(Rows(sink, result.rows));
  ReadPagination(result);
  return absl::OkStatus();
}

absl::Status JsonDecoder::Rows(RowSink& sink, int64_t& rows) {
  if (shape_ == RowShape::kHeaderRow) return HeaderRows(sink, rows);
  return ForEachRow(
      *tree_, records_,
      [&](const RowLevels& levels) {
        return sink.OnRow(TreeRow(*tree_, paths_, levels), static_cast<uint32_t>(++rows));
      },
      [&](Index element, const std::string& why) {
        return sink.OnBadRow(kReasonUnreadableRow, why, tree_->text(element), static_cast<uint32_t>(++rows));
      });
}

absl::Status JsonDecoder::HeaderRows(RowSink& sink, int64_t& rows) {
  std::vector<std::string> names;
  std::vector<size_t> columns;
  std::vector<Index> cells;
  auto bad_row = [&](Index row, const std::string& why) {
    return sink.OnBadRow(kReasonUnreadableRow, why, tree_->text(row), static_cast<uint32_t>(++rows));
  };
  auto on_row = [&](const RowLevels& levels) -> absl::Status {
    Index row = levels.back();
    if (names.empty()) {
      ASSIGN_OR_RETURN(names, HeaderNames(*tree_, row));
      ASSIGN_OR_RETURN(columns, BindColumns(path_texts_, names));
      return absl::OkStatus();
    }
    if (tree_->kind(row) != Kind::kArray) return bad_row(row, "the row is no array");
    cells.clear();
    for (Index cell = tree_->FirstChild(row); cell != tree_->End(row); cell = tree_->Next(cell)) cells.push_back(cell);
    if (cells.size() != names.size()) {
      return bad_row(row, absl::StrCat("the row has ", cells.size(), " fields, the header ", names.size()));
    }
    return sink.OnRow(CellRow(*tree_, row, cells, columns), static_cast<uint32_t>(++rows));
  };
  return ForEachRow(*tree_, records_, on_row, bad_row);
}

absl::Status JsonDecoder::DecodeLines(absl::string_view text, RowSink& sink, int64_t& rows) {
  while (!text.empty()) {
    size_t end = text.find('\n');
    bool cut_off = end == absl::string_view::npos;
    absl::string_view line = absl::StripAsciiWhitespace(text.substr(0, end));
    text = cut_off ? absl::string_view() : text.substr(end + 1);
    if (!line.empty()) RETURN_IF_ERROR(Line(line, cut_off, sink, rows));
  }
  return absl::OkStatus();
}

absl::Status JsonDecoder::Line(absl::string_view line, bool cut_off, RowSink& sink, int64_t& rows) {
  absl::Status parsed = tree_->Parse(line);
  if (parsed.ok()) return Rows(sink, rows);
  if (cut_off && Reason(parsed) == "PAYLOAD_TRUNCATED") return parsed;
  return sink.OnBadRow(kReasonUnreadableRow, parsed.message(), line, static_cast<uint32_t>(++rows));
}

void JsonDecoder::ReadPagination(DecodeResult& result) const {
  if (!pages_.text().empty()) {
    Field pages = FieldOf(*tree_, tree_->Follow(JsonTree::kRoot, pages_.steps()));
    int64_t number = 0;
    bool scalar = pages.kind == Field::Kind::kNumber || pages.kind == Field::Kind::kText;
    if (scalar && absl::SimpleAtoi(pages.text, &number)) result.pages = number;
  }
  if (!next_.text().empty()) {
    Field next = FieldOf(*tree_, tree_->Follow(JsonTree::kRoot, next_.steps()));
    bool scalar = next.kind == Field::Kind::kNumber || next.kind == Field::Kind::kText;
    if (scalar && !next.text.empty()) result.next = std::string(next.text);
  }
}

}  // namespace chartly::drone
