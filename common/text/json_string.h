// Text inside JSON. Pure.
#ifndef CHARTLY_COMMON_TEXT_JSON_STRING_H_
#define CHARTLY_COMMON_TEXT_JSON_STRING_H_

#include <string>

#include "absl/strings/string_view.h"

namespace chartly {

// Appends `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD, so the result always is JSON.
void AppendJsonString(std::string& out, absl::string_view text);

}  // namespace chartly

#endif  // CHARTLY_COMMON_TEXT_JSON_STRING_H_
