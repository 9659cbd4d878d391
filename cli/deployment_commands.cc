// chartly deployment open | list | environments | shelve | resume | approve | conclude (and logs: deployment_logs.cc)
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/api_client.h"
#include "cli/deployment_logs.h"
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
  std::string commit;
  std::string image;
  std::string builder;
  std::string provenance;
  std::string rollback_reason;
  std::string change;
  std::string strategy;
  std::string id;
  std::string reason;
  std::string smoke;
  std::string evidence;
  std::string handed_to;
};

std::vector<std::string> Header() {
  return {"DEPLOYMENT", "RELEASE", "ENVIRONMENT", "STATE", "STRATEGY", "OPENED", "BY", "UPDATED", "REASON"};
}

std::string IdOf(const std::string& name) { return std::string(absl::StripPrefix(name, "deployments/")); }

std::vector<std::string> Row(const Json& deployment) {
  return {IdOf(deployment["name"].text()),
          deployment["release_version"].text(),
          deployment["environment"].text(),
          deployment["state"].text(),
          deployment["strategy"].text(),
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

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file) return text;
  return Error(absl::StatusCode::kInvalidArgument, "FILE_UNREADABLE", absl::StrCat("cannot read ", path),
               {{"file", path}});
}

// What the statement of provenance of an image says: digest, commit and builder, unless options give them.
absl::Status ReadProvenance(DeploymentOptions& options) {
  ASSIGN_OR_RETURN(const std::string text, ReadWhole(options.provenance));
  ASSIGN_OR_RETURN(const Json statement, Json::Parse(text));
  const std::vector<Json>& subjects = statement["subject"].items();
  const std::string digest = subjects.size() == 1 ? subjects[0]["digest"]["sha256"].text() : "";
  std::string commit;
  for (const Json& each : statement["predicate"]["buildDefinition"]["resolvedDependencies"].items()) {
    if (each["name"].text() == "source") commit = each["digest"]["gitCommit"].text();
  }
  if (digest.empty() || commit.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PROVENANCE_INVALID",
                 absl::StrCat(options.provenance, " is no statement of provenance of one image of one commit"));
  }
  if (options.image.empty()) options.image = absl::StrCat("sha256:", digest);
  if (options.commit.empty()) options.commit = commit;
  if (options.builder.empty()) options.builder = statement["predicate"]["runDetails"]["builder"]["id"].text();
  return absl::OkStatus();
}

// Asks what was deployed whether it is well and of this release, and says so in words.
absl::StatusOr<std::string> Smoke(const std::string& url, const std::string& release, const std::string& authorities) {
  ASSIGN_OR_RETURN(std::unique_ptr<ApiClient> api, ApiClient::Create(url, "", authorities));
  const absl::StatusOr<Json> health = api->Get("/health");
  if (!health.ok()) {
    return Error(absl::StatusCode::kFailedPrecondition, "SMOKE_FAILED",
                 absl::StrCat(url, "/health: ", health.status().message(), "; shelve the deployment or go back"));
  }
  const std::string status = (*health)["status"].text(), version = (*health)["version"].text();
  if (status == "ok" && version == release) {
    return absl::StrCat(url, "/health answered ok with version ", version, " at ",
                        absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone()));
  }
  return Error(absl::StatusCode::kFailedPrecondition, "SMOKE_FAILED",
               absl::StrCat(url, "/health answers '", status, "' with version ", version, " and not ok with ", release,
                            "; shelve the deployment or go back"));
}

absl::Status Change(Session& session, const DeploymentOptions& options, const std::string& verb) {
  Json body = Json::Object();
  if (!options.reason.empty()) body.Set("shelve_reason", Json::Text(options.reason));
  return PostAndPrint(session, absl::StrCat("/api/deployments/", PercentEncode(IdOf(options.id)), ":", verb), body);
}

absl::Status Open(Session& session, DeploymentOptions options) {
  if (!options.provenance.empty()) RETURN_IF_ERROR(ReadProvenance(options));
  Json body = Json::Object();
  body.Set("release_version", Json::Text(options.release)).Set("environment", Json::Text(options.environment));
  body.Set("commit", Json::Text(options.commit)).Set("image_digest", Json::Text(options.image));
  if (!options.builder.empty()) body.Set("builder", Json::Text(options.builder));
  if (!options.rollback_reason.empty()) body.Set("rollback_reason", Json::Text(options.rollback_reason));
  if (!options.change.empty()) body.Set("change", Json::Text(options.change));
  if (!options.strategy.empty()) {
    body.Set("strategy", Json::Text(absl::StrReplaceAll(options.strategy, {{"-", "_"}})));
  }
  if (!options.request_id.empty()) body.Set("request_id", Json::Text(options.request_id));
  return PostAndPrint(session, "/api/deployments", body);
}

std::string PathOf(const DeploymentOptions& options) {
  return absl::StrCat("/api/deployments/", PercentEncode(IdOf(options.id)));
}

absl::Status Approve(Session& session, const DeploymentOptions& options) {
  Json body = Json::Object();
  body.Set("image_digest", Json::Text(options.image));
  return PostAndPrint(session, PathOf(options) + ":approve", body);
}

absl::Status Conclude(Session& session, const DeploymentOptions& options) {
  std::string evidence = options.evidence;
  if (!options.smoke.empty()) {
    ASSIGN_OR_RETURN(ApiClient * api, session.Api());
    ASSIGN_OR_RETURN(const Json deployment, api->Get(PathOf(options)));
    ASSIGN_OR_RETURN(const std::string authorities, session.Authorities());
    ASSIGN_OR_RETURN(evidence, Smoke(options.smoke, deployment["release_version"].text(), authorities));
  }
  Json body = Json::Object();
  body.Set("smoke_evidence", Json::Text(evidence)).Set("handed_to", Json::Text(options.handed_to));
  return PostAndPrint(session, PathOf(options) + ":conclude", body);
}

absl::Status ListEnvironments(Session& session) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(const Json answer, api->Get("/api/environments"));
  if (session.json()) {
    session.PrintJson(answer);
    return absl::OkStatus();
  }
  Table table({"ENVIRONMENT", "RELEASE", "DEPLOYMENT", "DRIFT", "SINCE", "CHECKED", "COMMIT"});
  for (const Json& each : answer["environments"].items()) {
    const std::string drift =
        each["drift_count"].integer() > 0
            ? absl::StrCat(each["drift_count"].integer(), each["mended_by_hand"].boolean() ? ", mended by hand" : "")
            : "";
    table.Add({std::string(absl::StripPrefix(each["name"].text(), "environments/")), each["release_version"].text(),
               IdOf(each["deployment"].text()), drift, ShortTime(each["drift_time"].text()),
               ShortTime(each["check_time"].text()), each["checked_commit"].text().substr(0, 12)});
  }
  table.Print(session.out, "");
  return absl::OkStatus();
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
  open->add_option("--provenance", options->provenance, "Statement of provenance of the image: commit, digest, builder")
      ->type_name("FILE");
  open->add_option("--commit", options->commit, "The commit that it was built from")->type_name("SHA");
  open->add_option("--image-digest", options->image, "The image: sha256:...")->type_name("DIGEST");
  open->add_option("--builder", options->builder, "Who built the image; needed for prod")->type_name("ID");
  open->add_option("--rollback-reason", options->rollback_reason, "Why it goes back to what ran there before")
      ->type_name("TEXT");
  open->add_option("--change", options->change,
                   "What the release changes: standard, critical, risky, schema or breaking; standard if not said")
      ->type_name("KIND");
  open->add_option("--strategy", options->strategy,
                   "How it takes over: rolling, blue-green, canary or recreate; what fits the change if not said")
      ->type_name("STRATEGY");
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

void AddApprove(CLI::App& noun, Session& session, const std::shared_ptr<DeploymentOptions>& options) {
  CLI::App* verb = AddVerb(noun, session, "approve", "Let a deployment to prod begin that somebody else opened",
                           [&session, options] { return Approve(session, *options); });
  verb->add_option("DEPLOYMENT", options->id, "Id of the deployment")->required();
  verb->add_option("--image-digest", options->image, "The image that is approved")->required()->type_name("DIGEST");
}

void AddConclude(CLI::App& noun, Session& session, const std::shared_ptr<DeploymentOptions>& options) {
  CLI::App* verb = AddVerb(noun, session, "conclude", "End an active deployment that works, and hand it over",
                           [&session, options] { return Conclude(session, *options); });
  verb->add_option("DEPLOYMENT", options->id, "Id of the deployment")->required();
  CLI::Option_group* shown = verb->add_option_group("what shows that it works");
  shown->add_option("--smoke", options->smoke, "Address of what was deployed: it is asked for its health and version")
      ->type_name("URL");
  shown->add_option("--evidence", options->evidence, "A test that was run: its run, digest or address")
      ->type_name("TEXT");
  shown->require_option(1);
  verb->add_option("--handed-to", options->handed_to, "Who looks after it from now on")->required()->type_name("WHO");
}

}  // namespace

void AddDeploymentCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("deployment", "Keep the ledger of what was shipped where");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<DeploymentOptions>();
  AddOpen(noun, session, options);
  AddVerb(noun, session, "list", "List deployments, newest first", [&session] { return List(session); });
  AddVerb(noun, session, "environments", "Show what runs where, and what drifts",
          [&session] { return ListEnvironments(session); });
  AddChange(noun, session, options, "shelve", "Set an active deployment aside");
  AddChange(noun, session, options, "resume", "Take a shelved deployment up again");
  AddApprove(noun, session, options);
  AddConclude(noun, session, options);
  AddDeploymentLogs(noun, session);
}

}  // namespace chartly::cli
