// chartly records query
#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

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
  std::vector<std::string> fields;
  bool all_versions = false;
  std::string as_of;
  int64_t limit = 50;
};

Query RecordQuery(const RecordOptions& options) {
  Query query = {{"profile_id", options.profile}, {"run_id", options.run}};
  for (const std::string& filter : options.filters) query.emplace_back("filter", filter);
  for (const std::string& field : options.fields) query.emplace_back("fields", field);
  query.emplace_back("all_versions", options.all_versions ? "true" : "");
  query.emplace_back("as_of", options.as_of);
  return query;
}

std::set<std::string> Common(const std::set<std::string>& a, const std::set<std::string>& b) {
  std::set<std::string> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
  return both;
}

absl::Status PrintRecords(Session& session, const Listing& listing, const RecordOptions& options) {
  if (session.json()) return PrintListing(session, listing);
  bool more = false;
  ASSIGN_OR_RETURN(std::vector<Json> records, GetEntries(session, listing, more));
  RecordTable(records).Print(session.out, "no records");
  if (more)
    session.err << "chartly: there are more; raise --limit (now " << options.limit << "), or use: records export\n";
  return absl::OkStatus();
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
  int64_t scanned = 0;
  std::optional<std::set<std::string>> unknown;  // names that no page knew
  listing.on_page = [&](const Json& answer) {
    scanned += answer["scanned"].integer();
    std::set<std::string> of_page;
    for (const Json& name : answer["unknown_fields"].items()) of_page.insert(name.text());
    if (answer["scanned"].integer() > 0) unknown = unknown ? Common(*unknown, of_page) : of_page;
  };
  absl::Status printed = PrintRecords(session, listing, options);
  if (!printed.ok()) return printed;
  for (const std::string& name : unknown.value_or(std::set<std::string>())) {
    session.err << "chartly: none of the " << scanned << " records looked at has a field " << name << "\n";
  }
  return absl::OkStatus();
}

void AddSelection(CLI::App& verb, const std::shared_ptr<RecordOptions>& options) {
  verb.add_option("PROFILE", options->profile, "Id of the profile")->required();
  verb.add_option("--filter", options->filters, "Condition such as 'dims.time.year >= 2000'; all given ones must hold")
      ->type_name("EXPR")
      ->allow_extra_args(false);
  verb.add_option("--run", options->run, "Only what this run gave, duplicates of earlier records included")
      ->type_name("RUN");
  verb.add_option("--fields", options->fields,
                  "What to give of each record: 'dims.geo.iso,measures', or provenance; everything without it")
      ->type_name("NAMES")
      ->allow_extra_args(false);
  verb.add_flag("--all-versions", options->all_versions, "All versions of each record, not only the newest");
  verb.add_option("--as-of", options->as_of, "What was known then: a time such as 2026-01-31T09:00:00Z")
      ->type_name("TIME");
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
  AddRecordExport(noun, session);
  AddRecordWhy(noun, session);
  AddRecordDelete(noun, session);
}

}  // namespace chartly::cli
