#include "common/normalize/function.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/normalize/normalizer.h"
#include "common/profile/nearest.h"
#include "common/status/status.h"
#include "common/value/quote_text.h"

namespace chartly {
namespace {

const std::map<std::string, FunctionSpec>& Functions() {
  static const auto* functions = [] {
    auto* all = new std::map<std::string, FunctionSpec>;
    for (auto& specs : {TextFunctions(), ValueFunctions(), NumberFunctions(), TimeFunctions()}) {
      for (const FunctionSpec& spec : specs) all->emplace(spec.name, spec);
    }
    return all;
  }();
  return *functions;
}

absl::Status Unknown(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, spec] : Functions()) names.push_back(known);
  return Error(absl::StatusCode::kInvalidArgument, "FUNCTION_UNKNOWN",
               absl::StrCat("unknown function \"", name.substr(0, 64), "\"; did you mean \"", NearestName(name, names),
                            "\"? Known: ", absl::StrJoin(names, ", ")));
}

}  // namespace

absl::Status WrongArguments(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "FUNCTION_ARGUMENTS_INVALID", message);
}

absl::Status RefusedValue(absl::string_view text, absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "VALUE_INVALID", absl::StrCat(QuoteText(text), " ", why));
}

absl::StatusOr<FunctionPtr> CompileFunction(const FunctionCall& call) {
  auto found = Functions().find(call.name);
  if (found == Functions().end()) return Unknown(call.name);
  const FunctionSpec& spec = found->second;
  size_t given = call.arguments.size();
  if (given < spec.min_arguments || given > spec.max_arguments) {
    return Error(absl::StatusCode::kInvalidArgument, "FUNCTION_ARGUMENTS_INVALID",
                 absl::StrCat(call.name, " was given ", given, given == 1 ? " argument" : " arguments",
                              "; how it is called: ", spec.help));
  }
  absl::StatusOr<FunctionPtr> function = spec.make(call.arguments);
  if (function.ok()) return function;
  return Error(absl::StatusCode::kInvalidArgument, "FUNCTION_ARGUMENTS_INVALID",
               absl::StrCat(call.name, ": ", function.status().message(), "; how it is called: ", spec.help));
}

std::vector<std::pair<std::string, std::string>> FunctionTable() {
  std::vector<std::pair<std::string, std::string>> table;
  for (const auto& [name, spec] : Functions()) table.emplace_back(name, spec.help);
  return table;
}

}  // namespace chartly
