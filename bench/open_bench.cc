// Headline figure: from kill -9 to serving. A process stores records until it is killed in the middle of its work;
// another one opens the store and answers a question. Also what is stored takes, in bytes a record, and the memory of
// the opener.
//
// CHARTLY_BENCH_RECORDS: measure with that many records instead, such as 100000000.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/bench_report.h"
#include "bench/station_load.h"
#include "common/clock/clock.h"
#include "control/aggregator/kv_record_store.h"
#include "control/aggregator/record_query.h"
#include "control/aggregator/sealer.h"

namespace chartly::bench {
namespace {

constexpr size_t kDedupeBytes = size_t{1} << 30;
constexpr double kTargetSeconds = 2;

struct OpenedStore {
  explicit OpenedStore(const std::string& dir) {
    auto opened = aggregator::KvRecordStore::Open(dir, {.memory_bytes = size_t{256} << 20, .large_values = true});
    RequireOk(opened.status(), "opening the store");
    store = *std::move(opened);
    auto made = aggregator::Committer::Open(*store, clock, kDedupeBytes);
    RequireOk(made.status(), "opening the index");
    committer = *std::move(made);
  }
  SystemClock clock;
  std::unique_ptr<aggregator::RecordStore> store;
  std::unique_ptr<aggregator::Committer> committer;
};

// Stores until it is killed; writes the number of records whenever it grew by a batch.
[[noreturn]] void Fill(const std::string& dir, int out) {
  OpenedStore opened(dir);
  aggregator::Sealer sealer(*opened.store, *opened.committer, {});
  sealer.Start();
  for (uint64_t number = 0;; ++number) {
    auto prepared = aggregator::PrepareBatch(MakeStationBatch(0, number));
    RequireOk(prepared.status(), "preparing a batch");
    aggregator::CommitRequest request;
    request.batches.push_back(*std::move(prepared));
    RequireOk(opened.committer->Commit(std::move(request)).status, "storing");
    uint64_t records = (number + 1) * kStationRows;
    if (::write(out, &records, sizeof records) != sizeof records) ::_exit(1);
  }
}

struct Sample {
  double seconds = 0;  // until the first answer
  double store_seconds = 0;
  uint64_t records = 0;
  uint64_t unsealed = 0;
  uint64_t parts = 0;
  uint64_t rss_bytes = 0;
};

[[noreturn]] void Open(const std::string& dir, int out) {
  Sample sample;
  Stopwatch watch;
  OpenedStore opened(dir);
  sample.store_seconds = watch.Wall();
  aggregator::RecordQuery query(*opened.store);
  v1::ListRecordsRequest request;
  request.set_profile_id("bench");
  request.set_limit(100);
  auto page = query.ListRecords(request, [] { return false; });
  RequireOk(page.status(), "the first question");
  sample.seconds = watch.Wall();
  auto summary = query.Summary();
  RequireOk(summary.status(), "counting");
  sample.records = static_cast<uint64_t>(summary->total_results());
  for (const auto& [profile_id, rows] : opened.committer->unsealed().rows) sample.unsealed += rows;
  sample.parts = opened.store->Parts("bench").size();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  sample.rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) << 10;
  ::_exit(::write(out, &sample, sizeof sample) == sizeof sample ? 0 : 1);
}

// Runs `work` in a process of its own and gives the end of a pipe that it writes to. This process starts no threads, so
// that it can fork again.
template <typename Work>
pid_t Start(Work work, int& read_end) {
  int ends[2];
  if (::pipe(ends) != 0) RequireOk(absl::InternalError("no pipe"), "starting a process");
  pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    work(ends[1]);
  }
  ::close(ends[1]);
  read_end = ends[0];
  return child;
}

uint64_t BytesIn(const std::string& dir) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

void Measure(const std::string& dir, uint64_t records) {
  int from = -1;
  Stopwatch filling;
  pid_t filler = Start([&](int out) { Fill(dir, out); }, from);
  uint64_t stored = 0;
  while (stored < records && ::read(from, &stored, sizeof stored) == sizeof stored) {
  }
  ::kill(filler, SIGKILL);
  ::waitpid(filler, nullptr, 0);
  ::close(from);
  double fill_seconds = filling.Wall();
  pid_t opener = Start([&](int out) { Open(dir, out); }, from);
  Sample sample;
  bool read = ::read(from, &sample, sizeof sample) == sizeof sample;
  ::waitpid(opener, nullptr, 0);
  ::close(from);
  if (!read || sample.records < records) RequireOk(absl::InternalError("acked records are missing"), "opening");
  std::printf("%12zu %10.2f %10.2f %10zu %7zu %9.0f %9.2f %9.2f  %s\n", static_cast<size_t>(sample.records),
              sample.seconds, sample.store_seconds, static_cast<size_t>(sample.unsealed),
              static_cast<size_t>(sample.parts), static_cast<double>(sample.rss_bytes) / 1048576,
              static_cast<double>(BytesIn(dir)) / static_cast<double>(sample.records),
              static_cast<double>(sample.records) / fill_seconds / 1e6,
              sample.seconds < kTargetSeconds ? "met" : "missed");
  std::fflush(stdout);
  RecordFigure({absl::StrCat("kill -9 to serving, ", records, " records"), "ours", "Chartly", sample.seconds, "s", true,
                kTargetSeconds});
}

int Run(int argc, char** argv) {
  BenchFlags flags = ParseFlags(argc, argv);
  BenchDir dir(flags.dir);
  std::vector<uint64_t> sizes = {1000000};
  if (!flags.quick) sizes.push_back(10000000);
  if (const char* records = std::getenv("CHARTLY_BENCH_RECORDS")) sizes = {std::strtoull(records, nullptr, 10)};
  std::printf("kill -9 to serving, in %s; target below %.0f s\n", dir.path().c_str(), kTargetSeconds);
  std::printf("%12s %10s %10s %10s %7s %9s %9s %9s\n", "records", "serving s", "open s", "unsealed", "parts", "RSS MiB",
              "B/record", "M rec/s in");
  std::fflush(stdout);
  for (uint64_t records : sizes) {
    BenchDir store(dir.path());
    Measure(store.path(), records);
  }
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(argc, argv); }
