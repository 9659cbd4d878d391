// chartly quarantine list | redrive
#include "absl/strings/str_cat.h"
#include "cli/listing.h"
#include "cli/run_view.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct ListOptions {
  std::string profile;
  std::string run;
  bool redriven = false;
  int64_t limit = 50;
};

struct RedriveOptions {
  std::string profile;
  std::string run;
  std::vector<std::string> ids;
  bool dry_run = false;
};

std::vector<std::string> QuarantineRow(const Json& row) {
  return {row["id"].text(),
          row["profile_id"].text(),
          row["run_id"].text(),
          row["page"].text(),
          row["row"].text(),
          row["reason_code"].text(),
          row["field"].text(),
          Shorten(row["message"].text(), 60),
          Shorten(row["raw"].text(), 60)};
}

absl::Status List(Session& session, const ListOptions& options) {
  return PrintListing(session, {.path = "/api/quarantine",
                                .query = {{"profile_id", options.profile},
                                          {"run_id", options.run},
                                          {"include_redriven", options.redriven ? "true" : ""}},
                                .size_param = "limit",
                                .field = "rows",
                                .limit = options.limit,
                                .header = {"ID", "PROFILE", "RUN", "PAGE", "ROW", "REASON", "FIELD", "MESSAGE", "RAW"},
                                .row = QuarantineRow,
                                .if_empty = "nothing in quarantine"});
}

Json RedriveRequest(const RedriveOptions& options, const std::string& token) {
  Json request = Json::Object();
  request.Set("profile_id", Json::Text(options.profile));
  if (!options.run.empty()) request.Set("run_id", Json::Text(options.run));
  if (!options.ids.empty()) {
    Json ids = Json::Array();
    for (const std::string& id : options.ids) ids.Add(Json::Text(id));
    request.Set("ids", std::move(ids));
  }
  if (options.dry_run) request.Set("dry_run", Json::Scalar("true"));
  if (!token.empty()) request.Set("page_token", Json::Text(token));
  return request;
}

void PrintAnswer(Session& session, const Json& answer, bool dry_run) {
  if (session.json()) return session.PrintJson(answer);
  std::string run_id = answer["run_id"].text();
  session.out << answer["tried"].text() << " rows tried with " << answer["revision"].text() << ", "
              << answer["kept_back"].text() << " stay in quarantine\n";
  if (!run_id.empty() || dry_run) {
    session.out << (dry_run ? "would give: " : absl::StrCat("run ", run_id, ": ")) << BalanceText(answer["balance"])
                << "\n";
  }
  Table table({"ID", "REASON", "MESSAGE"});
  for (const Json& failure : answer["failures"].items()) {
    table.Add({failure["id"].text(), failure["reason_code"].text(), Shorten(failure["message"].text(), 90)});
  }
  if (!answer["failures"].items().empty()) table.Print(session.out, "");
}

// Call by call, until all rows were tried.
absl::Status Redrive(Session& session, const RedriveOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  std::string token;
  int64_t tried = 0;
  do {
    ASSIGN_OR_RETURN(Json answer, api->Post("/api/quarantine:redrive", RedriveRequest(options, token)));
    PrintAnswer(session, answer, options.dry_run);
    tried += answer["tried"].integer();
    token = answer["next_page_token"].text();
    if (!token.empty()) session.err << tried << " rows tried, more to come\n";
  } while (!token.empty());
  return absl::OkStatus();
}

}  // namespace

void AddQuarantineCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("quarantine", "Look at rows that broke their contract, and take them back in");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<ListOptions>();
  CLI::App* list = AddVerb(noun, session, "list", "List rows in quarantine with the reason, newest run first",
                           [&session, options] { return List(session, *options); });
  list->add_option("--profile", options->profile, "Only rows of this profile")->type_name("PROFILE");
  list->add_option("--run", options->run, "Only rows of this run")->type_name("RUN");
  list->add_flag("--redriven", options->redriven, "Also rows that a redrive took out of quarantine");
  AddLimit(*list, options->limit, "Rows");
  auto redriven = std::make_shared<RedriveOptions>();
  CLI::App* redrive = AddVerb(noun, session, "redrive", "Take rows through the current revision of their profile",
                              [&session, redriven] { return Redrive(session, *redriven); });
  redrive->add_option("PROFILE", redriven->profile, "Id of the profile")->required();
  redrive->add_option("--run", redriven->run, "Only rows of this run")->type_name("RUN");
  redrive->add_option("--id", redriven->ids, "Only this row; may be repeated")
      ->type_name("ID")
      ->allow_extra_args(false);
  redrive->add_flag("--dry-run", redriven->dry_run, "Say what would become of them and change nothing");
}

}  // namespace chartly::cli
