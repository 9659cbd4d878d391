// The verb `list` of every noun: get all pages up to a limit, print them.
#ifndef CHARTLY_CLI_LISTING_H_
#define CHARTLY_CLI_LISTING_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/session.h"

namespace chartly::cli {

struct Listing {
  std::string path;                 // /api/runs
  Query query;                      // filters; empty ones are left out
  std::string size_param;           // name of the parameter for the size of a page
  std::string field;                // of the answer, also of the JSON that is printed
  int64_t page_max = 1000;          // of the server
  int64_t limit = 0;                // entries at most; 0 for all
  std::vector<std::string> header;  // of the table
  std::function<std::vector<std::string>(const Json& entry)> row;
  std::string if_empty;                             // "no runs yet"
  std::function<void(const Json& answer)> on_page;  // sees each answer whole; may be empty
};

// Prints the entries; says on `err` if the limit left some out.
absl::Status PrintListing(Session& session, const Listing& listing);
// The entries alone; `more` says whether the limit left some out.
absl::StatusOr<std::vector<Json>> GetEntries(Session& session, const Listing& listing, bool& more);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_LISTING_H_
