#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/text/csv_text.h"
#include "control/aggregator/record_format.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::aggregator {
namespace {

using google::protobuf::util::TimeUtil;
using ColumnKind = ExportColumn::Kind;

// RFC 4180: lines end with CR LF, a field with a comma, a quote or a line break stands in quotes. A null is nothing,
// an empty text is a pair of quotes.
class CsvFormat final : public RecordFormat {
 public:
  CsvFormat(ExportSchema schema, bool guard_formulas)
      : schema_(std::move(schema)), binding_(schema_), guard_formulas_(guard_formulas) {}
  const char* content_type() const override { return "text/csv; charset=utf-8; header=present"; }
  const char* extension() const override { return "csv"; }
  bool needs_ids() const override { return binding_.has_id(); }

  void Begin(std::string& out) override {
    for (size_t i = 0; i < schema_.size(); ++i) {
      if (i > 0) out.push_back(',');
      AppendText(schema_[i].title, out);
    }
    out += "\r\n";
  }
  void End(std::string&) override {}
  void Bind(const RecordBlock& block) override { binding_.Bind(block.columns()); }

  void Add(const RecordBlock& block, uint32_t row, const Hash128& id, std::string& out) override {
    if (binding_.has_provenance()) FillProvenance(block, row, provenance_);
    for (size_t i = 0; i < schema_.size(); ++i) {
      if (i > 0) out.push_back(',');
      if (schema_[i].kind == ColumnKind::kField) {
        AppendField(i, row, out);
      } else {
        AppendOrigin(schema_[i].kind, id, out);
      }
    }
    out += "\r\n";
  }

 private:
  void AppendField(size_t index, uint32_t row, std::string& out) const {
    const ColumnData* column = binding_.Find(index, row);
    if (column == nullptr) return;
    if (column->type == ValueType::kText) return AppendText(column->Text(row), out);
    out += column->Get(row).ToText();  // has no comma, quote or line break
  }

  void AppendOrigin(ColumnKind kind, const Hash128& id, std::string& out) const {
    switch (kind) {
      case ColumnKind::kField:
        return;
      case ColumnKind::kId:
        out += id.ToHex();
        return;
      case ColumnKind::kSourceUri:
        return AppendText(provenance_.source_uri(), out);
      case ColumnKind::kPayload:
        return AppendText(provenance_.payload_sha256(), out);
      case ColumnKind::kPage:
        absl::StrAppend(&out, provenance_.page());
        return;
      case ColumnKind::kRow:
        absl::StrAppend(&out, provenance_.row());
        return;
      case ColumnKind::kRevision:
        return AppendText(provenance_.revision(), out);
      case ColumnKind::kDrone:
        return AppendText(provenance_.drone_id(), out);
      case ColumnKind::kRun:
        return AppendText(provenance_.run_id(), out);
      case ColumnKind::kObserved:
        out += TimeUtil::ToString(provenance_.observed_at());
        return;
      case ColumnKind::kAcked:
        out += TimeUtil::ToString(provenance_.acked_at());
        return;
    }
  }

  void AppendText(absl::string_view text, std::string& out) const { AppendCsvText(out, text, guard_formulas_); }

  const ExportSchema schema_;
  SchemaBinding binding_;
  const bool guard_formulas_;
  v1::Provenance provenance_;
};

}  // namespace

std::unique_ptr<RecordFormat> MakeCsvFormat(ExportSchema schema, bool guard_formulas) {
  return std::make_unique<CsvFormat>(std::move(schema), guard_formulas);
}

}  // namespace chartly::aggregator
