// Reads the `mapping:` of a profile, in both forms. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_MAPPING_READER_H_
#define CHARTLY_COMMON_PROFILE_MAPPING_READER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

void ReadMapping(const NodeAt& at, NodeReader& reader, std::vector<MappingEntry>& out);

// One function of a `using` list: words parted by blanks, a word with blanks in single or double quotes.
absl::StatusOr<FunctionCall> ParseFunctionCall(absl::string_view text);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_MAPPING_READER_H_
