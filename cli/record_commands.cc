// chartly records query | export, chartly quarantine list
#include <fstream>

#include "absl/strings/str_cat.h"
#include "cli/listing.h"
#include "cli/record_view.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct RecordOptions {
  std::string profile;
  std::string run;
  std::vector<std::string> filters;
  bool all_versions = false;
  std::string as_of;
  int64_t limit = 50;
  std::string format = "ndjson";
  std::string to;
};

Query RecordQuery(const RecordOptions& options) {
  Query query = {{"profile_id", options.profile}, {"run_id", options.run}};
  for (const std::string& filter : options.filters) query.emplace_back("filter", filter);
  query.emplace_back("all_versions", options.all_versions ? "true" : "");
  query.emplace_back("as_of", options.as_of);
  return query;
}

absl::Status QueryRecords(Session& session, const RecordOptions& options) {
  Listing listing{.path = "/api/records",
                  .query = RecordQuery(options),
                  .size_param = "limit",
                  .field = "records",
                  .page_max = 10000,
                  .limit = options.limit,
                  .header = {},
                  .row = {},
                  .if_empty = ""};
  if (session.json()) return PrintListing(session, listing);
  bool more = false;
  ASSIGN_OR_RETURN(std::vector<Json> records, GetEntries(session, listing, more));
  RecordTable(records).Print(session.out, "no records");
  if (more)
    session.err << "chartly: there are more; raise --limit (now " << options.limit << "), or use: records export\n";
  return absl::OkStatus();
}

// The columns of a CSV file must be known before the first record.
absl::StatusOr<std::vector<std::string>> FieldsOf(ApiClient& api, const std::string& profile) {
  ASSIGN_OR_RETURN(Json fields, api.Get(absl::StrCat("/api/profiles/", PercentEncode(profile), "/fields")));
  std::vector<std::string> columns;
  for (const char* role : {"dims", "measures", "attrs"}) {
    for (const Json& name : fields[role].items()) columns.push_back(absl::StrCat(role, ".", name.text()));
  }
  columns.push_back("id");
  return columns;
}

absl::StatusOr<int64_t> ExportTo(Session& session, const RecordOptions& options, std::ostream& to) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  std::vector<std::string> columns;
  bool csv = options.format == "csv";
  if (csv) {
    ASSIGN_OR_RETURN(columns, FieldsOf(*api, options.profile));
    to << CsvLine(columns) << "\r\n";
  }
  int64_t count = 0;
  Query query = RecordQuery(options);
  query.emplace_back("limit", "10000");
  auto take = [&](const Json& record) {
    ++count;
    if (!csv) {
      to << record.ToText() << "\n";
      return to.good();
    }
    std::vector<std::string> cells;
    for (const std::string& column : columns) cells.push_back(RecordCell(record, column));
    to << CsvLine(cells) << "\r\n";
    return to.good();
  };
  ASSIGN_OR_RETURN(bool cut_short, api->GetPages("/api/records", query, "records", take));
  to.flush();
  if (cut_short || !to.good()) return Error(absl::StatusCode::kDataLoss, "WRITE_FAILED", "cannot write the export");
  return count;
}

absl::Status Export(Session& session, const RecordOptions& options) {
  if (options.to.empty()) return ExportTo(session, options, session.out).status();
  std::ofstream file(options.to, std::ios::binary | std::ios::trunc);
  if (!file) {
    return Error(absl::StatusCode::kInvalidArgument, "FILE_UNWRITABLE", absl::StrCat("cannot write ", options.to));
  }
  absl::StatusOr<int64_t> count = ExportTo(session, options, file);
  if (!count.ok()) return Annotate(count.status(), options.to);
  session.err << *count << " records in " << options.to << "\n";
  return absl::OkStatus();
}

void AddSelection(CLI::App& verb, const std::shared_ptr<RecordOptions>& options) {
  verb.add_option("PROFILE", options->profile, "Id of the profile")->required();
  verb.add_option("--filter", options->filters, "Condition such as 'dims.time.year >= 2000'; all given ones must hold")
      ->type_name("EXPR")
      ->allow_extra_args(false);
  verb.add_option("--run", options->run, "Only what this run gave, duplicates of earlier records included")
      ->type_name("RUN");
  verb.add_flag("--all-versions", options->all_versions, "All versions of each record, not only the newest");
  verb.add_option("--as-of", options->as_of, "What was known then: a time such as 2026-01-31T09:00:00Z")
      ->type_name("TIME");
}

std::vector<std::string> QuarantineRow(const Json& row) {
  return {row["profile_id"].text(),
          row["run_id"].text(),
          row["page"].text(),
          row["row"].text(),
          row["reason_code"].text(),
          row["field"].text(),
          Shorten(row["message"].text(), 60),
          Shorten(row["raw"].text(), 60)};
}

}  // namespace

void AddRecordCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("records", "Look at records and take them out");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<RecordOptions>();
  CLI::App* query = AddVerb(noun, session, "query", "Show records of a profile, newest versions",
                            [&session, options] { return QueryRecords(session, *options); });
  AddSelection(*query, options);
  AddLimit(*query, options->limit, "Records");
  CLI::App* take_out = AddVerb(noun, session, "export", "Write all records of a profile, one a line",
                               [&session, options] { return Export(session, *options); });
  AddSelection(*take_out, options);
  take_out->add_option("--format", options->format, "ndjson with every field, or csv with the profile's fields")
      ->check(CLI::IsMember({"ndjson", "csv"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  take_out->add_option("--to", options->to, "File to write; standard output without it")->type_name("FILE");
}

void AddQuarantineCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("quarantine", "Look at rows that broke their contract");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<RecordOptions>();
  CLI::App* verb =
      AddVerb(noun, session, "list", "List rows in quarantine with the reason, newest run first", [&session, options] {
        return PrintListing(session, {.path = "/api/quarantine",
                                      .query = {{"profile_id", options->profile}, {"run_id", options->run}},
                                      .size_param = "limit",
                                      .field = "rows",
                                      .limit = options->limit,
                                      .header = {"PROFILE", "RUN", "PAGE", "ROW", "REASON", "FIELD", "MESSAGE", "RAW"},
                                      .row = QuarantineRow,
                                      .if_empty = "nothing in quarantine"});
      });
  verb->add_option("--profile", options->profile, "Only rows of this profile")->type_name("PROFILE");
  verb->add_option("--run", options->run, "Only rows of this run")->type_name("RUN");
  AddLimit(*verb, options->limit, "Rows");
}

}  // namespace chartly::cli
