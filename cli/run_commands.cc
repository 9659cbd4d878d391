// chartly run start | list | get | watch | cancel
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/listing.h"
#include "cli/run_view.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/profile/profile.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct StartOptions {
  std::string profile;
  bool wait = false;
  std::string timeout = "10m";
  bool from_capture = false;
  std::string since;
  std::string drone;
};

// A moment, or how long it is ago.
absl::StatusOr<std::string> MomentOf(const std::string& text) {
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return text;
  absl::StatusOr<absl::Duration> ago = ParseDuration(text);
  if (ago.ok()) return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E6SZ", absl::Now() - *ago, absl::UTCTimeZone());
  return Error(absl::StatusCode::kInvalidArgument, "TIME_INVALID",
               absl::StrCat("--since is \"", text, "\"; write a time, 2026-01-31T09:00:00Z, or how long ago: 7d"));
}

// All runs are waited for, and the first that failed is told.
absl::Status WaitForRuns(Session& session, const Json& started, absl::Duration limit) {
  Json runs = Json::Array();
  absl::Status outcome;
  for (const Json& run : started["runs"].items()) {
    ASSIGN_OR_RETURN(Json ended, WaitForRun(session, run["run_id"].text(), limit));
    if (outcome.ok()) outcome = OutcomeOf(ended);
    if (!session.json()) PrintRun(session, ended);
    runs.Add(std::move(ended));
  }
  if (session.json()) {
    session.PrintJson(
        Json::Object().Set("runs", std::move(runs)).Set("left_out_drone_ids", started["left_out_drone_ids"]));
  }
  return outcome;
}

absl::Status StartFromCapture(Session& session, const StartOptions& options, absl::Duration limit) {
  Json body = Json::Object();
  if (!options.since.empty()) {
    ASSIGN_OR_RETURN(std::string since, MomentOf(options.since));
    body.Set("since_time", Json::Text(since));
  }
  if (!options.drone.empty()) body.Set("drone_id", Json::Text(options.drone));
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json started,
                   api->Post(absl::StrCat("/api/profiles/", PercentEncode(options.profile), ":replay"), body));
  for (const Json& drone : started["left_out_drone_ids"].items()) {
    session.err << "drone " << drone.text() << " keeps payloads, too, and is left out: it is not active, or may not do "
                << "the profile\n";
  }
  if (options.wait) return WaitForRuns(session, started, limit);
  if (session.json()) {
    session.PrintJson(started);
    return absl::OkStatus();
  }
  for (const Json& run : started["runs"].items()) PrintRun(session, run);
  return absl::OkStatus();
}

absl::Status Start(Session& session, const StartOptions& options) {
  ASSIGN_OR_RETURN(absl::Duration limit, ParseDuration(options.timeout));
  if (options.from_capture) return StartFromCapture(session, options, limit);
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(
      Json run, api->Post(absl::StrCat("/api/profiles/", PercentEncode(options.profile), ":runNow"), Json::Object()));
  if (!options.wait) {
    PrintRun(session, run);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(run, WaitForRun(session, run["run_id"].text(), limit));
  PrintRun(session, run);
  return OutcomeOf(run);
}

absl::Status Get(Session& session, const std::string& run_id) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json run, api->Get(absl::StrCat("/api/runs/", PercentEncode(run_id))));
  PrintRun(session, run);
  return absl::OkStatus();
}

absl::Status Cancel(Session& session, const std::string& run_id) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json run, api->Post(absl::StrCat("/api/runs/", PercentEncode(run_id), ":cancel"), Json::Object()));
  PrintRun(session, run);
  return absl::OkStatus();
}

absl::Status WatchAll(Session& session) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  return api->Follow("/api/events", [&session](const Json& event) {
    const Json& run = event["run"];
    if (run.is_null()) return true;
    if (session.json()) {
      session.PrintJson(event);
    } else {
      session.out << ShortTime(event["time"].text()) << "  " << run["run_id"].text() << "  " << run["profile_id"].text()
                  << "  " << run["status"].text() << "  " << BalanceText(run["balance"]) << "\n";
    }
    session.out.flush();
    return session.out.good();
  });
}

absl::Status Watch(Session& session, const std::string& run_id) {
  if (run_id.empty()) return WatchAll(session);
  ASSIGN_OR_RETURN(Json run, WaitForRun(session, run_id, absl::Hours(24 * 365)));
  PrintRun(session, run);
  return OutcomeOf(run);
}

void AddStart(CLI::App& noun, Session& session) {
  auto options = std::make_shared<StartOptions>();
  CLI::App* verb = AddVerb(noun, session, "start", "Run a profile now, whatever its schedule says",
                           [&session, options] { return Start(session, *options); });
  verb->add_option("PROFILE", options->profile, "Id of the profile")->required();
  CLI::Option* from_capture =
      verb->add_flag("--from-capture", options->from_capture,
                     "Take the payloads that drones keep through the current revision; the source is asked nothing");
  verb->add_option("--since", options->since, "Only what was fetched since: a time, or how long ago, such as 7d")
      ->type_name("TIME")
      ->needs(from_capture);
  verb->add_option("--drone", options->drone, "Only what this drone keeps")->type_name("DRONE")->needs(from_capture);
  verb->add_flag("-w,--wait", options->wait, "Wait for its end; then exit with 1 if it failed");
  verb->add_option("--timeout", options->timeout, "With --wait: give up after this long")
      ->type_name("DURATION")
      ->capture_default_str();
}

void AddList(CLI::App& noun, Session& session) {
  struct Options {
    std::string profile;
    std::string drone;
    int64_t limit = 20;
  };
  auto options = std::make_shared<Options>();
  CLI::App* verb = AddVerb(noun, session, "list", "List runs, newest first", [&session, options] {
    return PrintListing(session, {.path = "/api/runs",
                                  .query = {{"profile_id", options->profile}, {"drone_id", options->drone}},
                                  .size_param = "page_size",
                                  .field = "runs",
                                  .limit = options->limit,
                                  .header = RunHeader(),
                                  .row = RunRow,
                                  .if_empty = "no runs yet; start one with: chartly run start PROFILE"});
  });
  verb->add_option("--profile", options->profile, "Only runs of this profile")->type_name("PROFILE");
  verb->add_option("--drone", options->drone, "Only runs on this drone")->type_name("DRONE");
  AddLimit(*verb, options->limit, "Runs");
}

}  // namespace

void AddRunCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("run", "Start runs and follow them");
  noun.require_subcommand(1)->fallthrough();
  AddStart(noun, session);
  AddList(noun, session);
  auto id = std::make_shared<std::string>();
  AddVerb(noun, session, "get", "Show one run with its balance", [&session, id] { return Get(session, *id); })
      ->add_option("RUN", *id, "Id of the run")
      ->required();
  AddVerb(noun, session, "watch", "Follow one run to its end, or the changes of all runs until interrupted",
          [&session, id] { return Watch(session, *id); })
      ->add_option("RUN", *id, "Id of the run; all runs without it");
  AddVerb(noun, session, "cancel", "Stop a run; what it stored stays", [&session, id] { return Cancel(session, *id); })
      ->add_option("RUN", *id, "Id of the run")
      ->required();
}

}  // namespace chartly::cli
