#include "control/coordinator/resource_name.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly::coordinator {
namespace {

constexpr size_t kMaxIdBytes = 128;

bool IsIdByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' || c == ':';
}

}  // namespace

absl::StatusOr<std::string> ParseName(absl::string_view name, absl::string_view collection) {
  absl::string_view id = name;
  bool valid = absl::ConsumePrefix(&id, collection) && absl::ConsumePrefix(&id, "/") && !id.empty() &&
               id.size() <= kMaxIdBytes && std::all_of(id.begin(), id.end(), IsIdByte);
  if (valid) return std::string(id);
  return Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID",
               absl::StrCat("name \"", name.substr(0, 2 * kMaxIdBytes), "\" must have the form ", collection, "/{id}"));
}

absl::StatusOr<size_t> PageSize(int32_t wanted, size_t standard, size_t most) {
  if (wanted < 0) {
    return Error(absl::StatusCode::kInvalidArgument, "PAGE_SIZE_INVALID",
                 absl::StrCat("page size is ", wanted, "; it must be 0 (the default, ", standard, ") or more"));
  }
  return wanted == 0 ? standard : std::min(static_cast<size_t>(wanted), most);
}

absl::StatusOr<int64_t> ParseRunToken(absl::string_view token) {
  if (token.empty()) return std::numeric_limits<int64_t>::max();
  int64_t sequence = 0;
  if (absl::SimpleHexAtoi(token, &sequence) && sequence > 0) return sequence;
  return Error(absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID",
               "page_token is not one that a page of runs ended with; leave it empty for the first page");
}

std::string MakeRunToken(int64_t sequence) { return absl::StrCat(absl::Hex(sequence)); }

}  // namespace chartly::coordinator
