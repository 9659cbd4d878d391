// The functions of `using:`. Each takes one value and gives one; null passes through all of them. Pure and
// deterministic: nothing depends on the machine, its language or the time. Internal to this folder.
#ifndef CHARTLY_COMMON_NORMALIZE_FUNCTION_H_
#define CHARTLY_COMMON_NORMALIZE_FUNCTION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/normalize/cell.h"
#include "common/profile/profile.h"

namespace chartly {

// A function with its arguments, ready to run. Thread-safe.
class Function {
 public:
  virtual ~Function() = default;
  // Replaces the cell by the result. A text result may be a view of the input's text or of the scratch. An error
  // names the text. Requires: the cell is not null.
  virtual absl::Status Apply(Cell& cell, Scratch& scratch) const = 0;
};

using FunctionPtr = std::unique_ptr<const Function>;

struct FunctionSpec {
  std::string name;
  size_t min_arguments;
  size_t max_arguments;
  std::string help;  // begins with the call: strip_prefix X
  absl::StatusOr<FunctionPtr> (*make)(const std::vector<std::string>& arguments);
};

// Functions on text, and those that make or change typed values.
std::vector<FunctionSpec> TextFunctions();
std::vector<FunctionSpec> ValueFunctions();

// InvalidArgument: FUNCTION_UNKNOWN with the nearest name, or FUNCTION_ARGUMENTS_INVALID with how to call it.
absl::StatusOr<FunctionPtr> CompileFunction(const FunctionCall& call);

// A Function of a callable (Cell&, Scratch&) -> absl::Status.
template <typename Body>
FunctionPtr MakeFunction(Body body) {
  class BodyFunction : public Function {
   public:
    explicit BodyFunction(Body function_body) : body_(std::move(function_body)) {}
    absl::Status Apply(Cell& cell, Scratch& scratch) const override { return body_(cell, scratch); }

   private:
    Body body_;
  };
  return std::make_unique<const BodyFunction>(std::move(body));
}

// A Function of a callable (absl::string_view, Scratch&, Cell&) -> void that works on text.
template <typename Body>
FunctionPtr MakeTextFunction(Body body) {
  return MakeFunction([body = std::move(body)](Cell& cell, Scratch& scratch) {
    body(CellText(cell, scratch), scratch, cell);
    return absl::OkStatus();
  });
}

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_FUNCTION_H_
