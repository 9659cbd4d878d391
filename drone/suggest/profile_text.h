// Writes a suggestion down as YAML. Internal to this folder. Pure, thread-safe.
#ifndef CHARTLY_DRONE_SUGGEST_PROFILE_TEXT_H_
#define CHARTLY_DRONE_SUGGEST_PROFILE_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drone/suggest/suggest.h"

namespace chartly::drone {

struct ProfileText {
  std::string id;
  SourceType type = SourceType::kHttpRest;
  std::string address;
  SourceConfig source;  // format, shape, records, csv
  absl::Duration interval = absl::Hours(24);
  int64_t payload_bytes = 0;
  int64_t rows = 0;
};

std::string WriteProfile(const ProfileText& text, const Suggestion& suggestion);

// The text as a YAML scalar: plain where that means the same, else in double quotes.
std::string YamlScalar(absl::string_view text);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SUGGEST_PROFILE_TEXT_H_
