#include "drone/postgres/row_json.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/postgres/array_json.h"

namespace chartly::drone {
namespace {

struct KnownType {
  uint32_t oid;
  uint32_t array_oid;
  CellForm form;
};

// OIDs of the system catalog, which never change (pg_type.dat of the server).
constexpr uint32_t kBytea = 17;
constexpr uint32_t kByteaArray = 1001;
constexpr KnownType kTypes[] = {
    {16, 1000, CellForm::kBoolean},      // bool
    {20, 1016, CellForm::kNumber},       // int8
    {21, 1005, CellForm::kNumber},       // int2
    {23, 1007, CellForm::kNumber},       // int4
    {26, 1028, CellForm::kNumber},       // oid
    {700, 1021, CellForm::kNumber},      // float4
    {701, 1022, CellForm::kNumber},      // float8
    {1700, 1231, CellForm::kNumber},     // numeric
    {1114, 1115, CellForm::kTimestamp},  // timestamp
    {1184, 1185, CellForm::kTimestamp},  // timestamptz
    {25, 1009, CellForm::kText},         // text
    {1043, 1015, CellForm::kText},       // varchar
    {1042, 1014, CellForm::kText},       // bpchar
    {19, 1003, CellForm::kText},         // name
    {1082, 1182, CellForm::kText},       // date
    {1083, 1183, CellForm::kText},       // time
    {1266, 1270, CellForm::kText},       // timetz
    {1186, 1187, CellForm::kText},       // interval
    {2950, 2951, CellForm::kText},       // uuid
    {114, 199, CellForm::kText},         // json
    {3802, 3807, CellForm::kText},       // jsonb
    {869, 1041, CellForm::kText},        // inet
};

ColumnForm FormOf(uint32_t oid) {
  for (const KnownType& type : kTypes) {
    if (type.oid == oid) return {type.form, CellForm::kText};
    if (type.array_oid == oid) return {CellForm::kArray, type.form};
  }
  return {};
}

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

// Not NaN, Infinity or -Infinity, the only other texts of a number.
bool IsJsonNumber(absl::string_view text) {
  size_t sign = absl::StartsWith(text, "-") ? 1 : 0;
  return text.size() > sign && IsDigit(text[sign]);
}

// Years of four digits after Christ; others, and infinity, stay as the server wrote them.
void AppendTimestamp(absl::string_view text, std::string& out) {
  constexpr size_t kBlank = 10;
  bool plain = text.size() > kBlank && text[kBlank] == ' ' && !absl::EndsWith(text, "BC");
  if (!plain) return AppendJsonText(text, out);
  bool utc = absl::EndsWith(text, "+00");
  absl::string_view time = text.substr(kBlank + 1);
  if (utc) time.remove_suffix(3);
  absl::StrAppend(&out, "\"", text.substr(0, kBlank), "T", time, utc ? "Z\"" : "\"");
}

absl::Status RefuseColumn(absl::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, "SOURCE_QUERY", why);
}

}  // namespace

void AppendJsonText(absl::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  size_t plain = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c >= ' ' && c != '"' && c != '\\') continue;
    out.append(text.data() + plain, i - plain);
    plain = i + 1;
    if (c >= ' ') {
      out.push_back('\\');
      out.push_back(text[i]);
    } else {
      out.append("\\u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
    }
  }
  out.append(text.data() + plain, text.size() - plain);
  out.push_back('"');
}

void AppendCell(ColumnForm form, absl::string_view text, std::string& out) {
  switch (form.form) {
    case CellForm::kNumber:
      return IsJsonNumber(text) ? static_cast<void>(out.append(text.data(), text.size())) : AppendJsonText(text, out);
    case CellForm::kBoolean:
      return static_cast<void>(out.append(text == "t" ? "true" : "false"));
    case CellForm::kTimestamp:
      return AppendTimestamp(text, out);
    case CellForm::kArray: {
      std::string json;
      bool readable = AppendArray(text, form.element, json);
      return AppendJsonText(readable ? absl::string_view(json) : text, out);
    }
    case CellForm::kText:
      return AppendJsonText(text, out);
  }
}

absl::StatusOr<RowJson> RowJson::Create(const std::vector<PostgresColumn>& columns) {
  RowJson json;
  std::set<std::string> names;
  for (const PostgresColumn& column : columns) {
    if (column.type == kBytea || column.type == kByteaArray) {
      return RefuseColumn(absl::StrCat("column ", column.name,
                                       " of source.postgres.query holds bytes (bytea), which no record can; leave it "
                                       "out, or write encode(",
                                       column.name, ", 'hex')"));
    }
    if (!names.insert(column.name).second) {
      return RefuseColumn(absl::StrCat("two columns of source.postgres.query are called ", column.name,
                                       "; give them different names with AS"));
    }
    std::string begin = json.columns_.empty() ? "{" : ",";
    AppendJsonText(column.name, begin);
    begin.push_back(':');
    json.columns_.push_back({std::move(begin), FormOf(column.type)});
  }
  return json;
}

void RowJson::AppendLine(const PostgresConnection& rows, std::string& out) const {
  if (columns_.empty()) out.push_back('{');
  for (size_t i = 0; i < columns_.size(); ++i) {
    out.append(columns_[i].begin);
    std::optional<absl::string_view> cell = rows.Cell(static_cast<int>(i));
    if (cell) {
      AppendCell(columns_[i].form, *cell, out);
    } else {
      out.append("null");
    }
  }
  out.append("}\n");
}

}  // namespace chartly::drone
