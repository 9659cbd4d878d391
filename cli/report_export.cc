#include "cli/report_export.h"

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/report_request.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct ExportOptions {
  ReportOptions question;
  std::string format = "csv";
  std::string to;
  bool guard = false;
};

// Text that a spreadsheet would take for a formula; a number is none, also a negative one.
bool LooksLikeFormula(const std::string& text) {
  double number = 0;
  return !text.empty() && std::string("=+-@\t\r").find(text[0]) != std::string::npos &&
         !absl::SimpleAtod(text, &number);
}

// One line of CSV (RFC 4180), without its end.
std::string CsvLine(const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ',';
    bool plain = cells[i].find_first_of(",\"\r\n") == std::string::npos;
    absl::StrAppend(&line,
                    plain ? cells[i] : absl::StrCat("\"", absl::StrReplaceAll(cells[i], {{"\"", "\"\""}}), "\""));
  }
  return line;
}

std::string Cell(const Json& value, bool guard) {
  std::string text = value.text();
  return guard && LooksLikeFormula(text) ? "'" + text : text;
}

void WriteRow(const Json& answer, const Json& row, const ExportOptions& options, std::ostream& to) {
  const std::vector<Json>& values = row["values"].items();
  if (options.format == "csv") {
    std::vector<std::string> cells;
    for (const Json& value : values) cells.push_back(Cell(value, options.guard));
    to << CsvLine(cells) << "\r\n";
    return;
  }
  const std::vector<Json>& columns = answer["columns"].items();
  Json line = Json::Object();
  for (size_t i = 0; i < values.size() && i < columns.size(); ++i) line.Set(columns[i].text(), values[i]);
  to << line.ToText() << "\n";
}

void WriteHeader(const Json& answer, std::ostream& to) {
  std::vector<std::string> names;
  for (const Json& column : answer["columns"].items()) names.push_back(column.text());
  to << CsvLine(names) << "\r\n";
}

// The question with another page.
Json WithPage(const Json& question, const std::string& token) {
  constexpr int64_t kPageRows = 10'000;
  Json paged = Json::Object();
  for (const auto& [name, value] : question.members()) {
    if (name != "window") paged.Set(name, value);
  }
  return std::move(
      paged.Set("window", Json::Object().Set("limit", Json::Integer(kPageRows)).Set("page_token", Json::Text(token))));
}

absl::Status WritePages(Session& session, const ExportOptions& options, std::ostream& to) {
  ASSIGN_OR_RETURN(Json question, ReportRequestJson(options.question));
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  std::string token;
  do {
    ASSIGN_OR_RETURN(Json answer, api->Post("/api/reports", WithPage(question, token)));
    if (token.empty() && options.format == "csv") WriteHeader(answer, to);
    for (const Json& row : answer["rows"].items()) WriteRow(answer, row, options, to);
    if (token.empty()) {
      for (const Json& warning : answer["warnings"].items()) session.err << "warning: " << warning.text() << "\n";
    }
    token = answer["next_page_token"].text();
    to.flush();
  } while (!token.empty() && to.good());
  if (to.good()) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, "WRITE_FAILED", "cannot write the export");
}

absl::Status Export(Session& session, const ExportOptions& options) {
  if (options.to.empty()) return WritePages(session, options, session.out);
  std::ofstream file(options.to, std::ios::binary | std::ios::trunc);
  if (!file) {
    return Error(absl::StatusCode::kInvalidArgument, "FILE_UNWRITABLE", absl::StrCat("cannot write ", options.to));
  }
  return Annotate(WritePages(session, options, file), options.to);
}

}  // namespace

void AddReportExport(CLI::App& noun, Session& session) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* verb = AddVerb(noun, session, "export", "Write all rows of a report, page by page, as CSV or lines of JSON",
                           [&session, options] { return Export(session, *options); });
  verb->add_option("--format", options->format, "csv, or ndjson with all digits and types")
      ->check(CLI::IsMember({"csv", "ndjson"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  verb->add_option("--to", options->to, "The file; standard output without it")->type_name("FILE");
  verb->add_flag("--guard-formulas", options->guard, "Put ' before text that a spreadsheet would take for a formula");
  AddReportOptions(*verb, options->question);
}

}  // namespace chartly::cli
