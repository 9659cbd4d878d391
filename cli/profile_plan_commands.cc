// chartly profile plan | sync | export: many profiles at once, with what would change said first.
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "cli/profile_folder.h"
#include "cli/profile_path.h"
#include "cli/profile_plan.h"
#include "cli/session.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

// The folder of what was given, for its commit.
std::string FolderOf(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return path;
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

absl::StatusOr<Json> PlanOf(Session& session, const PlanOptions& options, bool without_drones) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, FindProfileFiles(options.paths));
  ASSIGN_OR_RETURN(std::vector<ProfileFile> files, ReadProfileFiles(session, names));
  return AskForPlan(session, files, options, FindOrigin(FolderOf(options.paths.front())), without_drones);
}

absl::Status Plan(Session& session, const PlanOptions& options) {
  ASSIGN_OR_RETURN(Json plan, PlanOf(session, options, /*without_drones=*/false));
  PrintPlan(session, plan);
  if (!session.json()) {
    session.out << "carry it out with: chartly profile apply --plan " << plan["hash"].text()
                << (plan["verdict"].text() == "breaking" ? " --allow-breaking" : "") << "\n";
  }
  return absl::OkStatus();
}

absl::Status Sync(Session& session, const PlanOptions& options) {
  ASSIGN_OR_RETURN(Json plan, PlanOf(session, options, !options.dry_run));
  if (!options.dry_run) return CarryOut(session, plan["hash"].text(), options.allow_breaking);
  PrintPlan(session, plan);
  return absl::OkStatus();
}

struct ExportOptions {
  std::string folder;
  std::string channel;
};

// A signature of the server as it lies in a file.
SignedStatement StatementOf(const Json& profile, const Json& json) {
  SignedStatement one;
  one.statement.profile_id = profile["id"].text();
  one.statement.revision = profile["revision"].text();
  one.statement.counter = json["counter"].integer();
  one.signature = SignatureOfJson(json);
  if (one.signature.has_expire_time()) {
    one.statement.expires = absl::FromUnixSeconds(one.signature.expire_time().seconds());
  }
  return one;
}

absl::Status WriteProfile(const std::string& folder, const Json& profile) {
  const std::string path = absl::StrCat(folder, "/", profile["id"].text(), ".yaml");
  RETURN_IF_ERROR(WriteTextFile(path, profile["content"].text()));
  std::vector<SignedStatement> signatures;
  for (const Json& json : profile["signatures"].items()) signatures.push_back(StatementOf(profile, json));
  const std::string beside = absl::StrCat(path, kSignatureSuffix);
  if (!signatures.empty()) return WriteTextFile(beside, SignatureFileText(signatures));
  std::error_code error;
  std::filesystem::remove(beside, error);  // of a text that was there before
  return absl::OkStatus();
}

absl::Status Export(Session& session, const ExportOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (error) {
    return Error(absl::StatusCode::kInvalidArgument, "FILE_UNWRITABLE",
                 absl::StrCat("cannot make ", options.folder, ": ", error.message()));
  }
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  std::vector<Json> profiles;
  RETURN_IF_ERROR(api->GetPages("/api/profiles", {{"page_size", "100"}}, "profiles",
                                [&](const Json& profile) {
                                  profiles.push_back(profile);
                                  return true;
                                })
                      .status());
  Json written = Json::Array();
  for (Json& profile : profiles) {
    if (profile["uses_channels"].boolean()) {
      absl::StatusOr<Json> at = api->Get(ProfilePath(profile["id"].text() + "@" + options.channel));
      if (absl::IsNotFound(at.status())) continue;  // the channel has nothing of it yet
      ASSIGN_OR_RETURN(profile, std::move(at));
    }
    RETURN_IF_ERROR(WriteProfile(options.folder, profile));
    written.Add(Json::Object()
                    .Set("id", Json::Text(profile["id"].text()))
                    .Set("version", Json::Text(profile["version"].text()))
                    .Set("revision", Json::Text(profile["revision"].text())));
  }
  if (session.json()) {
    session.PrintJson(Json::Object().Set("profiles", std::move(written)));
  } else {
    session.out << "wrote " << written.items().size() << (written.items().size() == 1 ? " profile" : " profiles")
                << " to " << options.folder << "\n";
  }
  return absl::OkStatus();
}

void AddShared(CLI::App& verb, const std::shared_ptr<PlanOptions>& options) {
  verb.add_flag("--prune", options->prune, "Delete every profile that is not among these");
  verb.add_option("--channel", options->channel, "dev: what is new runs once it is promoted to prod")
      ->check(CLI::IsMember({"dev"}))
      ->type_name("CHANNEL");
}

}  // namespace

void AddProfilePlan(CLI::App& noun, Session& session) {
  auto options = std::make_shared<PlanOptions>();
  CLI::App* plan = AddVerb(noun, session, "plan", "Say what applying these would change, and make a plan of it",
                           [&session, options] { return Plan(session, *options); });
  plan->add_option("PATH", options->paths, "Profile files, and folders of them")->required();
  AddShared(*plan, options);
  CLI::App* sync = AddVerb(noun, session, "sync", "Make the control plane have what a folder has, all or nothing",
                           [&session, options] { return Sync(session, *options); });
  sync->add_option("DIR", options->paths, "Folder of profiles, such as a git working copy: its commit is noted")
      ->required()
      ->expected(1);
  AddShared(*sync, options);
  sync->add_flag("--dry-run", options->dry_run, "Say what would change, and change nothing");
  sync->add_flag("--allow-breaking", options->allow_breaking, "Consent to what breaks the readers of the records");
  auto target = std::make_shared<ExportOptions>();
  CLI::App* write = AddVerb(noun, session, "export", "Write all profiles with their signatures to a folder",
                            [&session, target] { return Export(session, *target); });
  write->add_option("DIR", target->folder, "Folder; it is made if it is absent")->required();
  write->add_option("--channel", target->channel, "dev, staging or prod, of profiles that use channels")
      ->check(CLI::IsMember({"dev", "staging", "prod"}))
      ->default_str("prod");
  target->channel = "prod";
}

}  // namespace chartly::cli
