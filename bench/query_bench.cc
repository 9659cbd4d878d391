// Headline figures: a filtered page, `why` and `why not` of a store that grows, and what ingest, questions and a report
// cost at each of its sizes, one after another in one store. Beside it, the memory that the process takes.
//
// CHARTLY_BENCH_RECORDS: grow to that many records instead, such as 100000000.
// CHARTLY_BENCH_SETTLE_SECONDS: how long merges may take before the questions; what is not merged by then stays so.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "bench/bench_report.h"
#include "bench/station_load.h"
#include "common/batch/batch.h"
#include "common/clock/clock.h"
#include "common/status/status.h"
#include "control/aggregator/kv_record_store.h"
#include "control/aggregator/record_explainer.h"
#include "control/aggregator/record_query.h"
#include "control/aggregator/sealer.h"
#include "control/reporter/report_runner.h"

namespace chartly::bench {
namespace {

using aggregator::CommitRequest;

constexpr size_t kDedupeBytes = size_t{1} << 30;
constexpr size_t kStoreBytes = size_t{256} << 20;
constexpr uint64_t kGroup = 64;  // batches that are made, and then stored
constexpr double kPageGoal = 0.010;
constexpr double kWhyGoal = 1;
constexpr int kRuns = 10000;
constexpr int kQuarantined = 20000;

bool NeverGone() { return false; }

// What a report reads: the records of the store, as the aggregator hands them to the reporter.
class StoreSource final : public reporter::BatchSource {
 public:
  explicit StoreSource(const aggregator::RecordQuery& query) : query_(query) {}
  absl::Status Scan(const std::string& profile_id, const reporter::ScanSpan*, Take take) override {
    v1::ScanBatchesRequest request;
    request.set_profile_id(profile_id);
    request.set_chunks(true);
    absl::Status taken;
    RETURN_IF_ERROR(query_.ScanBatches(request, [&](const v1::ScanBatchesResponse& piece) {
      taken = take({piece.batch(), piece.current(), piece.chunk()});
      return taken.ok();
    }));
    return taken;
  }
  // Asked of reports that could be cut, and this one has no groups.
  absl::StatusOr<std::vector<reporter::KeyStretch>> Outline(const std::string&, const std::string&) override {
    return std::vector<reporter::KeyStretch>();
  }

 private:
  const aggregator::RecordQuery& query_;
};

class GrowingStore {
 public:
  explicit GrowingStore(std::string dir) : dir_(std::move(dir)) {
    auto opened = aggregator::KvRecordStore::Open(dir_, {.memory_bytes = kStoreBytes, .large_values = true});
    RequireOk(opened.status(), "opening the store");
    store_ = *std::move(opened);
    auto made = aggregator::Committer::Open(*store_, clock_, kDedupeBytes);
    RequireOk(made.status(), "opening the index");
    committer_ = *std::move(made);
    query_ = std::make_unique<aggregator::RecordQuery>(*store_);
    explainer_ = std::make_unique<aggregator::RecordExplainer>(*store_, *query_, &committer_->unsealed_batches());
  }
  ~GrowingStore() { committer_->Shutdown(); }

  // Runs and quarantined rows for a question to look through.
  void AddLedger() {
    BatchHeader origin;
    origin.set_tenant("default");
    origin.set_profile_id("bench");
    origin.set_run_id("run-0");
    origin.set_source_uri("https://example.test/readings");
    BatchBuilder builder;
    builder.SetOrigin(origin);
    for (int i = 0; i < kQuarantined; ++i) {
      builder.Quarantine("mapping.type_coercion_failed", "measures.value", "no number",
                         absl::StrCat("{\"station\":\"broken-", i, "\",\"value\":\"n/a\"}"), 1,
                         static_cast<uint32_t>(i + 1));
    }
    auto bytes = builder.Finish();
    RequireOk(bytes.status(), "making quarantined rows");
    std::vector<CommitRequest> requests(1);
    requests[0].batches.push_back(Prepared(*std::move(bytes)));
    for (int i = 0; i < kRuns; ++i) {
      v1::RunEnd end;
      end.set_run_id(absl::StrCat("ended-", i));
      end.set_profile_id("bench");
      requests.emplace_back().run_end = std::move(end);
    }
    CommitAll(std::move(requests));
  }

  // Returns the seconds it took without the making of the batches.
  double GrowTo(uint64_t records) {
    aggregator::Sealer sealer(*store_, *committer_, {});
    sealer.Start();
    double seconds = 0;
    while (batches_ * kStationRows < records) {
      std::vector<std::string> made(std::min<uint64_t>(kGroup, (records + kStationRows - 1) / kStationRows - batches_));
      auto make = [&](size_t first) {
        for (size_t i = first; i < made.size(); i += 2) made[i] = MakeStationBatch(0, batches_ + i);
      };
      std::thread other(make, 1);
      make(0);
      other.join();
      batches_ += made.size();
      Stopwatch watch;
      std::vector<CommitRequest> requests;
      for (std::string& bytes : made) requests.emplace_back().batches.push_back(Prepared(std::move(bytes)));
      CommitAll(std::move(requests));
      seconds += watch.Wall();
    }
    return seconds;
  }
  // Seals and merges what is left, for so long at most, and returns the seconds.
  double Settle(double at_most) {
    aggregator::SealerOptions options;
    options.idle_after = absl::ZeroDuration();
    aggregator::Sealer sealer(*store_, *committer_, options);
    const aggregator::PartMerge next(*store_, options.merge, [] { return false; });
    auto settled = [&] {
      const auto chosen = next.Choose("bench");
      uint64_t unsealed = 0;
      for (const auto& [profile_id, rows] : committer_->unsealed().rows) unsealed += rows;
      return chosen.ok() && chosen->empty() && unsealed < options.idle_rows;
    };
    sealer.Start();
    Stopwatch watch;
    while (watch.Wall() < at_most && !settled()) absl::SleepFor(absl::Milliseconds(50));
    return watch.Wall();
  }

  uint64_t records() const { return batches_ * kStationRows; }
  uint64_t batches() const { return batches_; }
  size_t parts() const { return store_->Parts("bench").size(); }
  const aggregator::RecordQuery& query() const { return *query_; }
  const aggregator::RecordExplainer& explainer() const { return *explainer_; }
  double BytesPerRecord() const {
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_)) {
      if (entry.is_regular_file()) bytes += entry.file_size();
    }
    return static_cast<double>(bytes) / static_cast<double>(records());
  }

 private:
  static aggregator::PreparedBatch Prepared(std::string bytes) {
    auto prepared = aggregator::PrepareBatch(std::move(bytes));
    RequireOk(prepared.status(), "preparing a batch");
    return *std::move(prepared);
  }
  void CommitAll(std::vector<CommitRequest> requests) {
    absl::Mutex mu;
    size_t open = requests.size();
    absl::Status failed;
    for (CommitRequest& request : requests) {
      committer_->Submit(std::move(request), [&](const aggregator::CommitResult& result) {
        absl::MutexLock lock(&mu);
        if (!result.status.ok()) failed = result.status;
        --open;
      });
    }
    absl::MutexLock lock(&mu);
    auto done = [&open] { return open == 0; };
    mu.Await(absl::Condition(&done));
    RequireOk(failed, "storing");
  }

  const std::string dir_;
  SystemClock clock_;
  std::unique_ptr<aggregator::RecordStore> store_;
  std::unique_ptr<aggregator::Committer> committer_;
  std::unique_ptr<aggregator::RecordQuery> query_;
  std::unique_ptr<aggregator::RecordExplainer> explainer_;
  uint64_t batches_ = 0;
};

class Times {
 public:
  void Add(const std::function<void()>& ask) {
    Stopwatch watch;
    ask();
    seconds_.push_back(watch.Wall());
    cpu_.push_back(watch.Cpu());
  }
  double At(double share) const { return At(seconds_, share); }
  double CpuAt(double share) const { return At(cpu_, share); }

 private:
  static double At(std::vector<double> sorted, double share) {
    std::sort(sorted.begin(), sorted.end());
    return sorted[std::min(sorted.size() - 1, static_cast<size_t>(share * static_cast<double>(sorted.size())))];
  }
  std::vector<double> seconds_;
  std::vector<double> cpu_;
};

// Random questions about a store, each a few times.
class Questions {
 public:
  Questions(const GrowingStore& store, int rounds) : store_(store), rounds_(rounds), random_(store.records()) {}

  Times Page() {
    Times times;
    for (int i = 0; i < rounds_; ++i) {
      const uint64_t station = random_() % kStations;
      v1::ListRecordsRequest request;
      request.set_profile_id("bench");
      request.add_filter(absl::StrCat("dims.geo.region = \"region-", station % 17, "\""));
      request.add_filter(absl::StrCat("dims.station.id = \"", StationName(station), "\""));
      request.add_filter(absl::StrCat("measures.value > ", random_() % 500));
      times.Add([&] {
        auto page = store_.query().ListRecords(request, NeverGone);
        RequireOk(page.status(), "asking for a page");
        Require(!page->records().empty(), "the page is empty");
        scanned_ = std::max(scanned_, page->scanned());
      });
    }
    return times;
  }
  // By key; keeps the ids for ById.
  Times ByKey() {
    Times times;
    for (int i = 0; i < rounds_; ++i) {
      const uint64_t station = random_() % kStations;
      v1::ExplainRecordRequest request = KeyOf(station, station % 17);
      times.Add([&] {
        v1::ExplainRecordResponse answer = Ask(request);
        Require(answer.records_size() == 1, "a record by its key");
        ids_.push_back(answer.records(0).versions(0).record().id());
      });
    }
    return times;
  }
  Times ById() {
    Times times;
    for (const std::string& id : ids_) {
      times.Add([&] { Require(Ask(IdRequest(id)).records_size() == 1, "a record by its id"); });
    }
    return times;
  }
  Times ByAbsentKey() {
    Times times;
    for (int i = 0; i < rounds_; ++i) {
      const uint64_t station = random_() % kStations;
      v1::ExplainRecordRequest request = KeyOf(station, (station + 1) % 17);
      times.Add([&] { Require(Ask(request).records().empty(), "no record by a key"); });
    }
    return times;
  }
  Times ByAbsentId() {
    Times times;
    for (int i = 0; i < rounds_; ++i) {
      const std::string id = absl::StrFormat("%016x%016x", random_(), random_());
      times.Add([&] { Require(Ask(IdRequest(id)).records().empty(), "no record by an id"); });
    }
    return times;
  }
  int64_t scanned() const { return scanned_; }

 private:
  static constexpr uint64_t kStations = kStationRows / 24;
  static std::string StationName(uint64_t station) { return absl::StrCat("station-0-", station); }
  static void Require(bool holds, const char* what) {
    RequireOk(holds ? absl::OkStatus() : absl::InternalError("the answer is wrong"), what);
  }
  v1::ExplainRecordResponse Ask(const v1::ExplainRecordRequest& request) const {
    auto answer = store_.explainer().Explain(request, NeverGone);
    RequireOk(answer.status(), "asking why");
    return *std::move(answer);
  }
  v1::ExplainRecordRequest KeyOf(uint64_t station, uint64_t region) {
    v1::ExplainRecordRequest request;
    request.set_profile_id("bench");
    request.add_key(absl::StrCat("dims.station.id=", StationName(station)));
    request.add_key(absl::StrCat("dims.geo.region=region-", region));
    request.add_key(absl::StrCat("dims.time.day=", random_() % store_.batches()));
    request.add_key(absl::StrCat("dims.time.hour=", random_() % 24));
    return request;
  }
  static v1::ExplainRecordRequest IdRequest(const std::string& id) {
    v1::ExplainRecordRequest request;
    request.set_profile_id("bench");
    request.set_record_id(id);
    return request;
  }

  const GrowingStore& store_;
  const int rounds_;
  std::mt19937_64 random_;
  std::vector<std::string> ids_;
  int64_t scanned_ = 0;
};

// Seconds of a report over the records of one region of 17: how two measures go together.
double Report(const GrowingStore& store) {
  v1::RunReportRequest request;
  v1::ReportInput& input = *request.add_inputs();
  input.set_profile_id("bench");
  input.add_measures("value");
  input.add_measures("quality");
  input.add_filter("dims.geo.region = \"region-3\"");
  request.mutable_output()->set_type(v1::REPORT_TYPE_CORRELATION);
  absl::StatusOr<reporter::ReportPlan> plan = reporter::PlanReport(request);
  RequireOk(plan.status(), "planning the report");
  StoreSource source(store.query());
  reporter::ReportRunner runner({});
  Stopwatch watch;
  auto answer = runner.Run(*plan, source);
  RequireOk(answer.status(), "the report");
  return watch.Wall();
}

double MiB(const char* field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field, 0) == 0) return std::stod(line.substr(line.find(':') + 1)) / 1024;
  }
  return 0;
}

// What one size of the store cost.
struct Cost {
  double records = 0;
  std::vector<std::pair<std::string, double>> figures;
  void Add(const std::string& what, double figure) { figures.emplace_back(what, figure); }
};

// The costs of all sizes, and by which power of the size each grows from the first to the last.
void PrintCosts(const std::vector<Cost>& costs) {
  std::printf("\n| Records |");
  for (const Cost& cost : costs) std::printf(" %.0f M |", cost.records / 1e6);
  std::printf(" grows as |\n|---|");
  for (size_t i = 0; i <= costs.size(); ++i) std::printf("---|");
  for (size_t row = 0; row < costs.front().figures.size(); ++row) {
    std::printf("\n| %s |", costs.front().figures[row].first.c_str());
    for (const Cost& cost : costs) std::printf(" %.3g |", cost.figures[row].second);
    const double slope = std::log(costs.back().figures[row].second / costs.front().figures[row].second) /
                         std::log(costs.back().records / costs.front().records);
    std::printf(" n^%.2f |", costs.size() > 1 ? slope : 0);
  }
  std::printf("\n");
}

void PrintTimes(const char* what, const Times& times, double goal) {
  const double p99 = times.At(0.99);
  std::printf(
      "    %-32s p50 %8.2f ms  p99 %8.2f ms  max %8.2f ms  at most %4.0f ms: %-6s  CPU p50 %7.2f ms  p99 %7.2f ms\n",
      what, times.At(0.5) * 1e3, p99 * 1e3, times.At(1) * 1e3, goal * 1e3, p99 <= goal ? "met" : "missed",
      times.CpuAt(0.5) * 1e3, times.CpuAt(0.99) * 1e3);
  std::fflush(stdout);
}

Cost Measure(GrowingStore& store, uint64_t records, int rounds, double settle_seconds, bool last) {
  const uint64_t before = store.records();
  const double stored = store.GrowTo(records);
  const double added = static_cast<double>(store.records() - before) / 1e6;
  std::printf("\n%zu records\n", static_cast<size_t>(store.records()));
  std::fflush(stdout);
  Questions busy(store, 10);
  busy.ByKey();
  PrintTimes("why by id, before it has settled", busy.ById(), kWhyGoal);
  const double settled = store.Settle(settle_seconds);
  std::printf("    ingest %.2f M records/s, then sealed and merged in %.1f s: %zu parts, %.2f bytes a record\n",
              added / stored, settled, store.parts(), store.BytesPerRecord());
  Questions questions(store, rounds);
  Cost cost{static_cast<double>(store.records()), {}};
  cost.Add("ingest of 1 M more, s", stored / added);
  auto note = [&](const char* what, const Times& times, double goal) {
    PrintTimes(what, times, goal);
    cost.Add(absl::StrCat(what, ", median, ms"), times.At(0.5) * 1e3);
    cost.Add(absl::StrCat(what, ", p99, ms"), times.At(0.99) * 1e3);
    cost.Add(absl::StrCat(what, ", p99 of CPU, ms"), times.CpuAt(0.99) * 1e3);
    if (!last) return;
    RecordFigure({absl::StrCat(what, " of ", store.records() / 1000000, " M records, p99"), "ours", "Chartly",
                  times.At(0.99) * 1e3, "ms", true, goal * 1e3});
  };
  note("filtered page of 100", questions.Page(), kPageGoal);
  note("why by key", questions.ByKey(), kWhyGoal);
  note("why by id", questions.ById(), kWhyGoal);
  note("why not, by key", questions.ByAbsentKey(), kWhyGoal);
  note("why not, by id", questions.ByAbsentId(), kWhyGoal);
  const double report = Report(store);
  std::printf("    a page looked at %zu records at most; a report over one region of 17 took %.2f s\n",
              static_cast<size_t>(questions.scanned()), report);
  cost.Add("report over one region of 17, s", report);
  cost.Add("on disk, MiB", store.BytesPerRecord() * cost.records / 1048576);
  cost.Add("memory of the process, MiB", MiB("VmRSS"));
  std::printf("    memory %.0f MiB, at most %.0f MiB; the budget of index and store is %zu MiB\n", MiB("VmRSS"),
              MiB("VmHWM"), (kDedupeBytes + kStoreBytes) >> 20);
  std::fflush(stdout);
  return cost;
}

int Run(int argc, char** argv) {
  const BenchFlags flags = ParseFlags(argc, argv);
  BenchDir dir(flags.dir);
  uint64_t most = flags.quick ? 3'000'000 : 10'000'000;
  if (const char* records = std::getenv("CHARTLY_BENCH_RECORDS")) most = std::strtoull(records, nullptr, 10);
  double settle = flags.quick ? 10 : 900;
  if (const char* seconds = std::getenv("CHARTLY_BENCH_SETTLE_SECONDS")) settle = std::atof(seconds);
  std::vector<uint64_t> sizes;
  for (uint64_t size : {1'000'000, 10'000'000}) {
    if (size < most) sizes.push_back(size);
  }
  sizes.push_back(most);
  std::printf("query: pages, why and why not of a store that grows, in %s; %d runs and %d rows in quarantine beside\n",
              dir.path().c_str(), kRuns, kQuarantined);
  GrowingStore store(dir.path());
  store.AddLedger();
  std::vector<Cost> costs;
  for (uint64_t size : sizes) {
    costs.push_back(Measure(store, size, size == most && !flags.quick ? 200 : 40, settle, size == most));
  }
  PrintCosts(costs);
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(argc, argv); }
