#include "cli/cli.h"

#include <CLI/CLI.hpp>

#include "cli/session.h"
#include "common/config/parts.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr char kDescription[] = R"(Chartly: data from where it lives, in records that can be joined.

A profile says where a source is and what its fields mean. A run fetches it; drones do
the runs. Records are what a run stores, reports join them.
)";

constexpr char kFooter[] = R"(First steps:
  chartly profile validate my.yaml          all faults of a profile, with lines
  chartly profile test my.yaml              fetch and normalize here, store nothing
  chartly profile apply my.yaml             hand it to the control plane
  chartly run start my-profile --wait       run it now and see where its rows went
  chartly records query my-profile          look at the records
  chartly report run --join geo.id --input a:population --input b:gdp --type correlation

Environment:
  CHARTLY_URL        address of the control plane (default http://127.0.0.1:8090)
  CHARTLY_CA_FILE    PEM file of authorities to trust for https, beside those of the machine
  CHARTLY_KEY        the key itself, or
  CHARTLY_KEY_FILE   the file that holds it (default $CHARTLY_DATA/admin.key; CHARTLY_DATA is .chartly by default)

Exit codes: 0 done, 1 failed, 2 bad input or usage, 3 not reachable, 4 refused.
--url, --key-file, --ca-file and --output may stand anywhere in a command.)";

constexpr char kShortFooter[] =
    "Also: --output json for programs, --url, --key-file. See chartly --help for these and the environment.";

// The command as far as it was understood: "chartly profile validate".
std::string CommandPath(const CLI::App& root) {
  std::string path = root.get_name();
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().back();
    path += " " + app->get_name();
  }
  return path;
}

// CLI11 tells of wrong usage, and of --help and --version, by an exception.
int ReportUsage(const CLI::App& root, const CLI::ParseError& error, std::ostream& out, std::ostream& err) {
  if (error.get_exit_code() == 0) {
    root.exit(error, out, err);
    return kOk;
  }
  std::string path = CommandPath(root);
  err << path << ": " << error.what() << "\nsee: " << path << " --help\n";
  return kBadInput;
}

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
      return kBadInput;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kUnreachable;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return kRefused;
    default:
      return kFailed;
  }
}

int Report(const absl::Status& status, std::ostream& err) {
  if (status.ok()) return kOk;
  err << "chartly: " << std::string(status.message());
  std::string reason = Reason(status);
  if (!reason.empty()) err << " [" << reason << "]";
  err << "\n";
  return ExitCodeOf(status);
}

void AddSharedOptions(CLI::App& root, Session& session) {
  root.set_version_flag("--version", std::string("chartly ") + kVersion, "Print the version and exit");
  root.add_option("--url", session.url, "Address of the control plane; goes before CHARTLY_URL")->type_name("URL");
  root.add_option("--key-file", session.key_file, "File with the key; goes before CHARTLY_KEY and CHARTLY_KEY_FILE")
      ->type_name("FILE");
  root.add_option(
          "--ca-file", session.ca_file,
          "PEM file of authorities to trust for https, beside those of the machine; goes before CHARTLY_CA_FILE")
      ->type_name("FILE");
  root.add_option("-o,--output", session.output_format, "table for people, json for programs")
      ->check(CLI::IsMember({"table", "json"}))
      ->type_name("FORMAT")
      ->capture_default_str();
}

}  // namespace

int RunCommandLine(int argc, const char* const* argv, const Environment& environment, std::ostream& out,
                   std::ostream& err) {
  Session session(environment, out, err);
  CLI::App root(kDescription, "chartly");
  root.footer(kShortFooter);  // subcommands take it over
  root.require_subcommand(1);
  AddSharedOptions(root, session);
  AddProfileCommands(root, session);
  AddRunCommands(root, session);
  AddRolloutCommands(root, session);
  AddBackfillCommands(root, session);
  AddCaptureCommands(root, session);
  AddQuotaCommands(root, session);
  AddWebhookCommands(root, session);
  AddRecordCommands(root, session);
  AddQuarantineCommands(root, session);
  AddReportCommands(root, session);
  AddDroneCommands(root, session);
  AddStatusCommand(root, session);
  AddDoctorCommand(root, session);
  AddAuditCommands(root, session);
  AddStoreCommands(root, session);
  AddBackupCommands(root, session);
  AddKeyCommands(root, session);
  AddDeploymentCommands(root, session);
  AddLintCommands(root, session);
  root.footer(kFooter);
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ReportUsage(root, error, out, err);
  }
  return Report(session.action(), err);
}

}  // namespace chartly::cli
