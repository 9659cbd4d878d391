// chartly deployment open | list | shelve | resume | conclude
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct DeploymentOptions {
  std::string release;
  std::string environment;
  std::string request_id;
  std::string id;
  std::string reason;
};

std::vector<std::string> Header() {
  return {"DEPLOYMENT", "RELEASE", "ENVIRONMENT", "STATE", "OPENED", "BY", "UPDATED", "REASON"};
}

std::string IdOf(const std::string& name) { return std::string(absl::StripPrefix(name, "deployments/")); }

std::vector<std::string> Row(const Json& deployment) {
  return {IdOf(deployment["name"].text()),
          deployment["release_version"].text(),
          deployment["environment"].text(),
          deployment["state"].text(),
          ShortTime(deployment["create_time"].text()),
          deployment["opened_by"].text(),
          ShortTime(deployment["update_time"].text()),
          Shorten(deployment["shelve_reason"].text(), 40)};
}

absl::Status PostAndPrint(Session& session, const std::string& path, const Json& body) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json deployment, api->Post(path, body));
  if (session.json()) {
    session.PrintJson(deployment);
    return absl::OkStatus();
  }
  Table table(Header());
  table.Add(Row(deployment));
  table.Print(session.out, "");
  return absl::OkStatus();
}

absl::Status Change(Session& session, const DeploymentOptions& options, const std::string& verb) {
  Json body = Json::Object();
  if (!options.reason.empty()) body.Set("shelve_reason", Json::Text(options.reason));
  return PostAndPrint(session, absl::StrCat("/api/deployments/", PercentEncode(IdOf(options.id)), ":", verb), body);
}

absl::Status Open(Session& session, const DeploymentOptions& options) {
  Json body = Json::Object();
  body.Set("release_version", Json::Text(options.release)).Set("environment", Json::Text(options.environment));
  if (!options.request_id.empty()) body.Set("request_id", Json::Text(options.request_id));
  return PostAndPrint(session, "/api/deployments", body);
}

absl::Status List(Session& session) {
  return PrintListing(session, {.path = "/api/deployments",
                                .query = {},
                                .size_param = "page_size",
                                .field = "deployments",
                                .header = Header(),
                                .row = Row,
                                .if_empty = "no deployments yet"});
}

void AddOpen(CLI::App& noun, Session& session, const std::shared_ptr<DeploymentOptions>& options) {
  CLI::App* open = AddVerb(noun, session, "open", "Open a deployment of a release to an environment",
                           [&session, options] { return Open(session, *options); });
  open->add_option("--release", options->release, "Version of the release, such as 1.4.0")
      ->required()
      ->type_name("SEMVER");
  open->add_option("--env", options->environment, "dev, staging or prod")->required()->type_name("ENVIRONMENT");
  open->add_option("--request-id", options->request_id, "A UUID; the same one again gives the first answer")
      ->type_name("UUID");
}

void AddChange(CLI::App& noun, Session& session, const std::shared_ptr<DeploymentOptions>& options,
               const std::string& name, const std::string& description) {
  CLI::App* verb =
      AddVerb(noun, session, name, description, [&session, options, name] { return Change(session, *options, name); });
  verb->add_option("DEPLOYMENT", options->id, "Id of the deployment")->required();
  if (name == "shelve") verb->add_option("--reason", options->reason, "Why")->required()->type_name("TEXT");
}

}  // namespace

void AddDeploymentCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("deployment", "Keep the ledger of what was shipped where");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<DeploymentOptions>();
  AddOpen(noun, session, options);
  AddVerb(noun, session, "list", "List deployments, newest first", [&session] { return List(session); });
  AddChange(noun, session, options, "shelve", "Set an active deployment aside");
  AddChange(noun, session, options, "resume", "Take a shelved deployment up again");
  AddChange(noun, session, options, "conclude", "End an active deployment");
}

}  // namespace chartly::cli
