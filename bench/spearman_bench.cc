// Headline figure: Spearman's rho, exact, of N pairs in memory.
#include <cstdio>
#include <random>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/bench_report.h"
#include "bench/report_load.h"
#include "control/reporter/correlation.h"

namespace chartly::bench {
namespace {

int Run(const BenchFlags& flags) {
  int64_t rows = flags.rows > 0 ? flags.rows : flags.quick ? 1'000'000 : 10'000'000;
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(0, 1);
  reporter::ValueColumn left, right;
  for (int64_t i = 0; i < rows; ++i) {
    double shared = uniform(random);
    left.AddFloat(shared + uniform(random));
    right.AddFloat(shared + uniform(random));
  }
  reporter::NumberColumn x = reporter::NumberColumn::Of(left), y = reporter::NumberColumn::Of(right);
  std::vector<double> wall, cpu;
  double rho = 0;
  for (int round = 0; round < 3; ++round) {
    Stopwatch watch;
    rho = reporter::Spearman(x, y).value_or(0);
    wall.push_back(watch.Wall());
    cpu.push_back(watch.Cpu());
  }
  double millions = static_cast<double>(rows) / 1e6;
  std::printf("Spearman's rho of %.0f M pairs, exact (%.6f)\n", millions, rho);
  std::printf("  Chartly    %8.3f s wall  %8.3f s CPU\n", Median(wall), Median(cpu));
  std::printf("  goal       %8.3f s wall\n", 0.1 * millions);
  RecordFigure({absl::StrFormat("Spearman of %.0f M pairs", millions), "ours", "Chartly", Median(wall), "s", true,
                0.1 * millions});
  RunDuckDb("spearman", rows);
  return rho > 0.4 ? 0 : 1;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(chartly::bench::ParseFlags(argc, argv)); }
