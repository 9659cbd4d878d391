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

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_FETCH_DIFFERENCE_H_
