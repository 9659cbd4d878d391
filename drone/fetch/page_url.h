// Addresses of pages, and addresses fit to be shown. Pure, thread-safe.
#ifndef CHARTLY_DRONE_FETCH_PAGE_URL_H_
#define CHARTLY_DRONE_FETCH_PAGE_URL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/profile/profile.h"

namespace chartly::drone {

// source.url with source.query and, for pagination by page, the number and size of the page: in place of {page} if the
// url holds that, else as a query parameter. A parameter given twice counts as the later one, in this order: url,
// query, pagination. URL_INVALID if the url is no http address.
absl::StatusOr<std::string> PageUrl(const SourceConfig& source, int64_t page);

// The address without user, password and the values of parameters that carry keys (api_key, token, ...). What is no
// address comes back as "[redacted]".
std::string RedactUrl(absl::string_view url);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_PAGE_URL_H_
