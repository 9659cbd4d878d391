#include "absl/strings/str_cat.h"
#include "common/text/json_string.h"
#include "control/aggregator/record_format.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::aggregator {
namespace {

using google::protobuf::util::TimeUtil;

// One JSON document a line, as the gateway writes a record.
class NdjsonFormat final : public RecordFormat {
 public:
  explicit NdjsonFormat(RecordProjection projection) : projection_(std::move(projection)) {}
  const char* content_type() const override { return "application/x-ndjson"; }
  const char* extension() const override { return "ndjson"; }
  bool needs_ids() const override { return true; }
  void Begin(std::string&) override {}
  void End(std::string&) override {}

  void Bind(const RecordBlock& block) override {
    columns_.clear();
    for (const ColumnData& column : block.columns()) {
      if (!IsField(column.role) || !projection_.Takes(column.role, column.name)) continue;
      std::string name;
      AppendJsonString(name, column.name);
      columns_.push_back({&column, absl::StrCat(name, ":")});
    }
    profile_.clear();
    AppendJsonString(profile_, block.source().profile_id);
  }

  void Add(const RecordBlock& block, uint32_t row, const Hash128& id, std::string& out) override {
    absl::StrAppend(&out, "{\"id\":\"", id.ToHex(), "\",\"profile_id\":", profile_);
    size_t next = 0;
    for (Role role : {Role::kDim, Role::kMeasure, Role::kAttr}) {
      absl::StrAppend(&out, ",\"", RoleName(role), "\":{");
      bool first = true;
      for (; next < columns_.size() && columns_[next].column->role == role; ++next) {
        const ColumnData& column = *columns_[next].column;
        if (column.IsNull(row)) continue;
        absl::StrAppend(&out, first ? "" : ",", columns_[next].name);
        first = false;
        AppendValue(column, row, out);
      }
      out.push_back('}');
    }
    if (projection_.takes_provenance()) AppendProvenance(block, row, out);
    out += "}\n";
  }

 private:
  struct NamedColumn {
    const ColumnData* column;
    std::string name;  // as JSON, with its colon
  };

  static void AppendValue(const ColumnData& column, uint32_t row, std::string& out) {
    if (column.type == ValueType::kText) return AppendJsonString(out, column.Text(row));
    Value value = column.Get(row);
    if (value.is_number() || value.type() == ValueType::kBoolean) {
      out += value.ToText();
    } else {
      AppendJsonString(out, value.ToText());
    }
  }

  void AppendProvenance(const RecordBlock& block, uint32_t row, std::string& out) {
    FillProvenance(block, row, provenance_);
    auto text = [&](const char* name, absl::string_view value) {
      absl::StrAppend(&out, name);
      AppendJsonString(out, value);
    };
    text(",\"provenance\":{\"source_uri\":", provenance_.source_uri());
    text(",\"payload_sha256\":", provenance_.payload_sha256());
    absl::StrAppend(&out, ",\"page\":", provenance_.page(), ",\"row\":", provenance_.row());
    text(",\"revision\":", provenance_.revision());
    text(",\"drone_id\":", provenance_.drone_id());
    text(",\"run_id\":", provenance_.run_id());
    text(",\"observed_at\":", TimeUtil::ToString(provenance_.observed_at()));
    text(",\"acked_at\":", TimeUtil::ToString(provenance_.acked_at()));
    text(",\"raw_ref\":", provenance_.raw_ref());
    out.push_back('}');
  }

  const RecordProjection projection_;
  std::vector<NamedColumn> columns_;
  std::string profile_;  // as JSON
  v1::Provenance provenance_;
};

}  // namespace

std::unique_ptr<RecordFormat> MakeNdjsonFormat(RecordProjection projection) {
  return std::make_unique<NdjsonFormat>(std::move(projection));
}

}  // namespace chartly::aggregator
