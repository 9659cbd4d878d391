// chartly profile validate: all faults of profile files, without a server.
#include "absl/strings/str_cat.h"
#include "cli/profile_files.h"
#include "cli/session.h"
#include "common/normalize/validate.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

Json FaultJson(const ProfileFault& fault) {
  return Json::Object()
      .Set("line", Json::Integer(fault.line))
      .Set("column", Json::Integer(fault.column))
      .Set("path", Json::Text(fault.path))
      .Set("reason", Json::Text(fault.reason))
      .Set("message", Json::Text(fault.message));
}

Json FileJson(const std::string& name, const std::string& text, const ProfileParseResult& result) {
  Json faults = Json::Array();
  for (const ProfileFault& fault : result.faults) faults.Add(FaultJson(fault));
  Json file = Json::Object();
  file.Set("file", Json::Text(name)).Set("valid", Json::Boolean(result.ok())).Set("faults", std::move(faults));
  if (result.ok()) file.Set("id", Json::Text(result.profile.id)).Set("revision", Json::Text(ContentHash(text)));
  return file;
}

absl::Status Validate(Session& session, const std::vector<std::string>& names) {
  Json files = Json::Array();
  size_t faults = 0;
  size_t faulty = 0;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(std::string text, ReadTextFile(name));
    ProfileParseResult result = ValidateProfile(text);
    faults += result.faults.size();
    faulty += result.ok() ? 0 : 1;
    files.Add(FileJson(name, text, result));
    if (session.json()) continue;
    if (result.ok()) {
      session.out << name << ": ok, profile " << result.profile.id << " " << result.profile.version << "\n";
    } else {
      std::string lines = FormatFaults(name, result.faults);
      session.err << lines << (lines.empty() || lines.back() != '\n' ? "\n" : "");
    }
  }
  if (session.json()) session.PrintJson(Json::Object().Set("files", std::move(files)));
  if (faulty == 0) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "PROFILE_INVALID",
               absl::StrCat(faults, faults == 1 ? " fault in " : " faults in ", faulty, " of ", names.size(),
                            names.size() == 1 ? " file" : " files"));
}

}  // namespace

void AddProfileValidate(CLI::App& noun, Session& session) {
  auto files = std::make_shared<std::vector<std::string>>();
  AddVerb(noun, session, "validate", "Report all faults of profile files, with lines; needs no server",
          [&session, files] { return Validate(session, *files); })
      ->add_option("FILE", *files, "Profile files")
      ->required();
}

}  // namespace chartly::cli
