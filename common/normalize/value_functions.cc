// Functions that make values of a type.
#include "common/normalize/function.h"

namespace chartly {
namespace {

template <ValueType kType>
absl::StatusOr<FunctionPtr> MakeCoercion(const std::vector<std::string>&) {
  return MakeFunction([](Cell& cell, Scratch& scratch) { return CoerceCell(kType, cell, scratch); });
}

}  // namespace

std::vector<FunctionSpec> ValueFunctions() {
  return {
      {"to_integer", 0, 0, "`to_integer`: a whole number with all its digits, at most 38; 5.0 is one and 5.5 is not",
       MakeCoercion<ValueType::kInteger>},
      {"to_decimal", 0, 0, "`to_decimal`: a number with all its digits, at most 38", MakeCoercion<ValueType::kDecimal>},
      {"to_float", 0, 0, "`to_float`: a double, rounded to the nearest", MakeCoercion<ValueType::kFloat>},
      {"to_text", 0, 0, "`to_text`: text; a number with the digits of the source", MakeCoercion<ValueType::kText>},
      {"to_bool", 0, 0, "`to_bool`: true or false, from true false yes no 1 0 in any case",
       MakeCoercion<ValueType::kBoolean>},
  };
}

}  // namespace chartly
