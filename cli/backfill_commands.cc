// chartly backfill start | list | show | watch | pause | resume | cancel | retry
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/clock.h"
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(500);

std::vector<std::string> BackfillHeader() {
  return {"BACKFILL", "PROFILE", "STATE", "FROM", "TO", "BY", "DONE", "RUNNING", "FAILED", "RECORDS"};
}

std::string Count(const Json& number) { return std::to_string(number.integer()); }

std::vector<std::string> BackfillRow(const Json& backfill) {
  return {backfill["backfill_id"].text(),
          backfill["profile_id"].text(),
          backfill["state"].text(),
          ShortTime(backfill["range"]["start_time"].text()),
          ShortTime(backfill["range"]["end_time"].text()),
          backfill["step"].text(),
          absl::StrCat(Count(backfill["succeeded"]), " of ", Count(backfill["partitions"])),
          Count(backfill["running"]),
          Count(backfill["failed"]),
          Count(backfill["records"])};
}

std::vector<std::string> PartitionRow(const Json& partition) {
  return {ShortTime(partition["part"]["start_time"].text()),
          ShortTime(partition["part"]["end_time"].text()),
          partition["state"].text(),
          Count(partition["attempts"]),
          Count(partition["records"]),
          partition["run_id"].text(),
          Shorten(partition["error"].text(), 80)};
}

void PrintBackfill(Session& session, const Json& backfill) {
  if (session.json()) return session.PrintJson(backfill);
  Table table(BackfillHeader());
  table.Add(BackfillRow(backfill));
  table.Print(session.out, "");
  for (const char* field : {"reason", "message"}) {
    if (!backfill[field].text().empty()) session.out << field << " " << backfill[field].text() << "\n";
  }
}

std::string BackfillPath(const std::string& id) { return absl::StrCat("/api/backfills/", PercentEncode(id)); }

// The span that a text names: a year, a month or a day as a whole, a time as a moment.
absl::StatusOr<std::pair<absl::Time, absl::Time>> SpanOf(const char* option, const std::string& text) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  auto span = [&](auto begin) { return std::make_pair(absl::FromCivil(begin, utc), absl::FromCivil(begin + 1, utc)); };
  absl::CivilYear year;
  absl::CivilMonth month;
  absl::CivilDay day;
  absl::Time time;
  std::string error;
  if (text.size() == 4 && absl::ParseCivilTime(text, &year)) return span(year);
  if (text.size() == 7 && absl::ParseCivilTime(text, &month)) return span(month);
  if (text.size() == 10 && absl::ParseCivilTime(text, &day)) return span(day);
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return std::make_pair(time, time);
  return Error(absl::StatusCode::kInvalidArgument, "TIME_INVALID",
               absl::StrCat(option, " is \"", text,
                            "\"; write a day, month, year or time: 2024-01-31, 2024-01, 2024, "
                            "2024-01-31T06:00:00Z"));
}

std::string Rfc3339(absl::Time time) { return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone()); }

absl::StatusOr<Json> AwaitEnd(Session& session, const std::string& id) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  std::string told;
  while (true) {
    ASSIGN_OR_RETURN(Json backfill, api->Get(BackfillPath(id)));
    const std::string state = backfill["state"].text();
    const std::string now =
        absl::StrCat(state, ", ", Count(backfill["succeeded"]), " of ", Count(backfill["partitions"]), " done, ",
                     Count(backfill["failed"]), " failed");
    if (now != told) session.err << id << ": " << now << "\n";
    told = now;
    if (state != "running" && state != "paused") return backfill;
    absl::SleepFor(kPollInterval);
  }
}

absl::Status OutcomeOf(const Json& backfill) {
  const std::string state = backfill["state"].text();
  if (state == "succeeded") return absl::OkStatus();
  return Error(
      absl::StatusCode::kAborted, "BACKFILL_FAILED",
      absl::StrCat("backfill ", backfill["backfill_id"].text(), " is ", state, "; see why with: chartly backfill show ",
                   backfill["backfill_id"].text(), " --state failed"));
}

absl::Status Watch(Session& session, const std::string& id) {
  ASSIGN_OR_RETURN(Json backfill, AwaitEnd(session, id));
  PrintBackfill(session, backfill);
  return OutcomeOf(backfill);
}

struct StartOptions {
  std::string profile;
  std::string from;
  std::string to;
  std::string step = "day";
  int64_t at_most = 1;
  bool wait = false;
};

absl::Status Start(Session& session, const StartOptions& options) {
  ASSIGN_OR_RETURN(auto from, SpanOf("--from", options.from));
  ASSIGN_OR_RETURN(auto to, SpanOf("--to", options.to));
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Json body = Json::Object();
  body.Set("profile_id", Json::Text(options.profile));
  body.Set("start_time", Json::Text(Rfc3339(from.first)));
  body.Set("end_time", Json::Text(Rfc3339(to.second)));
  body.Set("step", Json::Text(options.step));
  body.Set("at_most", Json::Integer(options.at_most));
  ASSIGN_OR_RETURN(Json backfill, api->Post("/api/backfills", body));
  if (options.wait) return Watch(session, backfill["backfill_id"].text());
  PrintBackfill(session, backfill);
  return absl::OkStatus();
}

struct ShowOptions {
  std::string id;
  std::string state;
  int64_t limit = 100;
};

absl::Status Show(Session& session, const ShowOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json backfill, api->Get(BackfillPath(options.id)));
  Listing listing{.path = absl::StrCat(BackfillPath(options.id), "/partitions"),
                  .query = {{"state", options.state}},
                  .size_param = "page_size",
                  .field = "partitions",
                  .limit = options.limit,
                  .header = {"FROM", "TO", "STATE", "RUNS", "RECORDS", "LAST RUN", "ERROR"},
                  .row = PartitionRow,
                  .if_empty = "no such partitions"};
  if (!session.json()) {
    PrintBackfill(session, backfill);
    session.out << "\n";
    return PrintListing(session, listing);
  }
  bool more = false;
  ASSIGN_OR_RETURN(std::vector<Json> found, GetEntries(session, listing, more));
  Json partitions = Json::Array();
  for (Json& partition : found) partitions.Add(std::move(partition));
  session.PrintJson(Json::Object().Set("backfill", std::move(backfill)).Set("partitions", std::move(partitions)));
  return absl::OkStatus();
}

absl::Status Change(Session& session, const std::string& id, const std::string& verb, Json body) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json backfill, api->Post(absl::StrCat(BackfillPath(id), ":", verb), body));
  PrintBackfill(session, backfill);
  return absl::OkStatus();
}

void AddStart(CLI::App& noun, Session& session) {
  auto options = std::make_shared<StartOptions>();
  CLI::App* verb = AddVerb(noun, session, "start", "Run a profile over times that are past, part by part",
                           [&session, options] { return Start(session, *options); });
  verb->add_option("PROFILE", options->profile, "Id of the profile")->required();
  verb->add_option("--from", options->from, "First day, month or year to cover, or a time; UTC")
      ->required()
      ->type_name("TIME");
  verb->add_option("--to", options->to, "Last day, month or year to cover, or the time to end before; UTC")
      ->required()
      ->type_name("TIME");
  verb->add_option("--by", options->step, "Length of a partition, each of which is a run")
      ->check(CLI::IsMember({"hour", "day", "week", "month", "year"}))
      ->type_name("STEP")
      ->capture_default_str();
  verb->add_option("--at-most", options->at_most, "Partitions that may run at the same time")
      ->check(CLI::Range(1, 100))
      ->type_name("N")
      ->capture_default_str();
  verb->add_flag("-w,--wait", options->wait, "Wait for its end; then exit with 1 unless all succeeded");
}

void AddList(CLI::App& noun, Session& session) {
  struct Options {
    std::string profile;
    int64_t limit = 20;
  };
  auto options = std::make_shared<Options>();
  CLI::App* verb = AddVerb(noun, session, "list", "List backfills, newest first", [&session, options] {
    return PrintListing(session, {.path = "/api/backfills",
                                  .query = {{"profile_id", options->profile}},
                                  .size_param = "page_size",
                                  .field = "backfills",
                                  .limit = options->limit,
                                  .header = BackfillHeader(),
                                  .row = BackfillRow,
                                  .if_empty = "no backfills yet; begin one with: chartly backfill start PROFILE "
                                              "--from 2024-01-01 --to 2024-12-31"});
  });
  verb->add_option("--profile", options->profile, "Only backfills of this profile")->type_name("PROFILE");
  AddLimit(*verb, options->limit, "Backfills");
}

void AddShow(CLI::App& noun, Session& session) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App* verb = AddVerb(noun, session, "show", "Show a backfill with its partitions",
                           [&session, options] { return Show(session, *options); });
  verb->add_option("BACKFILL", options->id, "Id of the backfill")->required();
  verb->add_option("--state", options->state, "Only partitions that stand so")
      ->check(CLI::IsMember({"waiting", "running", "succeeded", "failed", "cancelled"}))
      ->type_name("STATE");
  AddLimit(*verb, options->limit, "Partitions");
}

}  // namespace

void AddBackfillCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("backfill", "Fetch times that are past, part by part");
  noun.require_subcommand(1)->fallthrough();
  AddStart(noun, session);
  AddList(noun, session);
  AddShow(noun, session);
  auto id = std::make_shared<std::string>();
  auto why = std::make_shared<std::string>();
  auto add = [&](const char* name, const char* help, std::function<absl::Status()> run) {
    CLI::App* verb = AddVerb(noun, session, name, help, std::move(run));
    verb->add_option("BACKFILL", *id, "Id of the backfill")->required();
    return verb;
  };
  add("watch", "Follow a backfill to its end; exits with 1 unless all succeeded",
      [&session, id] { return Watch(session, *id); });
  add("pause", "Begin no further partitions; those that run go on", [&session, id, why] {
    Json body = Json::Object();
    body.Set("reason", Json::Text(*why));
    return Change(session, *id, "pause", std::move(body));
  })->add_option("--reason", *why, "Why, for those who read it later");
  add("resume", "Let a paused backfill go on",
      [&session, id] { return Change(session, *id, "resume", Json::Object()); });
  add("cancel", "End a backfill and stop its runs; what they stored stays",
      [&session, id] { return Change(session, *id, "cancel", Json::Object()); });
  add("retry", "Run again what failed or was cancelled",
      [&session, id] { return Change(session, *id, "retry", Json::Object()); });
}

}  // namespace chartly::cli
