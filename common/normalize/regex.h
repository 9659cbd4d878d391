// Regular expressions of profiles: RE2, so that time grows with the text alone, and bounded in memory. Internal to
// this folder.
#ifndef CHARTLY_COMMON_NORMALIZE_REGEX_H_
#define CHARTLY_COMMON_NORMALIZE_REGEX_H_

#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly {

// InvalidArgument (REGEX_INVALID) if the pattern does not parse or is larger than 1 KiB.
absl::StatusOr<std::shared_ptr<const re2::RE2>> CompileRegex(absl::string_view pattern);

// RE2's own view of text, whichever type this release has for it.
inline re2::StringPiece Piece(absl::string_view text) { return re2::StringPiece(text.data(), text.size()); }

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_REGEX_H_
