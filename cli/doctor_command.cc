// chartly doctor
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/doctor.h"
#include "cli/table.h"
#include "common/config/host_id.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

Json FindingJson(const Finding& finding) {
  return Json::Object()
      .Set("check", Json::Text(finding.check))
      .Set("severity", Json::Text(SeverityName(finding.severity)))
      .Set("code", Json::Text(finding.code))
      .Set("subject", Json::Text(finding.subject))
      .Set("cause", Json::Text(finding.cause))
      .Set("fix", Json::Text(finding.fix));
}

void PrintJson(Session& session, const Diagnosis& diagnosis) {
  Json findings = Json::Array();
  for (const Finding& finding : diagnosis.findings()) findings.Add(FindingJson(finding));
  session.PrintJson(Json::Object()
                        .Set("findings", std::move(findings))
                        .Set("errors", Json::Integer(diagnosis.Count(Severity::kError)))
                        .Set("warnings", Json::Integer(diagnosis.Count(Severity::kWarning))));
}

// A fix may be long, so it stands below the table, with its code.
void PrintTable(Session& session, const Diagnosis& diagnosis) {
  Table table({"CHECK", "RESULT", "SUBJECT", "WHAT WAS SEEN"});
  for (const Finding& finding : diagnosis.findings()) {
    std::string result = finding.severity == Severity::kOk ? std::string(SeverityName(finding.severity)) : finding.code;
    table.Add({finding.check, result, Shorten(finding.subject, 40), Shorten(finding.cause, 100)});
  }
  table.Print(session.out, "nothing was checked");
  for (const Finding& finding : diagnosis.findings()) {
    if (finding.severity == Severity::kOk) continue;
    session.out << "\n"
                << SeverityName(finding.severity) << " " << finding.code << " (" << finding.subject
                << ")\n  cause: " << absl::StrJoin(absl::StrSplit(finding.cause, '\n'), "\n         ")
                << "\n  fix:   " << finding.fix << "\n";
  }
}

absl::Status Examine(Session& session, DoctorOptions options) {
  for (absl::string_view cidr : absl::StrSplit(session.Variable("CHARTLY_EGRESS_ALLOW"), ',', absl::SkipWhitespace())) {
    options.egress_allow.emplace_back(absl::StripAsciiWhitespace(cidr));
  }
  if (options.consent_file.empty()) options.consent_file = session.Variable("CHARTLY_CONSENT");
  if (options.secrets_dir.empty()) options.secrets_dir = session.Variable("CHARTLY_SECRETS_DIR");
  Diagnosis diagnosis;
  ExamineControlPlane(session, options, diagnosis);
  ExamineHost(session, options, diagnosis);
  ExamineProfiles(session, options, diagnosis);
  session.json() ? PrintJson(session, diagnosis) : PrintTable(session, diagnosis);
  int64_t errors = diagnosis.Count(Severity::kError);
  if (errors == 0) return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, "DOCTOR_FOUND_ERRORS",
               absl::StrCat(errors, errors == 1 ? " error" : " errors", " would keep a drone from working here"));
}

}  // namespace

void AddDoctorCommand(CLI::App& root, Session& session) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* verb = AddVerb(root, session, "doctor",
                           "Look for what would keep a drone from working on this host. Takes the drone's flags",
                           [&session, options] { return Examine(session, *options); });
  // A drone's command line works here as it is.
  for (const char* flag : {"--label", "--capacity", "--admin", "--log-level"}) {
    verb->add_option(flag, options->unused, "A drone's flag that changes nothing here")
        ->allow_extra_args(false)
        ->group("");
  }
  // CLI11 ends its list with an empty line if the hidden group is the last to have begun.
  verb->set_help_flag("-h,--help", "Print this help message and exit");
  options->id = HostId("drone");
  verb->add_option("--id", options->id, "Name of the drone")->type_name("ID")->capture_default_str();
  verb->add_option("--profile", options->profiles, "Also try the first page of this profile. Repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  verb->add_option("--data", options->data_dir, "The drone's data folder")->type_name("DIR")->capture_default_str();
  verb->add_option("--control-plane", session.url, "The same as --url")->type_name("URL");
  for (auto [flag, address] :
       {std::pair("--coordinator", &options->coordinator), {"--aggregator", &options->aggregator}}) {
    verb->add_option(flag, *address, absl::StrCat("The ", flag + 2, ", if elsewhere"))->type_name("HOST:PORT");
  }
  verb->add_option("--source-dir", options->source_dir, "Folder that file sources are read from")
      ->type_name("DIR")
      ->capture_default_str();
  verb->add_option("--secrets-dir", options->secrets_dir, "Folder of the drone's secrets")->type_name("DIR");
  verb->add_option("--ca-file", options->ca_file, "PEM file of certificate authorities that sources may have")
      ->type_name("FILE");
  verb->add_option("--consent", options->consent_file, "File with what profiles may do on this host")
      ->type_name("FILE");
  verb->add_option("--egress-allow", options->egress_allow, "Private range that may be fetched from. Repeatable")
      ->type_name("CIDR")
      ->allow_extra_args(false);
  verb->add_option("--spool-bytes", options->spool_bytes, "Most bytes the spool may take, such as 1GB")
      ->transform(CLI::Validator(CLI::AsSizeValue(false)).description(""))
      ->type_name("SIZE")
      ->default_str("1GB");
}

}  // namespace chartly::cli
