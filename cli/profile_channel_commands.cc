// chartly profile promote | rollback | channels | history
#include "absl/strings/str_cat.h"
#include "cli/listing.h"
#include "cli/profile_path.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr size_t kShownHash = 15;  // sha256: and eight digits
constexpr int kWidth = 50;

struct ChannelOptions {
  std::string profile;
  std::string channel;
  std::string revision;
  std::string reason;
  bool allow_breaking = false;
};

void PrintChannels(Session& session, const Json& channels) {
  if (session.json()) return session.PrintJson(channels);
  Table table({"CHANNEL", "VERSION", "REVISION", "SINCE", "BY", "REASON"});
  for (const Json& pointer : channels["pointers"].items()) {
    table.Add({pointer["channel"].text(), pointer["version"].text(), pointer["revision"].text().substr(0, kShownHash),
               ShortTime(pointer["move_time"].text()), pointer["actor"].text(),
               Shorten(pointer["reason"].text(), kWidth)});
  }
  table.Print(session.out, "no channel has a revision yet");
  if (!channels["in_use"].boolean()) session.out << "it uses no channels: what is applied runs at once\n";
}

absl::Status Show(Session& session, const ChannelOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json channels, api->Get(absl::StrCat(ProfilePath(options.profile), "/channels")));
  PrintChannels(session, channels);
  return absl::OkStatus();
}

absl::Status Move(Session& session, const ChannelOptions& options, const std::string& verb) {
  Json body = Json::Object();
  body.Set("channel", Json::Text(options.channel));
  if (!options.revision.empty()) body.Set("revision", Json::Text(options.revision));
  if (!options.reason.empty()) body.Set("reason", Json::Text(options.reason));
  if (options.allow_breaking) body.Set("allow_breaking", Json::Boolean(true));
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json channels, api->Post(absl::StrCat(ProfilePath(options.profile), ":", verb), body));
  PrintChannels(session, channels);
  return absl::OkStatus();
}

std::vector<std::string> MoveRow(const Json& move) {
  const std::string to = move["to_version"].text();
  return {ShortTime(move["move_time"].text()),
          move["channel"].text(),
          move["kind"].text(),
          move["from_version"].text(),
          to.empty() ? "-" : absl::StrCat(to, " ", move["to_revision"].text().substr(0, kShownHash)),
          move["actor"].text(),
          Shorten(move["reason"].text(), kWidth)};
}

absl::Status History(Session& session, const ChannelOptions& options) {
  return PrintListing(session, {.path = absl::StrCat(ProfilePath(options.profile), "/moves"),
                                .query = {},
                                .size_param = "page_size",
                                .field = "moves",
                                .header = {"TIME", "CHANNEL", "HOW", "FROM", "TO", "BY", "REASON"},
                                .row = MoveRow,
                                .if_empty = "no channel of it moved yet",
                                .on_page = nullptr});
}

}  // namespace

void AddProfileChannels(CLI::App& noun, Session& session) {
  auto options = std::make_shared<ChannelOptions>();
  auto add_profile = [options](CLI::App* verb) {
    verb->add_option("PROFILE", options->profile, "Id of the profile")->required();
  };
  CLI::App* promote = AddVerb(noun, session, "promote", "Move what dev has on to staging, or what staging has to prod",
                              [&session, options] { return Move(session, *options, "promote"); });
  add_profile(promote);
  promote->add_option("--to", options->channel, "staging or prod")
      ->check(CLI::IsMember({"staging", "prod"}))
      ->type_name("CHANNEL")
      ->required();
  promote->add_option("--revision", options->revision, "Only if the channel before has this version or sha256:...")
      ->type_name("REVISION");
  promote->add_option("--reason", options->reason, "Why, for the history")->type_name("TEXT");
  promote->add_flag("--allow-breaking", options->allow_breaking, "Consent to what breaks the readers of the records");
  CLI::App* rollback = AddVerb(noun, session, "rollback", "Point a channel back at the revision that it had before",
                               [&session, options] {
                                 if (options->channel.empty()) options->channel = "prod";
                                 return Move(session, *options, "rollBack");
                               });
  add_profile(rollback);
  rollback->add_option("--channel", options->channel, "dev, staging or prod; prod without it")
      ->check(CLI::IsMember({"dev", "staging", "prod"}))
      ->type_name("CHANNEL");
  rollback->add_option("--to", options->revision, "Version or sha256:... to go back to; the one before without it")
      ->type_name("REVISION");
  rollback->add_option("--reason", options->reason, "Why, for the history")->type_name("TEXT")->required();
  add_profile(AddVerb(noun, session, "channels", "Show what dev, staging and prod point to",
                      [&session, options] { return Show(session, *options); }));
  add_profile(AddVerb(noun, session, "history", "Show every move of the channels, newest first",
                      [&session, options] { return History(session, *options); }));
}

}  // namespace chartly::cli
