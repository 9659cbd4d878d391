// chartly quota list
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"

namespace chartly::cli {
namespace {

// "10 in 1s"
std::string LimitOf(const Json& quota) {
  int64_t period_ms = 0;
  const bool known = absl::SimpleAtoi(quota["period_ms"].text(), &period_ms);
  return absl::StrCat(quota["requests"].text(), " in ",
                      known ? absl::FormatDuration(absl::Milliseconds(period_ms)) : "?");
}

std::vector<std::string> QuotaRow(const Json& quota) {
  return {quota["quota"].text(),
          LimitOf(quota),
          absl::StrCat(quota["share_percent"].text(), "%"),
          quota["waiting_drones"].text(),
          quota["turns"].text(),
          quota["throttled"].text(),
          ShortTime(quota["paused_until"].text())};
}

}  // namespace

void AddQuotaCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("quota", "See how often all drones together ask a source");
  noun.require_subcommand(1)->fallthrough();
  AddVerb(noun, session, "list", "List the quotas that drones share", [&session] {
    return PrintListing(session,
                        {.path = "/api/quotas",
                         .query = {},
                         .size_param = "page_size",
                         .field = "quotas",
                         .header = {"QUOTA", "LIMIT", "GIVEN", "WAITING", "TURNS", "THROTTLED", "PAUSED UNTIL"},
                         .row = QuotaRow,
                         .if_empty = "no quotas yet; limits.fleet_rate in a profile makes one"});
  });
}

}  // namespace chartly::cli
