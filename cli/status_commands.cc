// chartly status
#include "absl/strings/str_cat.h"
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

}  // namespace

void AddStatusCommand(CLI::App& root, Session& session) {
  AddVerb(root, session, "status", "Show every part of the control plane; exits with 1 unless all are well",
          [&session] { return Status(session); });
}

}  // namespace chartly::cli
