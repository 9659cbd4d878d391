// Whether two texts of a profile fetch the same: only then can one be tried over what the other fetched. Pure.
#ifndef CHARTLY_COMMON_PROFILE_FETCH_DIFFERENCE_H_
#define CHARTLY_COMMON_PROFILE_FETCH_DIFFERENCE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

// The first field of the source that decides what is fetched and is not written the same in both; empty if there is
// none. How payloads are read (format, shape, records, charset, namespaces, csv, unpivot) may differ. Requires: both
// parse.
std::string FetchDifference(absl::string_view running, absl::string_view tried);

// The same for two texts with equal digests, of which each may read what the other fetched, whenever that was: how the
// source is signed in to, how pages are found, and which part of it is asked for may differ, too. 64 hex digits.
// Requires: it parses.
std::string SourceDigest(absl::string_view yaml);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_FETCH_DIFFERENCE_H_
