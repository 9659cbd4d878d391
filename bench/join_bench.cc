// Headline figures: two profiles of N records joined on (geo, time), from the sealed chunks as the store keeps them:
// Pearson over all pairs, with what each part of it takes, and a whole report with Pearson of each geo.
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
#include "control/reporter/report_runner.h"
#include "google/protobuf/text_format.h"

namespace chartly::bench {
namespace {

using namespace reporter;  // the parts that are measured

constexpr int64_t kMemory = int64_t{14} << 30;
constexpr char kOfEachGeo[] = R"(join: "geo" join: "time" inputs { profile_id: "left" measure: "x" }
    inputs { profile_id: "right" measure: "y" } steps: "group by geo: pearson(x, y) as r")";

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
  MemoryBudget budget(kMemory);
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

// The report as a caller would have it, answer included.
Times RunReport(BatchSource& source, int64_t rows) {
  v1::RunReportRequest request;
  bool parsed = google::protobuf::TextFormat::ParseFromString(kOfEachGeo, &request);
  RequireOk(parsed ? absl::OkStatus() : absl::InternalError("its text"), "plan the report");
  absl::StatusOr<ReportPlan> plan = PlanReport(request);
  RequireOk(plan.status(), "plan the report");
  ReportOptions options;
  options.memory_bytes_max = kMemory;
  options.rows_max = rows;
  ReportRunner runner(options);
  Times times;
  Stopwatch all;
  absl::StatusOr<v1::RunReportResponse> answer = runner.Run(*plan, source);
  times.wall = all.Wall();
  times.cpu = all.Cpu();
  RequireOk(answer.status(), "run the report");
  bool whole = answer->row_count() > 0 && answer->sides(0).records() == rows && answer->sides(1).unmatched() == 0;
  RequireOk(whole ? absl::OkStatus() : absl::InternalError("the report lost rows"), "run the report");
  return times;
}

Times MedianOf(std::vector<Times> rounds) {
  std::sort(rounds.begin(), rounds.end(), [](const Times& a, const Times& b) { return a.wall < b.wall; });
  return rounds[rounds.size() / 2];
}

int Run(const BenchFlags& flags) {
  int64_t rows = flags.rows > 0 ? flags.rows : flags.quick ? 1'000'000 : 10'000'000;
  ReportLoad source(rows);
  std::vector<Times> rounds, reports;
  for (int round = 0; round < 5; ++round) {
    rounds.push_back(RunOnce(source, rows));
    reports.push_back(RunReport(source, rows));
  }
  const Times median = MedianOf(rounds), report = MedianOf(reports);
  double millions = static_cast<double>(rows) / 1e6;
  std::printf("join %.0f M x %.0f M records on (geo, time) and Pearson, from sealed chunks in memory\n", millions,
              millions);
  std::printf("  Chartly    %8.3f s wall  %8.3f s CPU   (read %.3f, join %.3f, Pearson %.3f)\n", median.wall,
              median.cpu, median.read, median.join, median.pearson);
  std::printf("  goal       %8.3f s wall\n", 0.025 * millions);
  RecordFigure({absl::StrFormat("join of %.0f M x %.0f M and Pearson", millions, millions), "ours", "Chartly",
                median.wall, "s", true, 0.025 * millions});
  RunDuckDb("join", rows);
  std::printf("the same join as a report with Pearson of each geo\n");
  std::printf("  Chartly    %8.3f s wall  %8.3f s CPU\n", report.wall, report.cpu);
  std::printf("  goal       %8.3f s wall\n", 0.025 * millions);
  RecordFigure({absl::StrFormat("join of %.0f M x %.0f M and Pearson of each geo", millions, millions), "ours",
                "Chartly", report.wall, "s", true, 0.025 * millions});
  RunDuckDb("join_by_geo", rows);
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(chartly::bench::ParseFlags(argc, argv)); }
