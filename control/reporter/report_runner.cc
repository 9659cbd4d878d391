#include "control/reporter/report_runner.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/correlation.h"
#include "control/reporter/join.h"
#include "control/reporter/side_scanner.h"

namespace chartly::reporter {
namespace {

constexpr int64_t kFewPairs = 10;
// Two columns of doubles, the sort of one, and two of ranks.
constexpr int64_t kBytesPerPair = 2 * 8 + 16 + 2 * 8;

absl::StatusOr<SideScanner> ScanSide(const ReportSidePlan& plan, size_t side, Join& join, BatchSource& source) {
  SideScanner scanner(plan, side, join);
  absl::Status status = source.Scan(plan.profile_id, [&](absl::string_view batch, absl::string_view current) {
    return scanner.Take(batch, current);
  });
  // A wrong name explains a failure better than what it led to.
  RETURN_IF_ERROR(scanner.CheckNames());
  if (!status.ok()) return Annotate(status, absl::StrCat("inputs[", side, "] ", plan.profile_id));
  return scanner;
}

void FillSide(const ReportSidePlan& plan, const SideScanner& scanner, const JoinSide& joined,
              v1::RunReportResponse& answer) {
  v1::ReportSide& side = *answer.add_sides();
  side.set_profile_id(plan.profile_id);
  side.set_measure(plan.measure);
  side.set_records(scanner.records());
  side.set_null_measures(scanner.null_measures());
  side.set_unmatched(joined.unmatched);
  for (const std::string& example : joined.unmatched_examples) side.add_unmatched_examples(example);
  if (!scanner.saw_records()) {
    answer.add_warnings(absl::StrCat("profile ", plan.profile_id, " has no records"));
  } else if (scanner.records() == 0) {
    answer.add_warnings(absl::StrCat("no record of profile ", plan.profile_id, " passes the filter"));
  }
  if (joined.repeated_keys > 0) {
    answer.add_warnings(absl::StrCat(joined.repeated_keys, " keys occur more than once in ", plan.profile_id,
                                     "; each of their rows joins with every partner"));
  }
}

void FillRows(const ReportPlan& plan, const Join& join, int64_t bytes_max, v1::RunReportResponse& answer) {
  size_t width = plan.sides[0].dims.size();
  int64_t bytes = 0;
  join.Visit([&](uint32_t key, const std::vector<uint32_t>& places) {
    if (answer.rows_size() == plan.limit) return false;
    v1::ReportRow& row = *answer.add_rows();
    for (size_t d = 0; d < width; ++d) ToProto(join.KeyValue(key, d), *row.add_values());
    for (size_t s = 0; s < places.size(); ++s) ToProto(join.Measure(s, places[s]), *row.add_values());
    bytes += static_cast<int64_t>(row.ByteSizeLong()) + 8;
    if (bytes <= bytes_max) return true;
    answer.mutable_rows()->RemoveLast();
    answer.add_warnings(
        absl::StrCat("rows end after ", answer.rows_size(), ": one answer holds at most ", bytes_max >> 20, " MiB"));
    return false;
  });
  answer.set_truncated(answer.rows_size() < join.rows());
}

// Why a coefficient is missing, or should not be trusted.
void WarnOfPairs(const ReportPlan& plan, const NumberColumn& x, const NumberColumn& y, v1::RunReportResponse& answer) {
  int64_t n = answer.n();
  if (n < 2) {
    answer.add_warnings(absl::StrCat("pearson and spearman are undefined: they need at least 2 pairs, there are ", n));
    return;
  }
  size_t first = plan.columns.size() - plan.sides.size();
  const NumberColumn* columns[] = {&x, &y};
  for (size_t i = 0; i < 2; ++i) {
    if (!columns[i]->IsConstant()) continue;
    answer.add_warnings(absl::StrCat("pearson and spearman are undefined: ", plan.columns[first + i],
                                     " is the same in all ", n, " pairs"));
  }
  if (n < kFewPairs) answer.add_warnings(absl::StrCat("only ", n, " pairs: the coefficients say little"));
}

absl::Status FillCorrelation(const ReportPlan& plan, const Join& join, Reservation& reservation,
                             v1::RunReportResponse& answer) {
  RETURN_IF_ERROR(reservation.Grow(join.rows() * kBytesPerPair));
  NumberColumn x, y;
  x.Reserve(static_cast<size_t>(join.rows()));
  y.Reserve(static_cast<size_t>(join.rows()));
  join.Visit([&](uint32_t, const std::vector<uint32_t>& places) {
    Value left = join.Measure(0, places[0]);
    Value right = join.Measure(1, places[1]);
    if (left.is_number() && right.is_number()) {
      x.Add(left);
      y.Add(right);
    }
    return true;
  });
  answer.set_n(static_cast<int64_t>(x.size()));
  if (std::optional<double> r = Pearson(x, y)) answer.set_pearson(*r);
  if (std::optional<double> rho = Spearman(x, y)) answer.set_spearman(*rho);
  if (answer.n() < join.rows()) {
    answer.add_warnings(absl::StrCat(join.rows() - answer.n(), " joined rows have a measure that is no number"));
  }
  WarnOfPairs(plan, x, y, answer);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::RunReportResponse> ReportRunner::Run(const ReportPlan& plan, BatchSource& source) {
  Reservation reservation(budget_);
  Join join(plan.sides.size(), plan.sides[0].dims.size(), options_.rows_max, reservation);
  std::vector<SideScanner> scanners;
  for (size_t i = 0; i < plan.sides.size(); ++i) {
    ASSIGN_OR_RETURN(SideScanner scanner, ScanSide(plan.sides[i], i, join, source));
    scanners.push_back(std::move(scanner));
  }
  RETURN_IF_ERROR(join.Finish());

  v1::RunReportResponse answer;
  for (const std::string& column : plan.columns) answer.add_columns(column);
  answer.set_row_count(join.rows());
  answer.set_limit(plan.limit);
  for (size_t i = 0; i < plan.sides.size(); ++i) FillSide(plan.sides[i], scanners[i], join.side(i), answer);
  if (plan.want_rows) FillRows(plan, join, options_.answer_bytes_max, answer);
  if (plan.sides.size() >= 2) RETURN_IF_ERROR(FillCorrelation(plan, join, reservation, answer));
  return answer;
}

}  // namespace chartly::reporter
