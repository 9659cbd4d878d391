// Headline figures: two profiles of N records joined on (geo, time), from the sealed chunks as the store keeps them:
// Pearson over all pairs, with what each part of it takes, and a whole report with Pearson of each geo.
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
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
#include "control/reporter/record_rows.h"
#include "control/reporter/report_runner.h"
#include "google/protobuf/text_format.h"

namespace chartly::bench {
namespace {

using namespace reporter;  // the parts that are measured

constexpr int64_t kMemory = int64_t{14} << 30;  // of the parts alone, which keep all rows
constexpr char kOfEachGeo[] = R"(join: "geo" join: "time" inputs { profile_id: "left" measure: "x" }
    inputs { profile_id: "right" measure: "y" } steps: "group by geo: pearson(x, y) as r")";

struct Times {
  double read = 0, join = 0, pearson = 0, wall = 0, cpu = 0, memory_mib = 0;
};

// Memory of this process now (VmRSS), or what it was at most (VmHWM) since ForgetPeak.
double MemoryMiB(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stod(line.substr(field.size() + 1)) / 1024;
  }
  return 0;
}

void ForgetPeak() {
  ::malloc_trim(0);  // what earlier rounds left would serve this one
  std::ofstream("/proc/self/clear_refs") << "5";
}

InputPlan PlanOf(const std::string& profile, const std::string& measure) {
  InputPlan plan;
  plan.profile_id = profile;
  plan.fields = {{"geo", "", false}, {"time", "", false}, {measure, "", true}};
  return plan;
}

Table Read(const InputPlan& plan, BatchSource& source, Reservation& reservation) {
  ColumnPool pool;
  InputReader reader(plan, reservation, pool);
  RequireOk(
      source.Scan(plan.profile_id, nullptr, [&](const reporter::RecordPiece& piece) { return reader.Take(piece); }),
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

// The report as a caller would have it, answer included, in the memory that reports have if nobody says otherwise.
Times RunReport(BatchSource& source, int64_t rows) {
  v1::RunReportRequest request;
  bool parsed = google::protobuf::TextFormat::ParseFromString(kOfEachGeo, &request);
  RequireOk(parsed ? absl::OkStatus() : absl::InternalError("its text"), "plan the report");
  absl::StatusOr<ReportPlan> plan = PlanReport(request);
  RequireOk(plan.status(), "plan the report");
  ReportRunner runner{ReportOptions()};
  Times times;
  ForgetPeak();
  const double memory_before = MemoryMiB("VmRSS");
  Stopwatch all;
  absl::StatusOr<v1::RunReportResponse> answer = runner.Run(*plan, source);
  times.wall = all.Wall();
  times.cpu = all.Cpu();
  times.memory_mib = MemoryMiB("VmHWM") - memory_before;
  RequireOk(answer.status(), "run the report");
  bool whole = answer->row_count() > 0 && answer->sides(0).records() == rows && answer->sides(1).unmatched() == 0;
  RequireOk(whole ? absl::OkStatus() : absl::InternalError("the report lost rows"), "run the report");
  return times;
}

// What no reader of these chunks can do without: each column that the report names, decoded into memory that is used
// again, on both cores.
Times DecodeAlone(BatchSource& source) {
  Times times;
  Stopwatch all;
  InParallel(2, [&](size_t side) {
    ColumnPool pool;
    RequireOk(source.Scan(side == 0 ? "left" : "right", nullptr,
                          [&](const reporter::RecordPiece& piece) -> absl::Status {
                            ASSIGN_OR_RETURN(RecordRows rows, RecordRows::Parse(piece, pool));
                            for (const char* dim : {"geo", "time"}) rows.Find(Role::kDim, dim);
                            rows.Find(Role::kMeasure, side == 0 ? "x" : "y");
                            return rows.status();
                          }),
              "decode");
  });
  times.wall = all.Wall();
  times.cpu = all.Cpu();
  return times;
}

Times MedianOf(std::vector<Times> rounds) {
  std::sort(rounds.begin(), rounds.end(), [](const Times& a, const Times& b) { return a.wall < b.wall; });
  return rounds[rounds.size() / 2];
}

int Run(const BenchFlags& flags) {
  int64_t rows = flags.rows > 0 ? flags.rows : flags.quick ? 1'000'000 : 10'000'000;
  ReportLoad source(rows);
  std::vector<Times> rounds, reports, decodes;
  for (int round = 0; round < 5; ++round) {
    rounds.push_back(RunOnce(source, rows));
    reports.push_back(RunReport(source, rows));
    decodes.push_back(DecodeAlone(source));
  }
  const Times median = MedianOf(rounds), report = MedianOf(reports), decode = MedianOf(decodes);
  double millions = static_cast<double>(rows) / 1e6;
  std::printf("join %.0f M x %.0f M records on (geo, time) and Pearson, from sealed chunks in memory\n", millions,
              millions);
  std::printf("  Chartly    %8.3f s wall  %8.3f s CPU   (read %.3f, join %.3f, Pearson %.3f)\n", median.wall,
              median.cpu, median.read, median.join, median.pearson);
  std::printf("  goal       %8.3f s wall\n", 0.025 * millions);
  RecordFigure({absl::StrFormat("join of %.0f M x %.0f M and Pearson", millions, millions), "ours", "Chartly",
                median.wall, "s", true, 0.025 * millions});
  RunDuckDb("join", rows);
  std::printf("the same join as a report with Pearson of each geo, in %lld MiB\n",
              static_cast<long long>(ReportOptions().memory_bytes_max >> 20));
  std::printf("  Chartly    %8.3f s wall  %8.3f s CPU   (%.0f MiB more memory while it ran)\n", report.wall, report.cpu,
              report.memory_mib);
  std::printf("  goal       %8.3f s wall\n", 0.025 * millions);
  RecordFigure({absl::StrFormat("join of %.0f M x %.0f M and Pearson of each geo", millions, millions), "ours",
                "Chartly", report.wall, "s", true, 0.025 * millions});
  std::printf("  limit      %8.3f s wall  %8.3f s CPU   (decoding the columns alone, two cores)\n", decode.wall,
              decode.cpu);
  RecordFigure({absl::StrFormat("join of %.0f M x %.0f M and Pearson of each geo", millions, millions), "limit",
                "decoding the columns alone, two cores", decode.wall, "s", true});
  RunDuckDb("join_by_geo", rows);
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(chartly::bench::ParseFlags(argc, argv)); }
