#include "drone/decode/csv_decoder.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/normalize/normalizer.h"
#include "common/status/status.h"
#include "drone/decode/columns.h"
#include "drone/decode/csv_reader.h"
#include "drone/decode/utf8.h"

namespace chartly::drone {
namespace {

class CsvRow final : public Row {
 public:
  CsvRow(const CsvReader& reader, const std::vector<size_t>& columns) : reader_(reader), columns_(columns) {}

  Field Get(size_t slot) const override {
    absl::string_view text = reader_.field(columns_[slot]);
    return {text.empty() ? Field::Kind::kNull : Field::Kind::kText, text};
  }

  std::string Raw() const override { return std::string(reader_.raw()); }

 private:
  const CsvReader& reader_;
  const std::vector<size_t>& columns_;
};

absl::StatusOr<std::vector<size_t>> ReadHeader(CsvReader& reader, const std::vector<std::string>& paths,
                                               size_t& width) {
  bool more = true;
  do {
    ASSIGN_OR_RETURN(more, reader.Next());
  } while (more && reader.blank());
  if (!more || !reader.fault().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_HEADER",
                 absl::StrCat("no header line that names the columns", more ? ": " : "", reader.fault()));
  }
  width = reader.size();
  std::vector<std::string> names;
  for (size_t i = 0; i < width; ++i) names.emplace_back(absl::StripAsciiWhitespace(reader.field(i)));
  return BindColumns(paths, names);
}

std::string WhyBad(const CsvReader& reader, size_t width) {
  if (!reader.fault().empty()) return absl::StrCat("line ", reader.line(), ": ", reader.fault());
  if (reader.size() == width) return "";
  return absl::StrCat("line ", reader.line(), " has ", reader.size(), " fields, the header ", width);
}

absl::Status ReadRows(absl::string_view text, char delimiter, const std::vector<std::string>& paths, RowSink& sink,
                      int64_t& rows) {
  CsvReader reader(text, delimiter);
  size_t width = 0;
  ASSIGN_OR_RETURN(std::vector<size_t> columns, ReadHeader(reader, paths, width));
  CsvRow row(reader, columns);
  while (true) {
    ASSIGN_OR_RETURN(bool more, reader.Next());
    if (!more) return absl::OkStatus();
    if (reader.blank() && width > 1) continue;
    uint32_t number = static_cast<uint32_t>(++rows);
    std::string why = WhyBad(reader, width);
    RETURN_IF_ERROR(why.empty() ? sink.OnRow(row, number)
                                : sink.OnBadRow(kReasonUnreadableRow, why, reader.raw(), number));
  }
}

class CsvDecoder final : public PageDecoder {
 public:
  explicit CsvDecoder(const std::vector<std::string>& paths) : paths_(paths) {}

  absl::StatusOr<DecodeResult> Decode(Body& body, const PageInfo& page, RowSink& sink) override {
    if (LooksLikeMarkup(page.first_bytes)) {
      return PayloadError(page, "PAYLOAD_NOT_CSV", "a web page or other markup came instead of CSV");
    }
    ASSIGN_OR_RETURN(std::string text, ReadAll(body, kMaxDocumentBytes));
    size_t bad_utf8 = FindInvalidUtf8(text);
    if (bad_utf8 != absl::string_view::npos) return DescribePayload(page, NotUtf8Error(text, bad_utf8));
    DecodeResult result;
    char delimiter = page.format == Format::kCsv ? ',' : '\t';
    absl::Status status = ReadRows(text, delimiter, paths_, sink, result.rows);
    if (!status.ok()) return DescribePayload(page, status);
    return result;
  }

 private:
  const std::vector<std::string> paths_;
};

}  // namespace

std::unique_ptr<PageDecoder> MakeCsvDecoder(const SourceConfig&, const std::vector<std::string>& paths) {
  return std::make_unique<CsvDecoder>(paths);
}

}  // namespace chartly::drone
