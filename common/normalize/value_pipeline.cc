#include "common/normalize/value_pipeline.h"

#include <utility>

#include "common/normalize/function.h"
#include "common/profile/mapping_reader.h"
#include "common/status/status.h"

namespace chartly {

ValuePipeline::ValuePipeline() = default;
ValuePipeline::~ValuePipeline() = default;
ValuePipeline::ValuePipeline(ValuePipeline&&) noexcept = default;
ValuePipeline& ValuePipeline::operator=(ValuePipeline&&) noexcept = default;

absl::StatusOr<ValuePipeline> ValuePipeline::Compile(const std::vector<std::string>& calls) {
  ValuePipeline pipeline;
  for (const std::string& text : calls) {
    ASSIGN_OR_RETURN(FunctionCall call, ParseFunctionCall(text));
    ASSIGN_OR_RETURN(FunctionPtr function, CompileFunction(call));
    pipeline.functions_.push_back(std::move(function));
  }
  return pipeline;
}

absl::StatusOr<Value> ValuePipeline::Apply(const Value& value) const {
  Scratch scratch;
  Cell cell;
  if (value.type() == ValueType::kText) {
    cell.SetText(value.text());
  } else if (!value.is_null()) {
    cell.SetTyped(value);
  }
  for (const std::unique_ptr<const Function>& function : functions_) {
    if (cell.is_null() && !function->takes_null()) continue;
    RETURN_IF_ERROR(function->Apply(cell, scratch));
  }
  switch (cell.kind) {
    case Cell::Kind::kNull:
      return Value();
    case Cell::Kind::kText:
      return Value::Text(cell.text);
    case Cell::Kind::kNumber:
      return ParseNumber(cell.text);
    case Cell::Kind::kTyped:
      return cell.value;
  }
  return Value();
}

}  // namespace chartly
