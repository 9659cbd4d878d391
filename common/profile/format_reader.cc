#include "common/profile/format_reader.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/profile/nearest.h"

namespace chartly {
namespace {

constexpr size_t kMaxColumns = 4096;

// The names that iconv and the encoding standard of the web share.
const std::vector<std::string>& Charsets() {
  static const auto* names = new std::vector<std::string>{
      "utf-8",        "utf-16",       "utf-16le",     "utf-16be",     "utf-32",       "us-ascii",     "iso-8859-1",
      "iso-8859-2",   "iso-8859-3",   "iso-8859-4",   "iso-8859-5",   "iso-8859-6",   "iso-8859-7",   "iso-8859-8",
      "iso-8859-9",   "iso-8859-10",  "iso-8859-13",  "iso-8859-14",  "iso-8859-15",  "iso-8859-16",  "windows-1250",
      "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255", "windows-1256", "windows-1257",
      "windows-1258", "koi8-r",       "koi8-u",       "ibm437",       "ibm850",       "ibm852",       "ibm866",
      "windows-874",  "gb2312",       "macintosh",    "gbk",          "gb18030",      "big5",         "euc-jp",
      "shift_jis",    "iso-2022-jp",  "euc-kr"};
  return *names;
}

void ReadCharset(const NodeAt& at, NodeReader& reader, std::string& out) {
  std::string name;
  reader.Text(at, name, 64);
  if (name.empty()) return;
  name = absl::AsciiStrToLower(name);
  if (std::find(Charsets().begin(), Charsets().end(), name) == Charsets().end()) {
    return reader.Fault(at, "PROFILE_VALUE_UNSUPPORTED",
                        absl::StrCat("this version does not know the charset; did you mean \"",
                                     NearestName(name, Charsets()), "\"? Known: ", absl::StrJoin(Charsets(), ", ")));
  }
  out = std::move(name);
}

// One printable ASCII character or tab.
void ReadByte(const NodeAt& at, NodeReader& reader, std::optional<char>& out) {
  const std::string& text = at.node->text;
  bool is_byte =
      at.node->kind == YamlNode::Kind::kScalar && text.size() == 1 && (absl::ascii_isprint(text[0]) || text[0] == '\t');
  if (!is_byte) return reader.Invalid(at, R"(write one ASCII character, as ";", or "\t" for a tab)");
  out = text[0];
}

void ReadQuote(const NodeAt& at, NodeReader& reader, std::optional<char>& out) {
  if (at.node->kind == YamlNode::Kind::kScalar && at.node->text == "none") {
    out = '\0';
  } else {
    ReadByte(at, reader, out);
  }
}

void RefuseTwice(const NodeAt& at, const std::vector<std::string>& names, NodeReader& reader) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) return reader.Invalid(at, absl::StrCat("\"", name.substr(0, 64), "\" stands twice"));
  }
}

void CheckCsvBytes(const NodeAt& at, const CsvConfig& csv, NodeReader& reader) {
  char quote = csv.quote.value_or('"');
  bool clash = csv.delimiter == quote || (csv.comment && (csv.comment == quote || csv.comment == csv.delimiter));
  if (clash) reader.Invalid(at, "delimiter, quote and comment must be three different characters");
}

void ReadCsv(const NodeAt& at, NodeReader& reader, CsvConfig& out) {
  bool is_map =
      reader.Map(at, {{"delimiter", [&](const NodeAt& value) { ReadByte(value, reader, out.delimiter); }},
                      {"quote", [&](const NodeAt& value) { ReadQuote(value, reader, out.quote); }},
                      {"comment", [&](const NodeAt& value) { ReadByte(value, reader, out.comment); }},
                      {"skip_lines", [&](const NodeAt& value) { reader.Integer(value, 0, 1'000'000, out.skip_lines); }},
                      {"header", [&](const NodeAt& value) { reader.Boolean(value, out.header); }},
                      {"columns", [&](const NodeAt& value) { reader.TextList(value, out.columns); }}});
  if (!is_map) return;
  CheckCsvBytes(at, out, reader);
  if (out.header) {
    reader.RefuseKey(at, "columns", "the header names the columns; write header: false if the table has none");
    return;
  }
  reader.Require(at, "columns", "[date, place, value]");
  if (out.columns.empty()) return;
  RefuseTwice(Child(at, "columns"), out.columns, reader);
  if (out.columns.size() > kMaxColumns) {
    reader.Invalid(Child(at, "columns"), absl::StrCat("more than ", kMaxColumns, " columns"));
  }
}

void ReadUnpivot(const NodeAt& at, NodeReader& reader, UnpivotConfig& out) {
  bool is_map = reader.Map(at, {{"keep", [&](const NodeAt& value) { reader.TextList(value, out.keep); }},
                                {"skip", [&](const NodeAt& value) { reader.TextList(value, out.skip); }},
                                {"name", [&](const NodeAt& value) { reader.Text(value, out.name); }},
                                {"value", [&](const NodeAt& value) { reader.Text(value, out.value); }}});
  if (!is_map) return;
  reader.Require(at, "name", "series");
  reader.Require(at, "value", "value");
  std::vector<std::string> names = out.keep;
  names.insert(names.end(), out.skip.begin(), out.skip.end());
  if (!out.name.empty()) names.push_back(out.name);
  if (!out.value.empty()) names.push_back(out.value);
  RefuseTwice(at, names, reader);
}

void ReadNamespaces(const NodeAt& at, NodeReader& reader, std::map<std::string, std::string>& out) {
  reader.TextMap(at, out);
  for (const auto& [prefix, uri] : out) {
    if (uri.empty()) reader.Invalid(Child(at, prefix), "the URI is empty; write the one of the xmlns attribute");
  }
}

bool IsOneOf(Format format, std::initializer_list<Format> formats) {
  return std::find(formats.begin(), formats.end(), format) != formats.end();
}

}  // namespace

std::vector<NodeReader::Key> FormatKeys(NodeReader& reader, SourceConfig& out) {
  auto read_format = [&](const NodeAt& value) {
    const NodeReader::Choices<Format> formats = {
        {"auto", Format::kAuto}, {"json", Format::kJson},       {"ndjson", Format::kNdjson},
        {"csv", Format::kCsv},   {"tsv", Format::kTsv},         {"xml", Format::kXml},
        {"rss", Format::kRss},   {"geojson", Format::kGeoJson}, {"json_stat", Format::kJsonStat}};
    reader.Choice(value, formats, out.format);
  };
  auto read_shape = [&](const NodeAt& value) {
    const NodeReader::Choices<RowShape> shapes = {{"objects", RowShape::kObjects},
                                                  {"header_row", RowShape::kHeaderRow},
                                                  {"zipped", RowShape::kZipped},
                                                  {"keyed", RowShape::kKeyed}};
    reader.Choice(value, shapes, out.shape);
  };
  return {{"format", read_format},
          {"shape", read_shape},
          {"records", [&](const NodeAt& value) { reader.Text(value, out.records); }},
          {"charset", [&](const NodeAt& value) { ReadCharset(value, reader, out.charset); }},
          {"namespaces", [&](const NodeAt& value) { ReadNamespaces(value, reader, out.namespaces); }},
          {"csv", [&](const NodeAt& value) { ReadCsv(value, reader, out.csv); }},
          {"unpivot", [&](const NodeAt& value) { ReadUnpivot(value, reader, out.unpivot); }}};
}

void CheckFormat(const NodeAt& at, const SourceConfig& source, NodeReader& reader) {
  const Format format = source.format;
  const bool table = IsOneOf(format, {Format::kAuto, Format::kCsv, Format::kTsv});
  if (source.shape != RowShape::kObjects && !IsOneOf(format, {Format::kAuto, Format::kJson})) {
    reader.RefuseKey(at, "shape", "only format: json has rows of other shapes; leave it out");
  }
  if (!table) reader.RefuseKey(at, "csv", "only format: csv and tsv use this key");
  if (!IsOneOf(format, {Format::kAuto, Format::kXml})) {
    reader.RefuseKey(at, "namespaces", "only format: xml uses this key");
  }
  if (IsOneOf(format, {Format::kCsv, Format::kTsv, Format::kGeoJson, Format::kRss})) {
    reader.RefuseKey(at, "records", "the format says what a row is; leave it out");
  }
  bool has_columns = source.shape == RowShape::kHeaderRow || (table && source.shape == RowShape::kObjects);
  if (!has_columns) {
    reader.RefuseKey(at, "unpivot", "only tables have columns to turn: format: csv or tsv, or shape: header_row");
  }
}

}  // namespace chartly
