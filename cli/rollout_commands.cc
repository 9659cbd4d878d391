// chartly rollout list | status | watch | abort | accept
#include "absl/strings/str_cat.h"
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

std::vector<std::string> RolloutHeader() { return {"PROFILE", "STATE", "RING", "GOOD RUNS", "SINCE", "REASON"}; }

std::vector<std::string> RolloutRow(const Json& rollout) {
  return {rollout["profile_id"].text(),
          rollout["state"].text(),
          absl::StrCat(rollout["ring"].text(), " of ", rollout["rings"].text()),
          absl::StrCat(rollout["good_runs"].text(), " of ", rollout["runs_wanted"].text()),
          ShortTime(rollout["create_time"].text()),
          rollout["reason"].text()};
}

void PrintRollout(Session& session, const Json& rollout) {
  if (session.json()) return session.PrintJson(rollout);
  Table table(RolloutHeader());
  table.Add(RolloutRow(rollout));
  table.Print(session.out, "");
  session.out << "base    " << rollout["base_revision"].text() << "\ntarget  " << rollout["target_revision"].text()
              << "\n";
  if (!rollout["message"].text().empty()) session.out << "because " << rollout["message"].text() << "\n";
  if (!rollout["run_id"].text().empty()) session.out << "run     " << rollout["run_id"].text() << "\n";
}

std::string PathOf(const std::string& profile) { return absl::StrCat("/api/rollouts/", PercentEncode(profile)); }

// A rollout that went back is a failure for whoever waited for it.
absl::Status OutcomeOf(const Json& rollout) {
  const std::string state = rollout["state"].text();
  if (state == "running" || state == "succeeded") return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, rollout["reason"].text(),
               absl::StrCat("the rollout was ", state, ": ", rollout["message"].text()));
}

absl::Status Get(Session& session, const std::string& profile) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json rollout, api->Get(PathOf(profile)));
  PrintRollout(session, rollout);
  return absl::OkStatus();
}

absl::Status Watch(Session& session, const std::string& profile) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json rollout, api->Get(PathOf(profile)));
  PrintRollout(session, rollout);
  if (rollout["state"].text() != "running") return OutcomeOf(rollout);
  Json last = rollout;
  RETURN_IF_ERROR(api->Follow("/api/events", [&](const Json& event) {
    const Json& changed = event["rollout"];
    if (changed.is_null() || changed["profile_id"].text() != profile) return true;
    last = changed;
    PrintRollout(session, changed);
    session.out.flush();
    return changed["state"].text() == "running" && session.out.good();
  }));
  return OutcomeOf(last);
}

absl::Status Change(Session& session, const std::string& profile, const std::string& verb, Json body) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json rollout, api->Post(absl::StrCat(PathOf(profile), ":", verb), body));
  PrintRollout(session, rollout);
  return absl::OkStatus();
}

}  // namespace

void AddRolloutCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("rollout", "Follow new revisions through their rings");
  noun.require_subcommand(1)->fallthrough();
  AddVerb(noun, session, "list", "List the last rollout of each profile", [&session] {
    return PrintListing(session,
                        {.path = "/api/rollouts",
                         .query = {},
                         .size_param = "page_size",
                         .field = "rollouts",
                         .header = RolloutHeader(),
                         .row = RolloutRow,
                         .if_empty = "no rollouts yet; rollout.rings in a profile makes one of its next revision"});
  });
  auto id = std::make_shared<std::string>();
  auto why = std::make_shared<std::string>();
  auto add = [&](const char* name, const char* help, std::function<absl::Status()> run) {
    CLI::App* verb = AddVerb(noun, session, name, help, std::move(run));
    verb->add_option("PROFILE", *id, "Id of the profile")->required();
    return verb;
  };
  add("status", "Show the last rollout of a profile", [&session, id] { return Get(session, *id); });
  add("watch", "Follow a rollout to its end; exits with 1 if it went back",
      [&session, id] { return Watch(session, *id); });
  add("abort", "End a rollout: all drones do the revision before again", [&session, id, why] {
    Json body = Json::Object();
    body.Set("reason", Json::Text(*why));
    return Change(session, *id, "abort", std::move(body));
  })->add_option("--reason", *why, "Why, for those who read it later");
  add("accept", "Let all drones do the new revision, whatever the rings show",
      [&session, id] { return Change(session, *id, "accept", Json::Object()); });
}

}  // namespace chartly::cli
