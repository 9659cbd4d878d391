// The grammar of JSON numbers. Pure, thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_JSON_NUMBER_H_
#define CHARTLY_CONTROL_GATEWAY_JSON_NUMBER_H_

#include "absl/strings/string_view.h"

namespace chartly::gateway {

// Whether `text` is one JSON number: -12.50, 6e23; not +1, .5, 01, NaN.
bool IsJsonNumber(absl::string_view text);

// Whether that number has neither point nor exponent. Requires: IsJsonNumber(text).
bool IsWholeNumber(absl::string_view text);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_JSON_NUMBER_H_
