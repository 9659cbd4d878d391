// The line through two columns, as columns.
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/correlation.h"
#include "control/reporter/step_runner.h"

namespace chartly::reporter {
namespace {

Value FloatOrNull(double number) { return std::isfinite(number) ? Value::Float(number) : Value(); }

}  // namespace

absl::Status RunRegress(const RegressStep& step, Table& table) {
  ASSIGN_OR_RETURN(const Column* y, table.Require(step.y));
  ASSIGN_OR_RETURN(const Column* x, table.Require(step.x));
  NumberColumn xs, ys;
  for (size_t row = 0; row < table.rows; ++row) {
    Value a = x->Get(row), b = y->Get(row);
    if (!a.is_number() || !b.is_number()) continue;
    xs.Add(a);
    ys.Add(b);
  }
  std::optional<Line> line = FitLine(xs, ys);
  ValueColumn fitted, residual;
  for (size_t row = 0; row < table.rows; ++row) {
    Value a = x->Get(row), b = y->Get(row);
    bool on_line = line && a.is_number();
    fitted.Add(on_line ? FloatOrNull(line->At(a.ToDouble())) : Value());
    residual.Add(on_line && b.is_number() ? FloatOrNull(line->Residual(a.ToDouble(), b.ToDouble())) : Value());
  }
  std::string name = y->name;
  table.Put(Column::Measure(absl::StrCat(name, ".fitted"), std::move(fitted)));
  table.Put(Column::Measure(absl::StrCat(name, ".residual"), std::move(residual)));
  return absl::OkStatus();
}

}  // namespace chartly::reporter
