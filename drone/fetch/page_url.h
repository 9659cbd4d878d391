// Addresses of pages, and addresses fit to be shown. Pure, thread-safe.
#ifndef CHARTLY_DRONE_FETCH_PAGE_URL_H_
#define CHARTLY_DRONE_FETCH_PAGE_URL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/profile/profile.h"

namespace chartly::drone {

// source.url with source.query and, for pagination by page, offset or cursor, where the page begins and the size of a
// page. `position` is the number of the page or row, or the cursor; empty for the first page by cursor. It goes in
// place of {page}, {offset} or {cursor} if the url holds that, else, unless it is empty or source.body holds it, into a
// query parameter. A parameter given twice counts as the later one, in this order: url, query, pagination. URL_INVALID
// if the url is no http address.
absl::StatusOr<std::string> PageUrl(const SourceConfig& source, absl::string_view position);
// source.body with the position in place of {page} or {offset}.
std::string PageBodyText(const SourceConfig& source, absl::string_view position);

// The address with one more query parameter, or with another value of it. URL_INVALID as above.
absl::StatusOr<std::string> WithParameter(absl::string_view url, absl::string_view name, absl::string_view value);

// The address without user, password and the values of parameters that carry keys (api_key, token, ...). What is no
// address comes back as "[redacted]".
std::string RedactUrl(absl::string_view url);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_PAGE_URL_H_
