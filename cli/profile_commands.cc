// chartly profile apply | list | get | diff | pause | resume | delete (the other verbs have files of their own:
// profile_*.cc)
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/listing.h"
#include "cli/profile_files.h"
#include "cli/profile_folder.h"
#include "cli/profile_path.h"
#include "cli/profile_plan.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/profile/profile.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

// "21600s" as "6h".
std::string ShortDuration(const std::string& text) {
  absl::StatusOr<absl::Duration> duration = ParseDuration(text);
  return duration.ok() ? FormatDuration(*duration) : text;
}

std::string Schedule(const Json& profile) {
  if (profile["paused"].boolean()) return "paused";
  if (!profile["enabled"].boolean()) return "off";
  return absl::StrCat("every ", ShortDuration(profile["interval"].text()));
}

std::vector<std::string> ProfileRow(const Json& profile) {
  return {profile["id"].text(), profile["version"].text(), Schedule(profile), ShortTime(profile["update_time"].text()),
          Shorten(profile["display_name"].text(), 50)};
}

void PrintProfile(Session& session, const Json& profile) {
  if (session.json()) return session.PrintJson(profile);
  Table table({"PROFILE", "VERSION", "SCHEDULE", "UPDATED", "NAME"});
  table.Add(ProfileRow(profile));
  table.Print(session.out, "");
}

// Creates or updates one profile and tells which: created, updated, unchanged.
absl::StatusOr<std::string> ApplyOne(ApiClient& api, const ProfileFile& file, const PlanOptions& options,
                                     Json& stored) {
  absl::StatusOr<Json> current = api.Get(ProfilePath(file.profile.id));
  // Where channels are used, what was applied last is in dev.
  if (current.ok() && (*current)["uses_channels"].boolean()) current = api.Get(ProfilePath(file.profile.id + "@dev"));
  if (current.ok() && (*current)["revision"].text() == file.profile.revision) {
    stored = *std::move(current);
    return "unchanged";
  }
  if (!current.ok() && !absl::IsNotFound(current.status())) return current.status();
  bool is_new = !current.ok();
  Query query = {{"channel", options.channel}};
  if (is_new) {
    ASSIGN_OR_RETURN(stored, api.SendProfile("POST", "/api/profiles", file.name, file.text, query));
    return "created";
  }
  if (options.allow_breaking) query.emplace_back("allow_breaking", "true");
  ASSIGN_OR_RETURN(stored, api.SendProfile("PUT", ProfilePath(file.profile.id), file.name, file.text, query));
  return "updated";
}

absl::StatusOr<bool> AnySigned(const std::vector<ProfileFile>& files) {
  for (const ProfileFile& file : files) {
    ASSIGN_OR_RETURN(std::vector<SignedStatement> signatures, ReadSignaturesBeside(file));
    if (!signatures.empty()) return true;
  }
  return false;
}

absl::Status Apply(Session& session, const PlanOptions& options) {
  if (!options.hash.empty()) return CarryOut(session, options.hash, options.allow_breaking);
  if (options.paths.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "USAGE", "give profile files, or --plan with the hash of a plan");
  }
  ASSIGN_OR_RETURN(std::vector<ProfileFile> files, ReadProfileFiles(session, options.paths));
  ASSIGN_OR_RETURN(bool any_signed, AnySigned(files));
  if (any_signed) {
    // Text and signature in one step, so that no drone is ordered to run what is not signed yet.
    ASSIGN_OR_RETURN(Json plan, AskForPlan(session, files, options, Json(), /*without_drones=*/true));
    return CarryOut(session, plan["hash"].text(), options.allow_breaking);
  }
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Json all = Json::Array();
  Table table({"PROFILE", "VERSION", "RESULT"});
  absl::Status failure;
  for (const ProfileFile& file : files) {
    Json stored;
    absl::StatusOr<std::string> result = ApplyOne(*api, file, options, stored);
    if (!result.ok()) {
      failure = Annotate(result.status(), file.name);
      break;
    }
    table.Add({file.profile.id, file.profile.version, *result});
    all.Add(Json::Object()
                .Set("id", Json::Text(file.profile.id))
                .Set("result", Json::Text(*result))
                .Set("profile", stored));
  }
  // What was applied before a failure is told, for it stays applied.
  if (session.json()) {
    session.PrintJson(Json::Object().Set("profiles", std::move(all)));
  } else if (!table.empty()) {
    table.Print(session.out, "");
  }
  return failure;
}

absl::Status Get(Session& session, const std::string& profile, const std::string& revision) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  std::string name = revision.empty() ? profile : absl::StrCat(profile, "@", revision);
  ASSIGN_OR_RETURN(Json answer, api->Get(ProfilePath(name)));
  if (session.json()) {
    session.PrintJson(answer);
  } else {
    std::string content = answer["content"].text();
    session.out << content << (content.empty() || content.back() != '\n' ? "\n" : "");
  }
  return absl::OkStatus();
}

absl::Status Diff(Session& session, const std::string& profile, const std::string& base, const std::string& target) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json answer,
                   api->Get(absl::StrCat(ProfilePath(profile), ":diff"), {{"base", base}, {"target", target}}));
  if (session.json()) {
    session.PrintJson(answer);
    return absl::OkStatus();
  }
  Table table({"FIELD", "BEFORE", "AFTER"});
  for (const Json& change : answer["changes"].items()) {
    table.Add({change["path"].text(), Shorten(change["before"].text(), 60), Shorten(change["after"].text(), 60)});
  }
  table.Print(session.out, "no difference");
  const std::string verdict = answer["compatibility"]["verdict"].text();
  if (!verdict.empty() && verdict != "unspecified") session.out << "\nrecords: " << verdict << "\n";
  for (const Json& change : answer["compatibility"]["changes"].items()) {
    session.out << "  " << change["field"].text() << " " << change["reason"].text() << " (" << change["verdict"].text()
                << ")\n";
  }
  return absl::OkStatus();
}

absl::Status PostVerb(Session& session, const std::string& profile, const std::string& verb, const Json& body) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json answer, api->Post(absl::StrCat(ProfilePath(profile), ":", verb), body));
  PrintProfile(session, answer);
  return absl::OkStatus();
}

absl::Status Delete(Session& session, const std::string& profile) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json answer, api->Delete(ProfilePath(profile)));
  if (session.json()) {
    session.PrintJson(answer);
  } else {
    session.out << "deleted " << profile << "; its revisions and records stay\n";
  }
  return absl::OkStatus();
}

absl::Status List(Session& session) {
  return PrintListing(session, {.path = "/api/profiles",
                                .query = {},
                                .size_param = "page_size",
                                .field = "profiles",
                                .header = {"PROFILE", "VERSION", "SCHEDULE", "UPDATED", "NAME"},
                                .row = ProfileRow,
                                .if_empty = "no profiles yet; add one with: chartly profile apply FILE"});
}

struct Options {
  std::string profile;
  std::string revision;
  std::string base;
  std::string target;
  std::string reason;
};

void AddApply(CLI::App& noun, Session& session) {
  auto options = std::make_shared<PlanOptions>();
  CLI::App* apply = AddVerb(noun, session, "apply", "Create profiles, or add a revision where the text changed",
                            [&session, options] { return Apply(session, *options); });
  CLI::Option* files = apply->add_option("FILE", options->paths, "Profile files; if any has a fault, none is applied");
  CLI::Option* plan =
      apply->add_option("--plan", options->hash, "Carry out this plan, which profile plan has made")->type_name("HASH");
  plan->excludes(files);
  apply->add_option("--channel", options->channel, "dev: it runs once it is promoted to prod, from now on")
      ->check(CLI::IsMember({"dev"}))
      ->type_name("CHANNEL")
      ->excludes(plan);
  apply->add_flag("--allow-breaking", options->allow_breaking, "Consent to what breaks the readers of the records");
}

void AddReaders(CLI::App& noun, Session& session, const std::shared_ptr<Options>& options) {
  AddVerb(noun, session, "list", "List profiles with their schedules", [&session] { return List(session); });
  CLI::App* get = AddVerb(noun, session, "get", "Print the text of a profile",
                          [&session, options] { return Get(session, options->profile, options->revision); });
  get->add_option("PROFILE", options->profile, "Id of the profile")->required();
  get->add_option("--revision", options->revision, "A version, sha256:..., dev, staging or prod; what runs without it")
      ->type_name("REVISION");
  CLI::App* diff =
      AddVerb(noun, session, "diff", "Show what differs between two revisions, field by field",
              [&session, options] { return Diff(session, options->profile, options->base, options->target); });
  diff->add_option("PROFILE", options->profile, "Id of the profile")->required();
  diff->add_option("--base", options->base, "The older side; the revision before the current without it")
      ->type_name("REVISION");
  diff->add_option("--target", options->target, "The newer side; the current revision without it")
      ->type_name("REVISION");
}

void AddWriters(CLI::App& noun, Session& session, const std::shared_ptr<Options>& options) {
  CLI::App* pause = AddVerb(noun, session, "pause", "Stop scheduled runs until it is resumed", [&session, options] {
    Json body = Json::Object();
    if (!options->reason.empty()) body.Set("pause_reason", Json::Text(options->reason));
    return PostVerb(session, options->profile, "pause", body);
  });
  pause->add_option("PROFILE", options->profile, "Id of the profile")->required();
  pause->add_option("--reason", options->reason, "Why, for the people who find it paused")->type_name("TEXT");
  AddVerb(noun, session, "resume", "Let scheduled runs go on",
          [&session, options] { return PostVerb(session, options->profile, "resume", Json::Object()); })
      ->add_option("PROFILE", options->profile, "Id of the profile")
      ->required();
  AddVerb(noun, session, "delete", "Take a profile out of use; its revisions and records stay",
          [&session, options] { return Delete(session, options->profile); })
      ->add_option("PROFILE", options->profile, "Id of the profile")
      ->required();
}

}  // namespace

void AddProfileCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("profile", "Write, check and apply profiles");
  noun.require_subcommand(1)->fallthrough();
  AddProfileValidate(noun, session);
  AddProfileTest(noun, session);
  AddProfileShadow(noun, session);
  AddProfileSuggest(noun, session);
  AddProfilePlan(noun, session);
  AddProfileChannels(noun, session);
  AddProfileSigning(noun, session);
  AddApply(noun, session);
  auto options = std::make_shared<Options>();
  AddReaders(noun, session, options);
  AddWriters(noun, session, options);
}

}  // namespace chartly::cli
