#include "cli/profile_plan.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "cli/profile_folder.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr size_t kShownHash = 15;  // sha256: and eight digits
constexpr int kWidth = 60;

std::string Names(const Json& list) {
  std::vector<std::string> names;
  for (const Json& item : list.items()) names.push_back(item.text());
  return absl::StrJoin(names, ", ");
}

std::string Revision(const Json& version, const Json& revision) {
  if (revision.text().empty()) return "";
  return absl::StrCat(version.text(), " ", revision.text().substr(0, kShownHash));
}

// "breaking: attrs.note FIELD_LOST", compatible changes are counted only.
std::string Verdict(const Json& compatibility) {
  std::vector<std::string> parts;
  const std::string verdict = compatibility["verdict"].text();
  for (const Json& change : compatibility["changes"].items()) {
    if (change["verdict"].text() != verdict || verdict == "compatible") continue;
    parts.push_back(absl::StrCat(change["field"].text(), " ", change["reason"].text()));
  }
  return parts.empty() ? verdict : absl::StrCat(verdict, ": ", absl::StrJoin(parts, ", "));
}

void PrintProfiles(Session& session, const Json& plan) {
  Table table({"PROFILE", "ACTION", "FROM", "TO", "CHANNEL", "RECORDS"});
  int unchanged = 0;
  for (const Json& profile : plan["profiles"].items()) {
    if (profile["action"].text() == "unchanged") {
      ++unchanged;
      continue;
    }
    table.Add({profile["profile_id"].text(), profile["action"].text(),
               Revision(profile["from_version"], profile["from_revision"]),
               Revision(profile["to_version"], profile["to_revision"]), profile["channel"].text(),
               Shorten(Verdict(profile["compatibility"]), kWidth)});
  }
  table.Print(session.out, "nothing changes");
  if (unchanged > 0 && !table.empty()) session.out << unchanged << " unchanged\n";
}

void PrintFields(Session& session, const Json& plan) {
  Table table({"PROFILE", "FIELD", "BEFORE", "AFTER"});
  for (const Json& profile : plan["profiles"].items()) {
    for (const Json& change : profile["changes"].items()) {
      table.Add({profile["profile_id"].text(), change["path"].text(), Shorten(change["before"].text(), kWidth),
                 Shorten(change["after"].text(), kWidth)});
    }
  }
  if (table.empty()) return;
  session.out << "\n";
  table.Print(session.out, "");
}

void PrintDrones(Session& session, const Json& plan) {
  Table table({"DRONE", "GAINS", "LOSES", "CHANGES", "REFUSES"});
  for (const Json& drone : plan["drones"].items()) {
    std::vector<std::string> refusals;
    for (const Json& refusal : drone["refusals"].items()) {
      refusals.push_back(absl::StrCat(refusal["profile_id"].text(), " ", refusal["reason"].text()));
    }
    table.Add({drone["drone_id"].text(), Names(drone["gained"]), Names(drone["lost"]), Names(drone["changed"]),
               absl::StrJoin(refusals, ", ")});
  }
  if (!table.empty()) {
    session.out << "\n";
    table.Print(session.out, "");
  }
  for (const Json& drone : plan["drones"].items()) {
    for (const Json& refusal : drone["refusals"].items()) {
      session.out << "drone " << drone["drone_id"].text() << " will refuse " << refusal["profile_id"].text() << ": "
                  << refusal["message"].text() << "\n";
    }
  }
  const std::string unknown = plan["drones_unknown"].text();
  if (!unknown.empty()) session.out << "\nwhat changes for drones is not known: " << unknown << "\n";
}

}  // namespace

absl::StatusOr<Json> AskForPlan(Session& session, const std::vector<ProfileFile>& files, const PlanOptions& options,
                                const Json& origin, bool without_drones) {
  Json texts = Json::Array();
  for (const ProfileFile& file : files) {
    ASSIGN_OR_RETURN(std::vector<SignedStatement> signatures, ReadSignaturesBeside(file));
    Json list = Json::Array();
    for (const SignedStatement& one : signatures) list.Add(SignatureJson(one.signature));
    texts.Add(Json::Object()
                  .Set("content", Json::Text(file.text))
                  .Set("filename", Json::Text(file.name))
                  .Set("signatures", std::move(list)));
  }
  Json body = Json::Object();
  body.Set("profiles", std::move(texts)).Set("prune", Json::Boolean(options.prune));
  if (!options.channel.empty()) body.Set("channel", Json::Text(options.channel));
  if (!origin.is_null()) body.Set("origin", origin);
  if (without_drones) body.Set("without_drones", Json::Boolean(true));
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  return api->Post("/api/profiles:plan", body);
}

void PrintPlan(Session& session, const Json& plan) {
  if (session.json()) return session.PrintJson(plan);
  PrintProfiles(session, plan);
  PrintFields(session, plan);
  PrintDrones(session, plan);
  session.out << "\nplan " << plan["hash"].text() << "\n";
}

absl::Status CarryOut(Session& session, const std::string& hash, bool allow_breaking) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Json body = Json::Object();
  body.Set("allow_breaking", Json::Boolean(allow_breaking));
  ASSIGN_OR_RETURN(Json plan, api->Post(absl::StrCat("/api/plans/", PercentEncode(hash), ":apply"), body));
  if (session.json()) {
    session.PrintJson(plan);
    return absl::OkStatus();
  }
  Table table({"PROFILE", "VERSION", "RESULT"});
  for (const Json& profile : plan["profiles"].items()) {
    const std::string action = profile["action"].text();
    const bool same = action == "unchanged" || plan["already_applied"].boolean();
    const std::string result = same               ? "unchanged"
                               : action == "sign" ? "signed"
                                                  : absl::StrCat(absl::StripSuffix(action, "e"), "ed");
    table.Add(
        {profile["profile_id"].text(), profile[action == "delete" ? "from_version" : "to_version"].text(), result});
  }
  table.Print(session.out, "nothing to do");
  return absl::OkStatus();
}

}  // namespace chartly::cli
