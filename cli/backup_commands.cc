// chartly backup create | list | verify
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(200);

struct BackupOptions {
  std::string id;
  bool no_wait = false;
};

std::string IdOf(const Json& backup) { return std::string(absl::StripPrefix(backup["name"].text(), "backups/")); }

std::string StateOf(const Json& backup) {
  const std::string state = backup["state"].text();
  const std::string checked = backup["verification"]["state"].text();
  if (state == "ready" && backup["copy"]["state"].text() == "failed") return "not in the bucket";
  if (state == "running" || state == "failed" || checked.empty()) return state;
  if (checked == "running") return "being checked";
  return checked == "ready" ? "checked" : "damaged";
}

std::vector<std::string> Row(const Json& backup) {
  return {IdOf(backup),
          StateOf(backup),
          std::to_string(backup["records"].integer()),
          std::to_string(backup["last_batch"].integer()),
          FormatBytes(backup["size_bytes"].integer()),
          FormatBytes(backup["copied_bytes"].integer()),
          backup["log_until_time"].text(),
          Shorten(absl::StrCat(backup["error"].text(), backup["copy"]["error"].text()), 60)};
}

std::string BackupPath(absl::string_view id) {
  return absl::StrCat("/api/backups/", PercentEncode(absl::StripPrefix(id, "backups/")));
}

// The backup once what is under way with it is over: `running` looks at it.
absl::StatusOr<Json> Await(ApiClient& api, Json backup, const std::function<bool(const Json&)>& running) {
  const std::string path = BackupPath(IdOf(backup));
  while (running(backup)) {
    absl::SleepFor(kPoll);
    ASSIGN_OR_RETURN(backup, api.Get(path));
  }
  return backup;
}

absl::Status Create(Session& session, const BackupOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json backup, api->Post("/api/backups", Json::Object()));
  if (!options.no_wait) {
    ASSIGN_OR_RETURN(backup,
                     Await(*api, std::move(backup), [](const Json& b) { return b["state"].text() == "running"; }));
  }
  if (session.json()) {
    session.PrintJson(backup);
  } else if (backup["state"].text() == "ready") {
    session.out << IdOf(backup) << ": " << backup["records"].integer() << " records, up to batch "
                << backup["last_batch"].integer() << "; " << FormatBytes(backup["size_bytes"].integer()) << ", "
                << FormatBytes(backup["copied_bytes"].integer()) << " of them new\n";
  } else {
    session.out << IdOf(backup) << " is " << backup["state"].text() << "\n";
  }
  if (backup["state"].text() == "failed") {
    return Error(absl::StatusCode::kAborted, "BACKUP_FAILED", backup["error"].text());
  }
  if (backup["copy"]["state"].text() != "failed") return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, "BACKUP_COPY_FAILED",
               absl::StrCat("the backup is whole, but not in the bucket: ", backup["copy"]["error"].text()));
}

absl::Status Verify(Session& session, const BackupOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json backup, api->Post(BackupPath(options.id) + ":verify", Json::Object()));
  ASSIGN_OR_RETURN(backup, Await(*api, std::move(backup),
                                 [](const Json& b) { return b["verification"]["state"].text() == "running"; }));
  const Json& verification = backup["verification"];
  if (session.json()) {
    session.PrintJson(backup);
  } else {
    session.out << IdOf(backup) << ": " << verification["files"].integer() << " files read\n";
    for (const Json& fault : verification["faults"].items()) session.out << "  " << fault.text() << "\n";
  }
  if (verification["state"].text() == "ready") return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, "BACKUP_CORRUPT",
               absl::StrCat("backup ", IdOf(backup), " is damaged; use another one"));
}

absl::Status ListBackups(Session& session) {
  return PrintListing(
      session, {.path = "/api/backups",
                .query = {},
                .size_param = "page_size",
                .field = "backups",
                .header = {"BACKUP", "STATE", "RECORDS", "LAST BATCH", "SIZE", "NEW", "ANY MOMENT UNTIL", "ERROR"},
                .row = Row,
                .if_empty = "no backups yet"});
}

}  // namespace

void AddBackupCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("backup", "Back up everything that the control plane keeps");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<BackupOptions>();
  CLI::App* create = AddVerb(noun, session, "create", "Make a backup while everything goes on",
                             [&session, options] { return Create(session, *options); });
  create->add_flag("--no-wait", options->no_wait, "Return at once; list says how it goes");
  AddVerb(noun, session, "list", "List backups, newest first", [&session] { return ListBackups(session); });
  CLI::App* verify = AddVerb(noun, session, "verify", "Read every file of a backup; exits with 1 if one is damaged",
                             [&session, options] { return Verify(session, *options); });
  verify->add_option("BACKUP", options->id, "Its name, as list prints it")->required();
}

}  // namespace chartly::cli
