// chartly key create | list | rotate | revoke
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct KeyOptions {
  std::string id;
  std::string role;
  std::string tenant;
  std::vector<std::string> projects;
  std::string purpose;
  int days = 90;
  int overlap_hours = 24;
};

std::vector<std::string> Header() {
  return {"KEY", "ROLE", "TENANT", "PROJECTS", "STATE", "EXPIRES", "LAST USED", "MADE BY", "FOR"};
}

std::string ProjectsOf(const Json& key) {
  std::vector<std::string> projects;
  for (const Json& project : key["projects"].items()) projects.push_back(project.text());
  return projects.empty() ? "all" : absl::StrJoin(projects, ",");
}

std::string IdOf(const std::string& name) { return std::string(absl::StripPrefix(name, "keys/")); }

std::string StateOf(const Json& key) {
  if (!key["revoke_time"].text().empty()) return "revoked";
  absl::Time expiry;
  std::string error;
  const bool is_dated = absl::ParseTime(absl::RFC3339_full, key["expire_time"].text(), &expiry, &error);
  return is_dated && expiry <= absl::Now() ? "expired" : "good";
}

std::vector<std::string> Row(const Json& key) {
  return {IdOf(key["name"].text()),
          key["role"].text(),
          key["tenant"].text(),
          ProjectsOf(key),
          StateOf(key),
          ShortTime(key["expire_time"].text()),
          ShortTime(key["last_use_time"].text()),
          IdOf(key["created_by"].text()),
          Shorten(key["display_name"].text(), 40)};
}

// The secret alone on `out`, so that it can go straight into a file.
absl::Status PrintIssued(Session& session, const absl::StatusOr<Json>& issued) {
  RETURN_IF_ERROR(issued.status());
  if (session.json()) {
    session.PrintJson(*issued);
    return absl::OkStatus();
  }
  const Json& key = (*issued)["key"];
  session.out << (*issued)["secret"].text() << "\n";
  session.err << IdOf(key["name"].text()) << " is good until " << ShortTime(key["expire_time"].text())
              << "; the line above is shown this once\n";
  const std::string previous = key["previous_expire_time"].text();
  if (!previous.empty()) session.err << "the secret before stays good until " << ShortTime(previous) << "\n";
  return absl::OkStatus();
}

// A control plane that knows no projects makes a key for all of them: that one has to go again.
absl::Status CheckBound(ApiClient& api, const Json& key) {
  if (!key["projects"].items().empty()) return absl::OkStatus();
  const std::string id = IdOf(key["name"].text());
  const auto revoked = api.Post(absl::StrCat("/api/keys/", PercentEncode(id), ":revoke"), Json::Object());
  return Error(absl::StatusCode::kFailedPrecondition, "PROJECTS_NOT_KNOWN",
               absl::StrCat("the auth part is of a version that binds no keys to projects; ", id,
                            revoked.ok() ? " was revoked again; update the control plane, then use another id"
                                         : " is good for all projects: revoke it"));
}

absl::Status Create(Session& session, const KeyOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Json body = Json::Object();
  body.Set("key_id", Json::Text(options.id)).Set("role", Json::Text(options.role));
  if (!options.tenant.empty()) body.Set("tenant", Json::Text(options.tenant));
  if (!options.purpose.empty()) body.Set("display_name", Json::Text(options.purpose));
  const absl::Time expiry = absl::Now() + absl::Hours(24) * options.days;
  body.Set("expire_time", Json::Text(absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", expiry, absl::UTCTimeZone())));
  Json projects = Json::Array();
  for (const std::string& project : options.projects) projects.Add(Json::Text(project));
  if (!options.projects.empty()) body.Set("projects", std::move(projects));
  ASSIGN_OR_RETURN(const Json issued, api->Post("/api/keys", body));
  if (!options.projects.empty()) RETURN_IF_ERROR(CheckBound(*api, issued["key"]));
  return PrintIssued(session, issued);
}

std::string PathOf(const KeyOptions& options, absl::string_view verb) {
  return absl::StrCat("/api/keys/", PercentEncode(IdOf(options.id)), ":", verb);
}

absl::Status Rotate(Session& session, const KeyOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Json body = Json::Object();
  // Without any overlap the one before still has a second.
  body.Set("overlap_seconds", Json::Integer(std::max(1, options.overlap_hours * 3600)));
  return PrintIssued(session, api->Post(PathOf(options, "rotate"), body));
}

absl::Status Revoke(Session& session, const KeyOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json key, api->Post(PathOf(options, "revoke"), Json::Object()));
  if (session.json()) {
    session.PrintJson(key);
  } else {
    session.out << IdOf(key["name"].text()) << " is revoked since " << ShortTime(key["revoke_time"].text()) << "\n";
  }
  return absl::OkStatus();
}

absl::Status List(Session& session) {
  return PrintListing(session, {.path = "/api/keys",
                                .query = {},
                                .size_param = "page_size",
                                .field = "keys",
                                .header = Header(),
                                .row = Row,
                                .if_empty = "no keys but the deployment's own"});
}

void AddCreate(CLI::App& noun, Session& session, const std::shared_ptr<KeyOptions>& options) {
  CLI::App* create = AddVerb(noun, session, "create", "Make a key and print it, this once",
                             [&session, options] { return Create(session, *options); });
  create->add_option("KEY", options->id, "Id of the key: lower-case letters, digits and '-'")->required();
  create->add_option("--role", options->role, "viewer, operator, publisher or admin")
      ->required()
      ->check(CLI::IsMember({"viewer", "operator", "publisher", "admin"}))
      ->type_name("ROLE");
  create->add_option("--tenant", options->tenant, "The tenant it works in; yours if left out")->type_name("TENANT");
  create
      ->add_option("--project", options->projects,
                   "Bind it to this project, the first part of ids of profiles; repeatable; yours if left out")
      ->type_name("PROJECT")
      ->allow_extra_args(false);
  create->add_option("--for", options->purpose, "What it is for")->type_name("TEXT");
  create->add_option("--days", options->days, "Days until it expires")
      ->check(CLI::Range(1, 400))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace

void AddKeyCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("key", "Keep the API keys of people and programs");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<KeyOptions>();
  AddCreate(noun, session, options);
  AddVerb(noun, session, "list", "List keys, also those that ended", [&session] { return List(session); });
  CLI::App* rotate = AddVerb(noun, session, "rotate", "Give a key a new secret and print it, this once",
                             [&session, options] { return Rotate(session, *options); });
  rotate->add_option("KEY", options->id, "Id of the key")->required();
  rotate->add_option("--overlap-hours", options->overlap_hours, "Hours for which the secret before stays good")
      ->check(CLI::Range(0, 720))
      ->type_name("N")
      ->capture_default_str();
  CLI::App* revoke =
      AddVerb(noun, session, "revoke", "End a key for good", [&session, options] { return Revoke(session, *options); });
  revoke->add_option("KEY", options->id, "Id of the key")->required();
}

}  // namespace chartly::cli
