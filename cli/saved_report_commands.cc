// chartly report save | list | get | delete | runs, and run NAME
#include "cli/saved_report_commands.h"

#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "cli/listing.h"
#include "cli/report_request.h"
#include "cli/report_view.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct SavedOptions {
  ReportOptions question;
  std::string name;
  std::string display_name;
  std::string every;
  int64_t version = 0;
  int64_t run = 0;
  int64_t limit = 0;
};

std::string PathOf(const std::string& name) { return absl::StrCat("/api/reports/", PercentEncode(name)); }

std::string IdOf(const Json& report) { return std::string(absl::StripPrefix(report["name"].text(), "reports/")); }

// "6h", "1d" as the seconds that the server takes.
absl::StatusOr<std::string> Seconds(const std::string& text) {
  absl::Duration length;
  int64_t days = 0;
  absl::string_view count = text;
  if (absl::ConsumeSuffix(&count, "d") && absl::SimpleAtoi(count, &days) && days > 0 && days < 100'000) {
    return absl::StrCat(days * 86400, "s");
  }
  if (absl::ParseDuration(text, &length) && length > absl::ZeroDuration() && length < absl::InfiniteDuration()) {
    return absl::StrCat(absl::ToInt64Seconds(length), "s");
  }
  return Error(absl::StatusCode::kInvalidArgument, "INPUT_INVALID",
               absl::StrCat("--every ", text, " is not a length of time such as 15m, 6h or 1d"));
}

absl::Status Save(Session& session, const SavedOptions& options) {
  ASSIGN_OR_RETURN(Json question, ReportRequestJson(options.question));
  Json body = Json::Object();
  body.Set("display_name", Json::Text(options.display_name)).Set("report", std::move(question));
  if (!options.every.empty()) {
    ASSIGN_OR_RETURN(std::string interval, Seconds(options.every));
    body.Set("interval", Json::Text(interval));
  }
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json saved, api->Put(PathOf(options.name), body));
  if (session.json()) {
    session.PrintJson(saved);
  } else {
    session.out << IdOf(saved) << " is saved as version " << saved["version"].text() << "\n";
  }
  return absl::OkStatus();
}

absl::Status Get(Session& session, const SavedOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Query query;
  if (options.version > 0) query.emplace_back("version", std::to_string(options.version));
  ASSIGN_OR_RETURN(Json report, api->Get(PathOf(options.name), query));
  // The question is JSON for people, too: it is what `report run --file` takes.
  if (session.json()) {
    session.PrintJson(report);
  } else {
    session.out << IdOf(report) << ", version " << report["version"].text() << ", " << report["run_count"].text()
                << " runs\n";
    session.PrintJson(report["report"]);
  }
  return absl::OkStatus();
}

absl::Status List(Session& session, const SavedOptions& options) {
  Listing listing;
  listing.path = "/api/reports";
  listing.size_param = "page_size";
  listing.field = "reports";
  listing.limit = options.limit;
  listing.header = {"REPORT", "NAME", "VERSION", "EVERY", "RUNS", "LAST RUN", "NEXT RUN"};
  listing.row = [](const Json& report) -> std::vector<std::string> {
    return {IdOf(report),
            report["display_name"].text(),
            report["version"].text(),
            report["interval"].text(),
            report["run_count"].text(),
            ShortTime(report["last_run_time"].text()),
            ShortTime(report["next_run_time"].text())};
  };
  listing.if_empty = "no saved reports yet; chartly report save NAME --help";
  return PrintListing(session, listing);
}

absl::Status Delete(Session& session, const SavedOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json answer, api->Delete(PathOf(options.name)));
  if (session.json()) {
    session.PrintJson(answer);
  } else {
    session.out << options.name << " is deleted with its versions and runs\n";
  }
  return absl::OkStatus();
}

absl::Status PrintSavedRun(Session& session, const Json& run) {
  if (session.json()) {
    session.PrintJson(run);
    return absl::OkStatus();
  }
  session.out << run["name"].text() << ", version " << run["version"].text() << ", records as of "
              << ShortTime(run["as_of"].text()) << (run["changed"].boolean() ? ", changed" : ", as the run before")
              << "\n\n";
  std::string reason = run["error_reason"].text();
  if (!reason.empty()) return Error(absl::StatusCode::kFailedPrecondition, reason, run["error"].text());
  bool table = !run["answer"]["rows"].items().empty();
  PrintReport(session, run["answer"], !table, "pearson");
  return absl::OkStatus();
}

absl::Status Runs(Session& session, const SavedOptions& options) {
  if (options.run > 0) {
    ASSIGN_OR_RETURN(ApiClient * api, session.Api());
    ASSIGN_OR_RETURN(Json run, api->Get(absl::StrCat(PathOf(options.name), "/runs/", options.run)));
    return PrintSavedRun(session, run);
  }
  Listing listing;
  listing.path = PathOf(options.name) + "/runs";
  listing.size_param = "page_size";
  listing.field = "runs";
  listing.limit = options.limit;
  listing.header = {"RUN", "VERSION", "BY", "RECORDS AS OF", "ROWS", "PAIRS", "CHANGED", "ERROR"};
  listing.row = [](const Json& run) -> std::vector<std::string> {
    std::string name = run["name"].text();
    return {name.substr(name.rfind('/') + 1),
            run["version"].text(),
            run["trigger"].text(),
            ShortTime(run["as_of"].text()),
            run["answer"]["row_count"].text(),
            run["answer"]["n"].text(),
            run["changed"].boolean() ? "yes" : "no",
            Shorten(run["error"].text(), 60)};
  };
  listing.if_empty = "no runs yet";
  return PrintListing(session, listing);
}

}  // namespace

absl::Status RunSavedReport(Session& session, const std::string& name) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json run, api->Post(PathOf(name) + ":run", Json::Object()));
  return PrintSavedRun(session, run);
}

void AddSavedReportCommands(CLI::App& noun, Session& session) {
  auto options = std::make_shared<SavedOptions>();
  auto named = [&noun, &session, options](const char* verb, const char* help,
                                          absl::Status (*act)(Session&, const SavedOptions&)) {
    CLI::App* added = AddVerb(noun, session, verb, help, [&session, options, act] { return act(session, *options); });
    added->add_option("name", options->name, "The saved report")->required()->type_name("NAME");
    return added;
  };
  CLI::App* save = named("save", "Save a question under a name, or a new version of it", Save);
  save->add_option("--title", options->display_name, "A name for people")->type_name("TEXT");
  save->add_option("--every", options->every, "Run it by itself that often: 15m, 6h, 1d")->type_name("TIME");
  AddReportOptions(*save, options->question);
  AddLimit(
      *AddVerb(noun, session, "list", "List saved reports", [&session, options] { return List(session, *options); }),
      options->limit, "Reports");
  CLI::App* get = named("get", "Show the question of a saved report", Get);
  get->add_option("--version", options->version, "That version; the newest without it")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  named("delete", "Delete a saved report with its versions and runs", Delete);
  CLI::App* runs = named("runs", "List the runs of a saved report, or show one", Runs);
  runs->add_option("--run", options->run, "Show that run with its answer")->check(CLI::PositiveNumber)->type_name("N");
  AddLimit(*runs, options->limit, "Runs");
}

}  // namespace chartly::cli
