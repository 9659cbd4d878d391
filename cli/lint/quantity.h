// Amounts as Kubernetes writes them. Pure.
#ifndef CHARTLY_CLI_LINT_QUANTITY_H_
#define CHARTLY_CLI_LINT_QUANTITY_H_

#include <optional>

#include "absl/strings/string_view.h"

namespace chartly::cli {

// "500m" is 0.5, "1Gi" is 2^30, "1G" is 10^9, "1e3" is 1000. Nothing if it is no amount.
std::optional<double> ParseQuantity(absl::string_view text);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_LINT_QUANTITY_H_
