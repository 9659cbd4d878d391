// chartly capture list
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"

namespace chartly::cli {
namespace {

std::vector<std::string> CaptureRow(const Json& capture) {
  return {capture["profile_id"].text(),
          capture["drone_id"].text(),
          std::to_string(capture["fetches"].integer()),
          FormatBytes(capture["bytes"].integer()),
          ShortTime(capture["oldest_fetch_time"].text()),
          ShortTime(capture["newest_fetch_time"].text())};
}

}  // namespace

void AddCaptureCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("capture", "See which payloads drones keep as they were fetched");
  noun.require_subcommand(1)->fallthrough();
  auto profile = std::make_shared<std::string>();
  AddVerb(noun, session, "list", "List what is kept, by profile and drone", [&session, profile] {
    return PrintListing(session,
                        {.path = "/api/captures",
                         .query = {{"profile_id", *profile}},
                         .size_param = "page_size",
                         .field = "captures",
                         .header = {"PROFILE", "DRONE", "FETCHES", "SIZE", "OLDEST", "NEWEST"},
                         .row = CaptureRow,
                         .if_empty = "nothing is kept; capture: in a profile says how much, and for how long"});
  })->add_option("PROFILE", *profile, "Only of this profile");
}

}  // namespace chartly::cli
