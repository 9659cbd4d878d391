#include "cli/lint/quantity.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace chartly::cli {

std::optional<double> ParseQuantity(absl::string_view text) {
  static constexpr std::pair<absl::string_view, double> kUnits[] = {{"Ki", 1024.0},
                                                                    {"Mi", 1048576.0},
                                                                    {"Gi", 1073741824.0},
                                                                    {"Ti", 1099511627776.0},
                                                                    {"Pi", 1125899906842624.0},
                                                                    {"n", 1e-9},
                                                                    {"u", 1e-6},
                                                                    {"m", 1e-3},
                                                                    {"k", 1e3},
                                                                    {"M", 1e6},
                                                                    {"G", 1e9},
                                                                    {"T", 1e12},
                                                                    {"P", 1e15}};
  double unit = 1;
  for (const auto& [suffix, factor] : kUnits) {
    if (absl::ConsumeSuffix(&text, suffix)) {
      unit = factor;
      break;
    }
  }
  double number = 0;
  // SimpleAtod would take blanks around the digits.
  if (text.empty() || !absl::ascii_isdigit(text.front()) || !absl::ascii_isdigit(text.back())) return std::nullopt;
  if (!absl::SimpleAtod(text, &number) || number > 1e300) return std::nullopt;
  return number * unit;
}

}  // namespace chartly::cli
