// Text of a source in an error message: in quotes, cut at 64 bytes, control characters escaped.
#ifndef CHARTLY_COMMON_VALUE_QUOTE_TEXT_H_
#define CHARTLY_COMMON_VALUE_QUOTE_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

std::string QuoteText(absl::string_view text);

}  // namespace chartly

#endif  // CHARTLY_COMMON_VALUE_QUOTE_TEXT_H_
