#include "drone/suggest/profile_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/value/value.h"

namespace chartly::drone {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

struct FormatName {
  Format format;
  absl::string_view name;
};
constexpr FormatName kFormats[] = {{Format::kJson, "json"},
                                   {Format::kNdjson, "ndjson"},
                                   {Format::kCsv, "csv"},
                                   {Format::kTsv, "tsv"},
                                   {Format::kXml, "xml"},
                                   {Format::kGeoJson, "geojson"},
                                   {Format::kJsonStat, "json_stat"},
                                   {Format::kRss, "rss"}};

absl::string_view NameOf(Format format) {
  for (const FormatName& known : kFormats) {
    if (known.format == format) return known.name;
  }
  return "auto";
}

void WriteCsv(const CsvConfig& csv, std::string& yaml) {
  std::vector<std::string> parts;
  if (csv.delimiter) parts.push_back(absl::StrCat("delimiter: \"", std::string(1, *csv.delimiter), "\""));
  if (csv.skip_lines > 0) parts.push_back(absl::StrCat("skip_lines: ", csv.skip_lines));
  if (!csv.header) {
    parts.push_back("header: false");
    parts.push_back(absl::StrCat("columns: [", absl::StrJoin(csv.columns, ", "), "]"));
  }
  if (!parts.empty()) absl::StrAppend(&yaml, "  csv: {", absl::StrJoin(parts, ", "), "}\n");
}

void WriteSource(const ProfileText& text, std::string& yaml) {
  bool file = text.type == SourceType::kFile;
  absl::StrAppend(&yaml, "source:\n  type: ", file ? "file" : "http_rest", "\n  ",
                  file ? "path: " : "url: ", YamlScalar(text.address), "\n  format: ", NameOf(text.source.format),
                  "\n");
  switch (text.source.shape) {
    case RowShape::kHeaderRow:
      absl::StrAppend(&yaml, "  shape: header_row\n");
      break;
    case RowShape::kZipped:
      absl::StrAppend(&yaml, "  shape: zipped\n");
      break;
    case RowShape::kKeyed:
      absl::StrAppend(&yaml, "  shape: keyed\n");
      break;
    case RowShape::kObjects:
      break;
  }
  if (!text.source.records.empty()) absl::StrAppend(&yaml, "  records: ", YamlScalar(text.source.records), "\n");
  WriteCsv(text.source.csv, yaml);
}

std::string FieldLine(const SuggestedField& field) {
  std::vector<std::string> parts = {absl::StrCat("to: ", FieldRolePrefix(field.role), ".", field.to)};
  if (!field.type.empty()) parts.push_back(absl::StrCat("type: ", field.type));
  std::vector<std::string> functions;
  for (const std::string& function : field.functions) functions.push_back(YamlScalar(function));
  if (functions.size() == 1) parts.push_back(absl::StrCat("using: ", functions[0]));
  if (functions.size() > 1) parts.push_back(absl::StrCat("using: [", absl::StrJoin(functions, ", "), "]"));
  if (!field.unit.empty()) parts.push_back(absl::StrCat("unit: ", YamlScalar(field.unit)));
  std::string value = parts.size() == 1 ? parts[0].substr(4) : absl::StrCat("{", absl::StrJoin(parts, ", "), "}");
  return absl::StrCat("  ", YamlScalar(field.from), ": ", value, "  # ", static_cast<int>(field.confidence * 100 + 0.5),
                      "%: ", field.why, "\n");
}

}  // namespace

std::string YamlScalar(absl::string_view text) {
  bool plain = !text.empty() && (absl::ascii_isalpha(text[0]) || text[0] == '/' || text[0] == '$') &&
               text.find_first_of(":#{}[],&*!|>'\"%`\\\t\n") == text.npos && text.back() != ' ';
  // Addresses hold ":" and "#" only where YAML reads them as text.
  if (text.substr(0, 4) == "http" && text.find_first_of(" \"'{}[],#&*\n") == text.npos) plain = true;
  if (text == "true" || text == "false" || text == "null" || text == "yes" || text == "no" || text == "on" ||
      text == "off" || ParseNumber(text).ok()) {
    plain = false;
  }
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "\"";
}

std::string WriteProfile(const ProfileText& text, const Suggestion& suggestion) {
  std::string yaml =
      absl::StrCat("# A suggestion, ", static_cast<int>(suggestion.confidence * 100 + 0.5),
                   "% sure as a whole. Rows: ", suggestion.shape, ". Read every line before you apply it.\n");
  for (const std::string& note : suggestion.notes) absl::StrAppend(&yaml, "# ", note, "\n");
  absl::StrAppend(&yaml, "id: ", YamlScalar(text.id), "\nversion: 0.1.0\n");
  WriteSource(text, yaml);
  absl::StrAppend(&yaml, "schedule: {enabled: true, interval: ", DurationText(text.interval), "}\n");
  // Room to grow; a source that grows past it is worth a look.
  int64_t mib = std::max<int64_t>(1, (text.payload_bytes * 4 + kMiB - 1) / kMiB);
  absl::StrAppend(&yaml, "limits: {max_records: ", std::max<int64_t>(1000, text.rows * 4), ", max_bytes: ", mib,
                  "MiB}\nmapping:\n");
  for (const SuggestedField& field : suggestion.fields) yaml += FieldLine(field);
  std::vector<std::string> key;
  for (const std::string& dim : suggestion.key) key.push_back(absl::StrCat("dims.", dim));
  if (!key.empty()) absl::StrAppend(&yaml, "key: [", absl::StrJoin(key, ", "), "]\n");
  return yaml;
}

}  // namespace chartly::drone
