#include "control/reporter/statistics.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/caveats.h"
#include "control/reporter/correlation.h"
#include "control/reporter/inference.h"
#include "control/reporter/row_order.h"
#include "control/reporter/step_runner.h"

namespace chartly::reporter {
namespace {

constexpr int64_t kFewPairs = 10;
// Two columns of doubles, kept twice for the first pair, the sort of one, and two of ranks; and what Kendall sorts.
constexpr int64_t kBytesPerPair = 4 * 8 + 44 + 2 * 8;
constexpr int64_t kKendallBytes = 6 * 8;
// Pairs of columns times rows that one report may take.
constexpr int64_t kMaxWork = 400'000'000;
constexpr char kInference[] =
    "p-values are two-sided. Pearson, partial, slope: Student's t; Spearman: Student's t; Kendall: normal, variance "
    "with "
    "ties. Intervals by Fisher's z: Pearson and partial with variance 1/(n-3-controls), Spearman (1+rho^2/2)/(n-3), "
    "Kendall 0.437/(n-4); slope by t.";

using Columns = std::vector<const Column*>;

struct Pairs {
  NumberColumn x, y;
  std::vector<NumberColumn> controls;
};

bool AddIfNumbers(const Column& x, const Column& y, size_t row_x, size_t row_y, const Columns& controls, Pairs& pairs) {
  bool plain = controls.empty() && !x.is_key && !y.is_key && x.values.IsFloat(row_x) && y.values.IsFloat(row_y);
  if (plain) {
    pairs.x.AddDouble(x.values.Double(row_x));
    pairs.y.AddDouble(y.values.Double(row_y));
    return true;
  }
  Value a = x.Get(row_x), b = y.Get(row_y);
  if (!a.is_number() || !b.is_number()) return false;
  std::vector<Value> others;
  for (const Column* control : controls) {
    others.push_back(control->Get(row_x));
    if (!others.back().is_number()) return false;
  }
  pairs.x.Add(a);
  pairs.y.Add(b);
  for (size_t c = 0; c < controls.size(); ++c) pairs.controls[c].Add(others[c]);
  return true;
}

// Whether there is something that is no number.
bool IsOdd(const Column& column, size_t row) {
  if (!column.is_key && column.values.IsFloat(row)) return false;
  Value value = column.Get(row);
  return !value.is_null() && !value.is_number();
}

Pairs PairsOf(const Column& x, const Column& y, size_t rows, const Columns& controls = {}) {
  Pairs pairs;
  pairs.controls.resize(controls.size());
  for (size_t row = 0; row < rows; ++row) AddIfNumbers(x, y, row, row, controls, pairs);
  return pairs;
}

void SetInterval(const std::optional<Interval>& interval, v1::Coefficient& out) {
  if (!interval) return;
  out.set_low(interval->first);
  out.set_high(interval->second);
}

void SetPearson(std::optional<double> r, int64_t n, int64_t controls, double confidence, v1::Coefficient& out) {
  if (!r) return;
  out.set_value(*r);
  SetInterval(PearsonInterval(*r, n, confidence, controls), out);
  if (std::optional<double> p = PearsonP(*r, n, controls)) out.set_p_value(*p);
}

void SetKendall(const Pairs& pairs, double confidence, v1::Coefficient& out) {
  std::optional<Kendall> kendall = KendallTauB(pairs.x, pairs.y);
  if (!kendall) return;
  out.set_value(kendall->tau);
  SetInterval(KendallInterval(kendall->tau, static_cast<int64_t>(pairs.x.size()), confidence), out);
  out.set_p_value(NormalP(kendall->z));
}

void Correlate(const StatisticsPlan& plan, const Pairs& pairs, v1::Correlation& out) {
  int64_t n = static_cast<int64_t>(pairs.x.size());
  out.set_n(n);
  SetPearson(Pearson(pairs.x, pairs.y), n, 0, plan.confidence, *out.mutable_pearson());
  v1::Coefficient& spearman = *out.mutable_spearman();
  if (std::optional<double> rho = Spearman(pairs.x, pairs.y)) {
    spearman.set_value(*rho);
    SetInterval(SpearmanInterval(*rho, n, plan.confidence), spearman);
    if (std::optional<double> p = PearsonP(*rho, n)) spearman.set_p_value(*p);
  }
  if (n <= kKendallRows || plan.method == Method::kKendall) SetKendall(pairs, plan.confidence, *out.mutable_kendall());
}

class Statistics {
 public:
  Statistics(const ReportPlan& plan, const Table& table, v1::RunReportResponse& answer)
      : plan_(plan.statistics), table_(table), answer_(answer) {}

  absl::Status Choose(bool want_correlation) {
    for (const std::string& name : plan_.measures) {
      ASSIGN_OR_RETURN(const Column* column, table_.Require(name));
      measures_.push_back(column);
    }
    for (const std::string& name : plan_.controls) {
      ASSIGN_OR_RETURN(const Column* column, table_.Require(name));
      controls_.push_back(column);
    }
    for (const Column& column : table_.columns) {
      bool is_control = std::find(controls_.begin(), controls_.end(), &column) != controls_.end();
      if (plan_.measures.empty() && !column.is_key && !is_control) measures_.push_back(&column);
    }
    if (measures_.size() < 2 && want_correlation) {
      return Error(absl::StatusCode::kInvalidArgument, "REPORT_INPUT_MISSING",
                   "a correlation needs two measures; name another, or another input");
    }
    if (measures_.size() > kMaxCorrelated) {
      answer_.add_warnings(absl::StrCat("only the first ", kMaxCorrelated, " of ", measures_.size(),
                                        " measures are correlated; name others in output.measures"));
      measures_.resize(kMaxCorrelated);
    }
    return absl::OkStatus();
  }

  // Past the bound a table is content with its first pair, and a correlation is refused.
  absl::Status Bound(bool want_correlation) {
    int64_t rows = static_cast<int64_t>(table_.rows);
    int64_t columns = static_cast<int64_t>(measures_.size());
    int64_t pairs = columns * (columns - 1) / 2 + 2 * plan_.lags;
    if (columns < 3 || rows == 0 || pairs <= kMaxWork / rows) return absl::OkStatus();
    if (want_correlation) {
      return Error(absl::StatusCode::kResourceExhausted, "REPORT_TOO_LARGE",
                   absl::StrCat(pairs, " pairs of measures over ", rows,
                                " rows are more than one report may take; name "
                                "fewer in output.measures"));
    }
    answer_.add_warnings("only the first two measures are correlated: all pairs over so many rows take too long");
    measures_.resize(2);
    return absl::OkStatus();
  }

  absl::Status Fill() {
    if (measures_.size() < 2) return absl::OkStatus();
    answer_.set_inference(kInference);
    for (size_t i = 0; i < measures_.size(); ++i) {
      for (size_t j = i + 1; j < measures_.size(); ++j) FillPair(*measures_[i], *measures_[j]);
    }
    FillFirst();
    return plan_.lags > 0 ? FillLags() : absl::OkStatus();
  }

  bool empty() const { return measures_.size() < 2; }

 private:
  void FillPair(const Column& x, const Column& y) {
    v1::Correlation& out = *answer_.add_correlations();
    out.set_x(x.name);
    out.set_y(y.name);
    Pairs numbers = PairsOf(x, y, table_.rows);
    Correlate(plan_, numbers, out);
    if (answer_.correlations_size() == 1) first_ = std::move(numbers);
    if (controls_.empty()) return;
    Pairs pairs = PairsOf(x, y, table_.rows, controls_);
    SetPearson(PartialPearson(pairs.x, pairs.y, pairs.controls), static_cast<int64_t>(pairs.x.size()),
               static_cast<int64_t>(controls_.size()), plan_.confidence, *out.mutable_partial());
  }

  // The first pair is what most questions are about.
  void FillFirst() {
    const v1::Correlation& first = answer_.correlations(0);
    const Column& x = *measures_[0];
    const Column& y = *measures_[1];
    answer_.set_n(first.n());
    if (first.pearson().has_value()) answer_.set_pearson(first.pearson().value());
    if (first.spearman().has_value()) answer_.set_spearman(first.spearman().value());
    FillLine(first_);
    WarnOfPairs(first_);
    WarnOfTrend(table_, x, y, answer_);
    WarnOfAggregates(table_, measures_, answer_);
  }

  void FillLine(const Pairs& pairs) {
    std::optional<Line> line = FitLine(pairs.x, pairs.y);
    if (!line) return;
    int64_t n = answer_.n();
    v1::Regression& out = *answer_.mutable_regression();
    out.set_x(measures_[0]->name);
    out.set_y(measures_[1]->name);
    out.set_n(n);
    out.set_slope(line->slope);
    out.set_intercept(line->intercept);
    out.set_r_squared(line->r_squared);
    if (n < 3) return;
    out.set_residual_error(line->residual_error);
    if (auto interval = SlopeInterval(line->slope, line->slope_error, n, plan_.confidence)) {
      out.set_slope_low(interval->first);
      out.set_slope_high(interval->second);
    }
    if (auto p = SlopeP(line->slope, line->slope_error, n)) out.set_slope_p_value(*p);
  }

  // Why a coefficient is missing, or should not be trusted.
  void WarnOfPairs(const Pairs& pairs) {
    int64_t n = answer_.n();
    int64_t odd = 0;
    for (size_t row = 0; row < table_.rows; ++row)
      odd += IsOdd(*measures_[0], row) || IsOdd(*measures_[1], row) ? 1 : 0;
    if (odd > 0) answer_.add_warnings(absl::StrCat(odd, " joined rows have a measure that is no number"));
    if (n < 2) {
      answer_.add_warnings(
          absl::StrCat("pearson and spearman are undefined: they need at least 2 pairs, there are ", n));
      return;
    }
    const NumberColumn* columns[] = {&pairs.x, &pairs.y};
    for (size_t i = 0; i < 2; ++i) {
      if (!columns[i]->IsConstant()) continue;
      answer_.add_warnings(absl::StrCat("pearson and spearman are undefined: ", measures_[i]->name,
                                        " is the same in all ", n, " pairs"));
    }
    if (n < kFewPairs) answer_.add_warnings(absl::StrCat("only ", n, " pairs: the coefficients say little"));
  }

  absl::Status FillLags() {
    ASSIGN_OR_RETURN(const Column* by, table_.Require(plan_.order_by));
    std::vector<Column> series;
    for (const std::string& name : plan_.over) {
      ASSIGN_OR_RETURN(const Column* column, table_.Require(name));
      series.push_back(AsKey(*column));
    }
    std::vector<SortColumn> order;
    for (const Column& column : series) order.push_back({&column});
    order.push_back({by});
    RowList rows = OrderRows(table_.rows, order);
    auto same = [&](uint32_t a, uint32_t b) {
      return std::all_of(series.begin(), series.end(),
                         [&](const Column& column) { return column.codes[a] == column.codes[b]; });
    };
    for (int64_t lag = -plan_.lags; lag <= plan_.lags; ++lag) {
      Pairs pairs;
      for (int64_t i = std::max<int64_t>(0, -lag); i + std::max<int64_t>(0, lag) < static_cast<int64_t>(rows.size());
           ++i) {
        uint32_t row = rows[static_cast<size_t>(i)], later = rows[static_cast<size_t>(i + lag)];
        if (same(row, later)) AddIfNumbers(*measures_[0], *measures_[1], row, later, {}, pairs);
      }
      v1::Correlation& out = *answer_.add_correlations();
      out.set_x(measures_[0]->name);
      out.set_y(measures_[1]->name);
      out.set_lag(static_cast<int32_t>(lag));
      Correlate(plan_, pairs, out);
    }
    return absl::OkStatus();
  }

  const StatisticsPlan& plan_;
  const Table& table_;
  v1::RunReportResponse& answer_;
  Columns measures_;
  Columns controls_;
  Pairs first_;
};

}  // namespace

absl::Status FillStatistics(const ReportPlan& plan, const Table& table, Reservation& reservation,
                            v1::RunReportResponse& answer) {
  Statistics statistics(plan, table, answer);
  RETURN_IF_ERROR(statistics.Choose(plan.want_correlation));
  RETURN_IF_ERROR(statistics.Bound(plan.want_correlation));
  if (statistics.empty()) return absl::OkStatus();
  int64_t bytes = kBytesPerPair + static_cast<int64_t>(plan.statistics.controls.size()) * 24;
  if (plan.statistics.method == Method::kKendall || static_cast<int64_t>(table.rows) <= kKendallRows) {
    bytes += kKendallBytes;
  }
  RETURN_IF_ERROR(reservation.Grow(static_cast<int64_t>(table.rows) * bytes));
  return statistics.Fill();
}

}  // namespace chartly::reporter
