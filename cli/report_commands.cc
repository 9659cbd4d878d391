// chartly report run | suggest
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/report_export.h"
#include "cli/report_request.h"
#include "cli/report_view.h"
#include "cli/saved_report_commands.h"
#include "cli/session.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct SuggestOptions {
  std::vector<std::string> profiles;
  int64_t limit = 10;
};

// As a shell reads it again.
std::string ShellWord(const std::string& text) {
  bool plain = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:=,") ==
               std::string::npos;
  return plain ? text : absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

absl::Status Run(Session& session, const ReportOptions& options) {
  if (!options.name.empty()) return RunSavedReport(session, options.name);
  ASSIGN_OR_RETURN(Json request, ReportRequestJson(options));
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json answer, api->Post("/api/reports", request));
  if (session.json()) {
    session.PrintJson(answer);
    return absl::OkStatus();
  }
  const Json& output = request["output"];
  std::string method = output["method"].text();
  PrintReport(session, answer, output["type"].text() == "correlation", method.empty() ? "pearson" : method);
  return absl::OkStatus();
}

// The options of `report run` that ask the same question.
std::string CommandOf(const Json& report) {
  std::string command = "chartly report run";
  for (const Json& join : report["join"].items()) absl::StrAppend(&command, " --join ", ShellWord(join.text()));
  for (const Json& input : report["inputs"].items()) {
    std::string measures;
    for (const Json& measure : input["measures"].items()) {
      absl::StrAppend(&measures, measures.empty() ? "" : ",", measure.text());
    }
    absl::StrAppend(&command, " --input ", ShellWord(absl::StrCat(input["profile_id"].text(), ":", measures)));
  }
  return command + " --type correlation";
}

std::string ProfilesOf(const Json& report) {
  std::string profiles;
  for (const Json& input : report["inputs"].items()) {
    absl::StrAppend(&profiles, profiles.empty() ? "" : " and ", input["profile_id"].text());
  }
  return profiles;
}

absl::Status Suggest(Session& session, const SuggestOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Query query = {{"limit", std::to_string(options.limit)}};
  for (const std::string& profile : options.profiles) query.emplace_back("profile_id", profile);
  ASSIGN_OR_RETURN(Json answer, api->Get("/api/reports:suggest", query));
  if (session.json()) {
    session.PrintJson(answer);
    return absl::OkStatus();
  }
  int place = 0;
  for (const Json& suggestion : answer["suggestions"].items()) {
    session.out << ++place << ". " << ProfilesOf(suggestion["report"]) << ": " << suggestion["reason"].text() << "\n   "
                << CommandOf(suggestion["report"]) << "\n\n";
  }
  if (place == 0) session.out << "nothing to propose: no two measures stand side by side\n";
  for (const Json& warning : answer["warnings"].items()) session.err << "warning: " << warning.text() << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddReportCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("report", "Join records of profiles and see how they go together");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<ReportOptions>();
  CLI::App* verb = AddVerb(noun, session, "run", "Answer a question over the newest version of each record",
                           [&session, options] { return Run(session, *options); });
  verb->add_option("name", options->name, "A saved report, in place of the options")->type_name("NAME");
  AddReportOptions(*verb, *options);
  AddSavedReportCommands(noun, session);
  AddReportExport(noun, session);
  auto wishes = std::make_shared<SuggestOptions>();
  CLI::App* suggest =
      AddVerb(noun, session, "suggest", "Propose joins and measures that the data holds, with the reason",
              [&session, wishes] { return Suggest(session, *wishes); });
  suggest->add_option("profile", wishes->profiles, "Only over these profiles; over all if none is named")
      ->type_name("PROFILE");
  suggest->add_option("--limit", wishes->limit, "Proposals at most")
      ->check(CLI::Range(1, 50))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace chartly::cli
