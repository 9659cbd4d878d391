// Errors of the project: absl::Status with a machine-readable reason and details, carried as google.rpc.ErrorInfo.
//
// Make one with Error(); add where it happened with Annotate() on the way up (the reason stays); read it with
// Reason(). Only common/rpc turns it into a grpc::Status. All functions are thread-safe.
#ifndef CHARTLY_COMMON_STATUS_STATUS_H_
#define CHARTLY_COMMON_STATUS_STATUS_H_

#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly {

// The ErrorInfo domain of every reason here.
inline constexpr char kErrorDomain[] = "chartly";

using ErrorDetails = std::initializer_list<std::pair<absl::string_view, absl::string_view>>;

// A status with `reason` (UPPER_SNAKE, at most 63 characters) and details. Requires: code is not kOk.
[[nodiscard]] absl::Status Error(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                                 ErrorDetails details = {});

// The reason of `status`; empty if it has none.
std::string Reason(const absl::Status& status);

// The details of `status`; empty if it has none.
std::map<std::string, std::string> Details(const absl::Status& status);

// `status` with "context: " before its message; code, reason and details stay. OK stays OK.
[[nodiscard]] absl::Status Annotate(const absl::Status& status, absl::string_view context);

// The serialized google.rpc.ErrorInfo of `status`, or empty; and a status with it attached again.
std::string ErrorInfoBytes(const absl::Status& status);
void AttachErrorInfo(absl::Status& status, absl::string_view error_info_bytes);

}  // namespace chartly

#define CHARTLY_CONCAT_INNER(a, b) a##b
#define CHARTLY_CONCAT(a, b) CHARTLY_CONCAT_INNER(a, b)

// Returns from the function if the expression is not OK.
#define RETURN_IF_ERROR(expression)                                  \
  do {                                                               \
    absl::Status return_if_error_status = (expression);              \
    if (!return_if_error_status.ok()) return return_if_error_status; \
  } while (false)

// Declares or assigns `lhs` from a StatusOr, or returns its status.
#define ASSIGN_OR_RETURN(lhs, expression) \
  ASSIGN_OR_RETURN_IMPL(CHARTLY_CONCAT(assign_or_return_, __LINE__), lhs, expression)
#define ASSIGN_OR_RETURN_IMPL(result, lhs, expression) \
  auto result = (expression);                          \
  if (!result.ok()) return std::move(result).status(); \
  lhs = *std::move(result)

#endif  // CHARTLY_COMMON_STATUS_STATUS_H_
