#include "cli/listing.h"

#include <algorithm>

#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {

absl::StatusOr<std::vector<Json>> GetEntries(Session& session, const Listing& listing, bool& more) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Query query = listing.query;
  int64_t page = listing.limit == 0 ? listing.page_max : std::min(listing.limit, listing.page_max);
  query.emplace_back(listing.size_param, std::to_string(page));
  std::vector<Json> entries;
  auto take = [&](const Json& entry) {
    if (listing.limit > 0 && static_cast<int64_t>(entries.size()) >= listing.limit) return false;
    entries.push_back(entry);
    return true;
  };
  // One entry beyond the limit is never asked for when it ends with a page; then the token tells of more.
  auto full = [&] { return listing.limit > 0 && static_cast<int64_t>(entries.size()) >= listing.limit; };
  query.emplace_back("page_token", "");
  while (true) {
    ASSIGN_OR_RETURN(Json answer, api->Get(listing.path, query));
    if (listing.on_page) listing.on_page(answer);
    more = false;
    for (const Json& entry : answer[listing.field].items()) more = !take(entry) || more;
    query.back().second = answer["next_page_token"].text();
    bool at_end = query.back().second.empty();
    if (at_end || full()) {
      more = more || !at_end;
      return entries;
    }
  }
}

absl::Status PrintListing(Session& session, const Listing& listing) {
  bool more = false;
  ASSIGN_OR_RETURN(std::vector<Json> entries, GetEntries(session, listing, more));
  if (session.json()) {
    Json all = Json::Array();
    for (Json& entry : entries) all.Add(std::move(entry));
    session.PrintJson(Json::Object().Set(listing.field, std::move(all)));
  } else {
    Table table(listing.header);
    for (const Json& entry : entries) table.Add(listing.row(entry));
    table.Print(session.out, listing.if_empty);
  }
  if (more) session.err << "chartly: there are more; raise --limit (now " << listing.limit << ")\n";
  return absl::OkStatus();
}

}  // namespace chartly::cli
