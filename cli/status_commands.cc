// chartly status, chartly audit list
#include "absl/strings/str_cat.h"
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

absl::Status Status(Session& session) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json answer, api->Get("/api/status"));
  if (session.json()) {
    session.PrintJson(answer);
  } else {
    Table table({"PART", "PLANE", "HEALTH", "ADDRESS", "ANSWER US", "MESSAGE"});
    for (const Json& part : answer["parts"].items()) {
      table.Add({part["part"].text(), part["plane"].text(), part["health"].text(), part["address"].text(),
                 std::to_string(part["latency_us"].integer()), part["message"].text()});
    }
    table.Print(session.out, "no parts");
    session.out << "chartly " << answer["version"].text() << ": " << answer["status"].text() << "\n";
  }
  if (answer["status"].text() == "ok") return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, "DEGRADED", absl::StrCat("the system is ", answer["status"].text()));
}

std::vector<std::string> AuditRow(const Json& event) {
  return {event["seq"].text(),     ShortTime(event["time"].text()), event["actor"].text(),     event["action"].text(),
          event["subject"].text(), event["outcome"].text(),         event["request_id"].text()};
}

}  // namespace

void AddStatusCommand(CLI::App& root, Session& session) {
  AddVerb(root, session, "status", "Show every part of the control plane; exits with 1 if one does not serve",
          [&session] { return Status(session); });
}

void AddAuditCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("audit", "Read the log of changes");
  noun.require_subcommand(1)->fallthrough();
  auto limit = std::make_shared<int64_t>(50);
  CLI::App* verb = AddVerb(noun, session, "list", "List changes, newest first", [&session, limit] {
    return PrintListing(session, {.path = "/api/audit/events",
                                  .query = {},
                                  .size_param = "page_size",
                                  .field = "events",
                                  .limit = *limit,
                                  .header = {"SEQ", "TIME", "ACTOR", "ACTION", "SUBJECT", "OUTCOME", "REQUEST"},
                                  .row = AuditRow,
                                  .if_empty = "nothing in the log yet"});
  });
  AddLimit(*verb, *limit, "Entries");
}

}  // namespace chartly::cli
