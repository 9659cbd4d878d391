#include "drone/decode/csv_decoder.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/normalize/normalizer.h"
#include "common/status/status.h"
#include "drone/decode/columns.h"
#include "drone/decode/csv_reader.h"
#include "drone/decode/row_blocks.h"
#include "drone/decode/unpivot.h"

namespace chartly::drone {
namespace {

// The slots are the paths of the mapping.
class CsvRow final : public Row {
 public:
  CsvRow(const CsvReader& reader, const std::vector<size_t>& columns) : reader_(reader) {
    for (size_t column : columns) fields_.push_back(&reader.cell(column));
  }
  Field Get(size_t slot) const override { return *fields_[slot]; }
  const Field* const* fields() const override { return fields_.data(); }
  std::string Raw() const override { return std::string(reader_.raw()); }

 private:
  const CsvReader& reader_;
  std::vector<const Field*> fields_;
};

// The slots are the columns.
class WideRow final : public Row {
 public:
  explicit WideRow(const CsvReader& reader) : reader_(reader) {}
  Field Get(size_t slot) const override { return reader_.cell(slot); }
  std::string Raw() const override { return std::string(reader_.raw()); }

 private:
  const CsvReader& reader_;
};

// A name behind a blank has kept its quotes, since there they are text.
std::string CleanName(absl::string_view text, std::optional<char> quote) {
  text = absl::StripAsciiWhitespace(text);
  bool quoted = text.size() >= 2 && quote.has_value() && text.front() == *quote && text.back() == *quote;
  return std::string(quoted ? absl::StripAsciiWhitespace(text.substr(1, text.size() - 2)) : text);
}

absl::StatusOr<std::vector<std::string>> ReadHeader(CsvReader& reader, std::optional<char> quote) {
  bool more = true;
  do {
    ASSIGN_OR_RETURN(more, reader.Next());
  } while (more && reader.blank());
  if (!more || !reader.fault().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_HEADER",
                 absl::StrCat("no header line that names the columns", more ? ": " : "", reader.fault()));
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < reader.size(); ++i) names.push_back(CleanName(reader.field(i), quote));
  return names;
}

std::string WhyBad(const CsvReader& reader, size_t width) {
  if (!reader.fault().empty()) return absl::StrCat("line ", reader.line(), ": ", reader.fault());
  return absl::StrCat("line ", reader.line(), " has ", reader.size(), " fields, but there are ", width, " columns");
}

class CsvDecoder final : public PageDecoder {
 public:
  CsvDecoder(const SourceConfig& source, const std::vector<std::string>& paths)
      : config_(source.csv), unpivot_(source.unpivot), paths_(paths) {}

  absl::StatusOr<DecodeResult> Decode(Body& body, const PageInfo& page, RowSink& sink) override {
    if (LooksLikeMarkup(page.first_bytes)) {
      return PayloadError(page, "PAYLOAD_NOT_CSV", "a web page or other markup came instead of CSV");
    }
    DecodeResult result;
    RowBlocks blocks;
    blocks.Begin(sink, paths_.size());
    CsvReader reader(body, DialectOf(page.format), [&blocks] { return blocks.Flush(); });
    absl::Status status = ReadTable(reader, sink, blocks, result.rows);
    // Rows before an error go on first.
    RETURN_IF_ERROR(blocks.Flush());
    if (!status.ok()) return DescribePayload(page, status);
    return result;
  }

 private:
  CsvDialect DialectOf(Format format) const {
    CsvDialect dialect;
    dialect.delimiter = config_.delimiter.value_or(format == Format::kTsv ? '\t' : ',');
    dialect.quote = config_.quote.value_or('"');
    if (*dialect.quote == '\0') dialect.quote.reset();
    dialect.comment = config_.comment;
    return dialect;
  }

  absl::Status ReadTable(CsvReader& reader, RowSink& sink, RowBlocks& blocks, int64_t& rows) const {
    RETURN_IF_ERROR(reader.SkipLines(config_.skip_lines));
    std::vector<std::string> names = config_.columns;
    if (config_.header) {
      ASSIGN_OR_RETURN(names, ReadHeader(reader, config_.quote.value_or('"')));
    }
    if (unpivot_.name.empty()) {
      ASSIGN_OR_RETURN(std::vector<size_t> columns, BindColumns(paths_, names));
      CsvRow row(reader, columns);
      const bool in_blocks = blocks.wanted();
      return ForEachRow(reader, names.size(), sink, blocks, rows, [&] {
        const auto number = static_cast<uint32_t>(++rows);
        return in_blocks ? blocks.Add(row.fields(), reader.raw(), number) : sink.OnRow(row, number);
      });
    }
    ASSIGN_OR_RETURN(Unpivot unpivot, Unpivot::Create(unpivot_, paths_, names));
    WideRow wide(reader);
    return ForEachRow(reader, names.size(), sink, blocks, rows, [&] { return unpivot.Emit(wide, sink, rows); });
  }

  template <typename OnRow>
  static absl::Status ForEachRow(CsvReader& reader, size_t width, RowSink& sink, RowBlocks& blocks, int64_t& rows,
                                 const OnRow& on_row) {
    while (true) {
      ASSIGN_OR_RETURN(bool more, reader.Next());
      if (!more) return absl::OkStatus();
      if (reader.size() == width && reader.fault().empty()) {
        if (reader.blank() && width > 1) continue;
        RETURN_IF_ERROR(on_row());
      } else if (!reader.blank()) {
        auto number = static_cast<uint32_t>(++rows);
        RETURN_IF_ERROR(blocks.Flush());
        RETURN_IF_ERROR(sink.OnBadRow(kReasonUnreadableRow, WhyBad(reader, width), reader.raw(), number));
      }
    }
  }

  const CsvConfig config_;
  const UnpivotConfig unpivot_;
  const std::vector<std::string> paths_;
};

}  // namespace

std::unique_ptr<PageDecoder> MakeCsvDecoder(const SourceConfig& source, const std::vector<std::string>& paths) {
  return std::make_unique<CsvDecoder>(source, paths);
}

}  // namespace chartly::drone
