// chartly records why
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/run_view.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct WhyOptions {
  std::string what;
  std::vector<std::string> key;
  std::string run;
  std::string payload;
  int64_t page = 0;
  int64_t row = 0;
  std::string id;
};

// In the order of a record: dims, measures, attrs.
std::string FieldsText(const Json& record) {
  std::string text;
  for (const char* role : {"dims", "measures", "attrs"}) {
    for (const auto& [name, value] : record[role].members()) {
      absl::StrAppend(&text, text.empty() ? "" : "  ", role, ".", name, "=", Shorten(value.text(), 40));
    }
  }
  return text;
}

absl::Time TimeOf(const Json& text) {
  absl::Time time = absl::InfiniteFuture();
  std::string error;
  absl::ParseTime(absl::RFC3339_full, text.text(), &time, &error);
  return time;
}

// Whether a payload that was kept is there still: what was fetched longest ago goes first.
bool IsKept(const Json& from, const std::vector<Json>& captures) {
  return std::any_of(captures.begin(), captures.end(), [&](const Json& capture) {
    return absl::StartsWith(from["raw_ref"].text(), capture["name"].text() + "/") &&
           TimeOf(capture["oldest_fetch_time"]) <= TimeOf(from["observed_at"]);
  });
}

void PrintVersion(std::ostream& out, const Json& version, const std::vector<Json>& captures) {
  const Json& record = version["record"];
  const Json& from = record["provenance"];
  out << (version["newest"].boolean() ? "newest   " : "earlier  ") << FieldsText(record) << "\n"
      << "  id       " << record["id"].text() << "\n"
      << "  source   " << from["source_uri"].text() << ", page " << from["page"].text() << ", row "
      << from["row"].text() << "\n"
      << "  payload  sha256:" << from["payload_sha256"].text() << "\n";
  if (!from["raw_ref"].text().empty()) {
    out << "  kept     " << from["raw_ref"].text() << (IsKept(from, captures) ? "" : " (no longer there)") << "\n";
  }
  out << "  profile  " << from["revision"].text() << "\n"
      << "  run      " << from["run_id"].text() << " of drone " << from["drone_id"].text() << "\n"
      << "  fetched  " << from["observed_at"].text() << ", stored " << from["acked_at"].text() << "\n";
}

void PrintQuarantined(std::ostream& out, const Json& rows) {
  Table table({"ID", "RUN", "PAGE", "ROW", "REASON", "FIELD", "RAW"});
  for (const Json& row : rows.items()) {
    table.Add({row["id"].text(), row["run_id"].text(), row["page"].text(), row["row"].text(), row["reason_code"].text(),
               row["field"].text(), Shorten(row["raw"].text(), 60)});
  }
  if (!rows.items().empty()) table.Print(out, "");
}

void PrintRuns(std::ostream& out, const Json& runs) {
  for (const Json& run : runs.items()) {
    std::string reason = run["end"]["error_reason"].text();
    out << "run " << run["run_id"].text() << ": " << BalanceText(run["balance"])
        << (reason.empty() ? "" : absl::StrCat(", ", reason)) << "\n";
  }
}

bool WasKept(const Json& record) {
  const std::vector<Json>& versions = record["versions"].items();
  return std::any_of(versions.begin(), versions.end(),
                     [](const Json& version) { return !version["record"]["provenance"]["raw_ref"].text().empty(); });
}

absl::Status Explain(Session& session, const WhyOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Query query = {{"profile_id", options.what},
                 {"record_id", options.id},
                 {"run_id", options.run},
                 {"payload_sha256", options.payload},
                 {"page", options.page > 0 ? absl::StrCat(options.page) : ""},
                 {"row", options.row > 0 ? absl::StrCat(options.row) : ""}};
  for (const std::string& field : options.key) query.emplace_back("key", field);
  ASSIGN_OR_RETURN(Json answer, api->Get("/api/records:why", query));
  const std::vector<Json>& records = answer["records"].items();
  std::string explanation = answer["explanation"].text();
  if (session.json()) {
    session.PrintJson(answer);
  } else {
    if (!records.empty() && !explanation.empty()) session.out << explanation << "\n";
    std::vector<Json> captures;
    if (std::any_of(records.begin(), records.end(), WasKept)) {
      ASSIGN_OR_RETURN(Json kept, api->Get("/api/captures", {{"profile_id", options.what}, {"page_size", "1000"}}));
      captures = kept["captures"].items();
    }
    for (const Json& record : records) {
      for (const Json& version : record["versions"].items()) PrintVersion(session.out, version, captures);
    }
    PrintQuarantined(session.out, answer["quarantined"]);
    PrintRuns(session.out, answer["runs"]);
  }
  if (!records.empty()) return absl::OkStatus();
  std::string reason = absl::StrCat("RECORD_", absl::AsciiStrToUpper(answer["absence"].text()));
  return Error(absl::StatusCode::kNotFound, reason, absl::StrCat("not there: ", explanation));
}

bool IsRecordId(const std::string& text) {
  return text.size() == 32 && std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isxdigit(c); });
}

// An id alone: the profiles are asked one after the other.
absl::Status ExplainId(Session& session, WhyOptions options) {
  options.id = options.what;
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json summary, api->Get("/api/results/summary"));
  for (const Json& profile : summary["profiles"].items()) {
    options.what = profile["profile_id"].text();
    ASSIGN_OR_RETURN(Json answer,
                     api->Get("/api/records:why", {{"profile_id", options.what}, {"record_id", options.id}}));
    if (!answer["records"].items().empty()) return Explain(session, options);
  }
  return Error(
      absl::StatusCode::kNotFound, "RECORD_NOT_FOUND",
      absl::StrCat("no record has the id ", options.id,
                   "; an id says nothing of what it stood for, so ask by profile and key why it is not there"));
}

}  // namespace

void AddRecordWhy(CLI::App& noun, Session& session) {
  auto options = std::make_shared<WhyOptions>();
  CLI::App& verb =
      *AddVerb(noun, session, "why", "Say where a record came from, in all its versions, or why it is not there",
               [&session, options] {
                 bool by_id = IsRecordId(options->what) && options->key.empty() && options->page == 0;
                 return by_id ? ExplainId(session, *options) : Explain(session, *options);
               });
  verb.add_option("WHAT", options->what, "Id of a record, or of a profile")->required();
  verb.add_option("KEY", options->key, "With a profile: what identifies the record, such as dims.geo.iso=DE");
  verb.add_option("--id", options->id, "With a profile: id of the record")->type_name("ID");
  verb.add_option("--run", options->run, "With --page and --row: the run that read the row")->type_name("RUN");
  verb.add_option("--payload", options->payload, "With --page and --row: SHA-256 of the payload")->type_name("SHA256");
  verb.add_option("--page", options->page, "Page of the run, from 1")->check(CLI::PositiveNumber);
  verb.add_option("--row", options->row, "Row of the page, from 1")->check(CLI::PositiveNumber);
}

}  // namespace chartly::cli
