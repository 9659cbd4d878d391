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
  // Replaces the cell by the result. A text result may be a view of the input's text, of the scratch, or of this
  // function. An error names the text. Requires: the cell is not null, or takes_null().
  virtual absl::Status Apply(Cell& cell, Scratch& scratch) const = 0;
  // Null passes through every function but those that stand in for it.
  virtual bool takes_null() const { return false; }
};

using FunctionPtr = std::unique_ptr<const Function>;

struct FunctionSpec {
  std::string name;
  size_t min_arguments;
  size_t max_arguments;
  std::string help;  // begins with the call: strip_prefix X
  absl::StatusOr<FunctionPtr> (*make)(const std::vector<std::string>& arguments);
};

// Functions on text, those that make typed values, those on numbers, and those on dates and times.
std::vector<FunctionSpec> TextFunctions();
std::vector<FunctionSpec> ValueFunctions();
std::vector<FunctionSpec> NumberFunctions();
std::vector<FunctionSpec> TimeFunctions();

// FUNCTION_ARGUMENTS_INVALID, for `make`; and VALUE_INVALID with the text in quotes, for Apply.
absl::Status WrongArguments(absl::string_view message);
absl::Status RefusedValue(absl::string_view text, absl::string_view why);

// InvalidArgument: FUNCTION_UNKNOWN with the nearest name, or FUNCTION_ARGUMENTS_INVALID with how to call it.
absl::StatusOr<FunctionPtr> CompileFunction(const FunctionCall& call);

// A Function of a callable (Cell&, Scratch&) -> absl::Status.
template <bool kTakesNull = false, typename Body>
FunctionPtr MakeFunction(Body body) {
  class BodyFunction : public Function {
   public:
    explicit BodyFunction(Body function_body) : body_(std::move(function_body)) {}
    absl::Status Apply(Cell& cell, Scratch& scratch) const override { return body_(cell, scratch); }
    bool takes_null() const override { return kTakesNull; }

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
