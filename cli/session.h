// What every command works with: the options that all commands share, where output goes, and the server.
#ifndef CHARTLY_CLI_SESSION_H_
#define CHARTLY_CLI_SESSION_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "cli/api_client.h"
#include "cli/cli.h"
#include "cli/json.h"

namespace chartly::cli {

class Session {
 public:
  Session(const Environment& environment, std::ostream& output, std::ostream& errors)
      : out(output), err(errors), environment_(environment) {}

  // The client for CHARTLY_URL with the key, made on first use. InvalidArgument if the address or key file is no good.
  absl::StatusOr<ApiClient*> Api();
  // The authorities to trust beside those of the machine: the file of --ca-file or CHARTLY_CA_FILE, empty without one.
  // InvalidArgument (CA_FILE_INVALID).
  absl::StatusOr<std::string> Authorities() const;
  // The address of the control plane: --url, CHARTLY_URL or the default.
  std::string Url() const;
  // A variable of the environment; empty if unset.
  std::string Variable(const char* name) const { return environment_.get(name); }
  bool json() const { return output_format == "json"; }
  // Prints one JSON document on a line of its own.
  void PrintJson(const Json& document) { out << document.ToText() << "\n"; }

  std::ostream& out;
  std::ostream& err;
  std::string output_format = "table";
  std::string url;
  std::string key_file;
  std::string ca_file;
  // What the parsed command asks for; run once parsing is over.
  std::function<absl::Status()> action;

 private:
  absl::StatusOr<std::string> FindKey() const;

  const Environment& environment_;
  std::unique_ptr<ApiClient> api_;
};

// A verb below a noun, which does `action` when it is named.
CLI::App* AddVerb(CLI::App& noun, Session& session, const std::string& name, const std::string& description,
                  std::function<absl::Status()> action);

// --limit N: `what` at most, 0 for all.
void AddLimit(CLI::App& verb, int64_t& limit, const std::string& what);

// Each adds one noun with its verbs.
void AddProfileCommands(CLI::App& root, Session& session);
void AddRunCommands(CLI::App& root, Session& session);
void AddRolloutCommands(CLI::App& root, Session& session);
void AddBackfillCommands(CLI::App& root, Session& session);
void AddCaptureCommands(CLI::App& root, Session& session);
void AddQuotaCommands(CLI::App& root, Session& session);
void AddWebhookCommands(CLI::App& root, Session& session);
void AddDroneCommands(CLI::App& root, Session& session);
// The verbs of `drone` that let drones in and shut them out.
void AddDroneJoin(CLI::App& noun, Session& session);
void AddRecordCommands(CLI::App& root, Session& session);
void AddQuarantineCommands(CLI::App& root, Session& session);
void AddReportCommands(CLI::App& root, Session& session);
void AddDeploymentCommands(CLI::App& root, Session& session);
void AddLintCommands(CLI::App& root, Session& session);
void AddAuditCommands(CLI::App& root, Session& session);
void AddKeyCommands(CLI::App& root, Session& session);
void AddStoreCommands(CLI::App& root, Session& session);
void AddBackupCommands(CLI::App& root, Session& session);
void AddStatusCommand(CLI::App& root, Session& session);
void AddDoctorCommand(CLI::App& root, Session& session);
// The verbs of `records` that have a file of their own.
void AddRecordExport(CLI::App& noun, Session& session);
void AddRecordDelete(CLI::App& noun, Session& session);
void AddRecordWhy(CLI::App& noun, Session& session);
// The verbs of `profile` that have files of their own.
void AddProfilePlan(CLI::App& noun, Session& session);
void AddProfileChannels(CLI::App& noun, Session& session);
void AddProfileSigning(CLI::App& noun, Session& session);
void AddProfileValidate(CLI::App& noun, Session& session);
void AddProfileTest(CLI::App& noun, Session& session);
void AddProfileShadow(CLI::App& noun, Session& session);
void AddProfileSuggest(CLI::App& noun, Session& session);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_SESSION_H_
