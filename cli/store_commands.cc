// chartly store stats | verify | hold | release | deletions, and chartly records delete
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct StoreOptions {
  std::string profile;
  std::string run;
  std::string before;
  std::string reason;
  bool dry_run = false;
  int64_t limit = 20;
};

std::string Number(const Json& number) { return std::to_string(number.integer()); }

absl::Status Stats(Session& session, const StoreOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json stats, api->Get("/api/store/stats", {{"profile_id", options.profile}}));
  if (session.json()) {
    session.PrintJson(stats);
    return absl::OkStatus();
  }
  Table table({"PROFILE", "RECORDS", "SIZE", "PARTS", "UNSEALED", "DELETED", "QUARANTINE", "OLDEST", "NEWEST", "HOLD"});
  for (const Json& profile : stats["profiles"].items()) {
    table.Add({profile["profile_id"].text(), Number(profile["records"]), FormatBytes(profile["size_bytes"].integer()),
               Number(profile["parts"]), Number(profile["unsealed_rows"]), Number(profile["deleted_rows"]),
               Number(profile["quarantined"]), ShortTime(profile["oldest_fetch_time"].text()),
               ShortTime(profile["newest_fetch_time"].text()), profile["legal_hold"].boolean() ? "yes" : ""});
  }
  table.Print(session.out, "nothing is stored yet");
  for (const Json& lost : stats["lost_entries"].items()) {
    session.err << "entries " << lost["first_seq"].integer() << " to " << lost["last_seq"].integer() << " of spool "
                << lost["spool_id"].text() << " of drone " << lost["drone_id"].text()
                << " were acked once and are not here; run its profiles again\n";
  }
  const std::string damage = stats["damage"].text();
  if (!damage.empty()) session.err << damage << "\n";
  return absl::OkStatus();
}

std::string Place(const Json& fault) {
  const int64_t first = fault["first_batch"].integer();
  const int64_t last = fault["last_batch"].integer();
  if (last == 0) return fault["profile_id"].text();
  return absl::StrCat(fault["profile_id"].text(), ", batch ", first, first == last ? "" : absl::StrCat(" to ", last));
}

absl::Status Verify(Session& session, const StoreOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  int64_t chunks = 0;
  int64_t rows = 0;
  int64_t bytes = 0;
  Json faults = Json::Array();
  std::string token;
  do {
    Json body = Json::Object();
    body.Set("profile_id", Json::Text(options.profile)).Set("page_token", Json::Text(token));
    ASSIGN_OR_RETURN(Json piece, api->Post("/api/store:verify", body));
    chunks += piece["chunks"].integer();
    rows += piece["rows"].integer();
    bytes += piece["bytes"].integer();
    for (const Json& fault : piece["faults"].items()) faults.Add(fault);
    token = piece["next_page_token"].text();
  } while (!token.empty());
  if (session.json()) {
    Json answer = Json::Object();
    answer.Set("chunks", Json::Integer(chunks)).Set("rows", Json::Integer(rows)).Set("bytes", Json::Integer(bytes));
    answer.Set("faults", faults);
    session.PrintJson(answer);
  } else {
    for (const Json& fault : faults.items()) session.out << Place(fault) << ": " << fault["message"].text() << "\n";
    session.out << chunks << " chunks, " << rows << " rows and " << FormatBytes(bytes) << " read, "
                << faults.items().size() << " faults\n";
  }
  if (faults.items().empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, "STORE_CORRUPT",
               "the store is damaged; restore it from a backup, or delete what is damaged and fetch it again");
}

absl::Status Hold(Session& session, const StoreOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Json body = Json::Object();
  body.Set("reason", Json::Text(options.reason));
  ASSIGN_OR_RETURN(Json hold,
                   api->Post(absl::StrCat("/api/legalHolds/", PercentEncode(options.profile), ":set"), body));
  if (session.json()) {
    session.PrintJson(hold);
  } else {
    session.out << options.profile << " is under legal hold: nothing of it is deleted\n";
  }
  return absl::OkStatus();
}

absl::Status Release(Session& session, const StoreOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  const std::string path = absl::StrCat("/api/legalHolds/", PercentEncode(options.profile), ":clear");
  ASSIGN_OR_RETURN(Json answer, api->Post(path, Json::Object()));
  if (session.json()) {
    session.PrintJson(answer);
  } else {
    session.out << options.profile << " is under no legal hold any more; its retention goes on\n";
  }
  return absl::OkStatus();
}

std::vector<std::string> DeletionRow(const Json& deletion) {
  std::string what = "all";
  if (!deletion["run_id"].text().empty()) what = absl::StrCat("run ", deletion["run_id"].text());
  const std::string before = ShortTime(deletion["fetched_before"].text());
  if (!before.empty()) what = absl::StrCat("before ", before);
  return {ShortTime(deletion["create_time"].text()),
          deletion["profile_id"].text(),
          what,
          Number(deletion["records"]),
          Number(deletion["quarantined"]),
          deletion["finished"].boolean() ? "done" : "under way",
          deletion["principal"].text(),
          Shorten(deletion["reason"].text(), 40)};
}

absl::Status Deletions(Session& session, const StoreOptions& options) {
  return PrintListing(session, {.path = "/api/deletions",
                                .query = {{"profile_id", options.profile}},
                                .size_param = "page_size",
                                .field = "deletions",
                                .limit = options.limit,
                                .header = {"WHEN", "PROFILE", "WHAT", "RECORDS", "QUARANTINE", "STATE", "BY", "WHY"},
                                .row = DeletionRow,
                                .if_empty = "nothing was deleted"});
}

absl::Status DeleteRecords(Session& session, const StoreOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Json body = Json::Object();
  body.Set("profile_id", Json::Text(options.profile)).Set("reason", Json::Text(options.reason));
  if (!options.run.empty()) body.Set("run_id", Json::Text(options.run));
  if (!options.before.empty()) body.Set("fetched_before", Json::Text(options.before));
  if (options.dry_run) body.Set("validate_only", Json::Boolean(true));
  ASSIGN_OR_RETURN(Json deletion, api->Post("/api/records:delete", body));
  if (session.json()) {
    session.PrintJson(deletion);
    return absl::OkStatus();
  }
  session.out << (options.dry_run ? "would delete " : "deleted ") << deletion["records"].integer() << " records and "
              << deletion["quarantined"].integer() << " rows in quarantine\n";
  return absl::OkStatus();
}

}  // namespace

void AddRecordDelete(CLI::App& noun, Session& session) {
  auto options = std::make_shared<StoreOptions>();
  CLI::App* erase = AddVerb(noun, session, "delete", "Delete records of a profile for good",
                            [&session, options] { return DeleteRecords(session, *options); });
  erase->add_option("PROFILE", options->profile, "Id of the profile")->required();
  CLI::Option* run = erase->add_option("--run", options->run, "Only what this run stored")->type_name("RUN");
  erase->add_option("--before", options->before, "Only what was fetched before: 2026-01-31T00:00:00Z")
      ->type_name("TIME")
      ->excludes(run);
  erase->add_option("--reason", options->reason, "Why; it is kept with the deletion")->required()->type_name("TEXT");
  erase->add_flag("--dry-run", options->dry_run, "Say what would be deleted and change nothing");
}

void AddStoreCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("store", "Look after what is stored");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<StoreOptions>();
  CLI::App* stats = AddVerb(noun, session, "stats", "Show how much is stored of each profile, and how",
                            [&session, options] { return Stats(session, *options); });
  stats->add_option("PROFILE", options->profile, "Only this one");
  CLI::App* verify = AddVerb(noun, session, "verify",
                             "Read everything and compare it with checksums and ledger; exits with 1 on damage",
                             [&session, options] { return Verify(session, *options); });
  verify->add_option("PROFILE", options->profile, "Only this one");
  CLI::App* deletions = AddVerb(noun, session, "deletions", "List what was deleted, newest first",
                                [&session, options] { return Deletions(session, *options); });
  deletions->add_option("PROFILE", options->profile, "Only of this one");
  AddLimit(*deletions, options->limit, "Deletions");
  CLI::App* hold = AddVerb(noun, session, "hold", "Put a profile under legal hold: nothing of it is deleted",
                           [&session, options] { return Hold(session, *options); });
  hold->add_option("PROFILE", options->profile, "Id of the profile")->required();
  hold->add_option("--reason", options->reason, "Why")->required()->type_name("TEXT");
  CLI::App* release = AddVerb(noun, session, "release", "End the legal hold of a profile",
                              [&session, options] { return Release(session, *options); });
  release->add_option("PROFILE", options->profile, "Id of the profile")->required();
}

}  // namespace chartly::cli
