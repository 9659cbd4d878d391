// Headline figure: two profiles of N records joined on (geo, time) and Pearson over the pairs, from the sealed
// chunks as the store keeps them, with what each part of it takes.
#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/bench_report.h"
#include "bench/report_load.h"
#include "common/status/status.h"
#include "control/reporter/correlation.h"
#include "control/reporter/input_reader.h"
#include "control/reporter/join.h"
#include "control/reporter/parallel.h"

namespace chartly::bench {
namespace {

using namespace reporter;  // the parts that are measured

struct Times {
  double read = 0, join = 0, pearson = 0, wall = 0, cpu = 0;
};

InputPlan PlanOf(const std::string& profile, const std::string& measure) {
  InputPlan plan;
  plan.profile_id = profile;
  plan.fields = {{"geo", "", false}, {"time", "", false}, {measure, "", true}};
  return plan;
}

Table Read(const InputPlan& plan, BatchSource& source, Reservation& reservation) {
  InputReader reader(plan, reservation);
  RequireOk(source.Scan(plan.profile_id, [&](const reporter::RecordPiece& piece) { return reader.Take(piece); }),
            "read " + plan.profile_id);
  return reader.Finish();
}

Times RunOnce(BatchSource& source, int64_t rows) {
  MemoryBudget budget(int64_t{14} << 30);
  Reservation reservation(budget);
  InputPlan left_plan = PlanOf("left", "x"), right_plan = PlanOf("right", "y");
  Times times;
  Stopwatch all;
  Table left, right;
  InParallel(2, [&](size_t side) {
    (side == 0 ? left : right) = Read(side == 0 ? left_plan : right_plan, source, reservation);
  });
  times.read = all.Wall();
  std::vector<JoinKey> keys = {{"geo", "geo", nullptr, {}}, {"time", "time", nullptr, {}}};
  absl::StatusOr<JoinResult> joined = JoinTables(left, right, keys, JoinKind::kInner, 2 * rows, reservation);
  RequireOk(joined.status(), "join");
  times.join = all.Wall() - times.read;
  NumberColumn x = NumberColumn::Of(joined->table.columns[2].values);
  NumberColumn y = NumberColumn::Of(joined->table.columns[3].values);
  bool whole = x.size() == static_cast<size_t>(rows) && Pearson(x, y).has_value();
  RequireOk(whole ? absl::OkStatus() : absl::InternalError("the join lost rows"), "correlate");
  times.wall = all.Wall();
  times.pearson = times.wall - times.read - times.join;
  times.cpu = all.Cpu();
  return times;
}

int Run(const BenchFlags& flags) {
  int64_t rows = flags.quick ? 1'000'000 : 10'000'000;
  ReportLoad source(rows);
  std::vector<Times> rounds;
  for (int round = 0; round < 3; ++round) rounds.push_back(RunOnce(source, rows));
  std::sort(rounds.begin(), rounds.end(), [](const Times& a, const Times& b) { return a.wall < b.wall; });
  const Times& median = rounds[1];
  double millions = static_cast<double>(rows) / 1e6;
  std::printf("join %.0f M x %.0f M records on (geo, time) and Pearson, from sealed chunks in memory\n", millions,
              millions);
  std::printf("  Chartly    %8.3f s wall  %8.3f s CPU   (read %.3f, join %.3f, Pearson %.3f)\n", median.wall,
              median.cpu, median.read, median.join, median.pearson);
  std::printf("  goal       %8.3f s wall\n", 0.025 * millions);
  RecordFigure({absl::StrFormat("join of %.0f M x %.0f M and Pearson", millions, millions), "ours", "Chartly",
                median.wall, "s", true, 0.025 * millions});
  RunDuckDb("join", rows);
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(chartly::bench::ParseFlags(argc, argv)); }
