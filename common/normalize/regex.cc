#include "common/normalize/regex.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr size_t kMaxPatternBytes = 1024;
constexpr int64_t kMaxPatternMemory = int64_t{1} << 20;

absl::Status Invalid(absl::string_view why) { return Error(absl::StatusCode::kInvalidArgument, "REGEX_INVALID", why); }

}  // namespace

absl::StatusOr<std::shared_ptr<const re2::RE2>> CompileRegex(absl::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    return Invalid(absl::StrCat("the regular expression has ", pattern.size(), " bytes; at most ", kMaxPatternBytes,
                                " are allowed"));
  }
  re2::RE2::Options options;
  options.set_max_mem(kMaxPatternMemory);
  options.set_log_errors(false);
  auto regex = std::make_shared<const re2::RE2>(Piece(pattern), options);
  if (!regex->ok()) {
    return Invalid(
        absl::StrCat("the regular expression is not valid: ", regex->error(), "; the syntax is that of RE2"));
  }
  return regex;
}

}  // namespace chartly
