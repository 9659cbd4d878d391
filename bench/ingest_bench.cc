// Headline figure: records per second from the first batch sent over gRPC to the last fsynced ack, client and server
// on the same cores, beside what the disk alone does with the same bytes in the same pieces, and what the parts of it
// cost alone.
#include <atomic>
#include <cstdio>
#include <memory>
#include <sstream>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "bench/bench_report.h"
#include "bench/ingest_parts.h"
#include "bench/station_load.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/aggregator/aggregator_component.h"

namespace chartly::bench {
namespace {

constexpr size_t kStreams = 4;
constexpr double kTarget = 5e6;       // records a second
constexpr size_t kPartBatches = 160;  // of which the parts are measured

struct Load {
  std::vector<std::vector<std::string>> batches;  // by stream
  size_t records = 0;
  size_t bytes = 0;
};

Load MakeLoad(size_t batches) {
  Load load;
  load.batches.resize(kStreams);
  for (size_t i = 0; i < batches; ++i) {
    load.batches[i % kStreams].push_back(MakeStationBatch(i % kStreams, i));
    load.bytes += load.batches[i % kStreams].back().size();
  }
  load.records = batches * kStationRows;
  return load;
}

// The metric of that name, and of that kind if one is given.
double MetricOf(const std::string& name, const std::string& kind = "") {
  std::istringstream lines(ScrapeMetrics());
  for (std::string line; std::getline(lines, line);) {
    const bool is_it = line.rfind(name, 0) == 0 && line.find(kind) != std::string::npos;
    if (is_it) return std::stod(line.substr(line.rfind(' ')));
  }
  return 0;
}
double CommitCount() { return MetricOf("chartly_ingest_commit_seconds_count"); }
double RowsWritten(const char* kind) { return MetricOf("chartly_store_sealed_rows_total", kind); }

// One drone: sends while its window has room, until everything is acked.
class Sender {
 public:
  Sender(const std::string& address, size_t stream, const std::vector<std::string>& batches)
      : batches_(batches), stub_(v1::IngestService::NewStub(rpc::MakeChannel(address, "key"))) {
    context_.set_wait_for_ready(true);
    stream_ = stub_->Ingest(&context_);
    v1::IngestRequest request;
    request.mutable_hello()->set_drone_id(absl::StrCat("drone-", stream));
    request.mutable_hello()->set_spool_id("spool");
    request.mutable_hello()->set_epoch(1);
    v1::IngestResponse response;
    if (!stream_->Write(request) || !stream_->Read(&response)) Report();
    window_ = response.welcome().window_bytes();
  }
  void Run() {
    std::thread acks([this] { ReadAcks(); });
    v1::IngestRequest request;
    for (size_t i = 0; i < batches_.size(); ++i) {
      auto size = static_cast<int64_t>(batches_[i].size());
      {
        absl::MutexLock lock(&mu_);
        auto room = [this, size] { return sent_ - acked_ + size <= window_ || failed_; };
        mu_.Await(absl::Condition(&room));
        sent_ += size;
      }
      request.mutable_entry()->set_seq(static_cast<int64_t>(i) + 1);
      request.mutable_entry()->set_batch(batches_[i]);
      if (!stream_->Write(request)) break;
    }
    acks.join();
    stream_->WritesDone();
    absl::Status status = rpc::FromGrpcStatus(stream_->Finish());
    RequireOk(status, "sending");
  }

 private:
  void ReadAcks() {
    v1::IngestResponse response;
    for (size_t next = 0; next < batches_.size();) {
      bool read = stream_->Read(&response);
      absl::MutexLock lock(&mu_);
      failed_ = !read;
      if (failed_) return;
      for (; next < static_cast<size_t>(response.ack().seq()); ++next) {
        acked_ += static_cast<int64_t>(batches_[next].size());
      }
    }
  }
  void Report() { RequireOk(rpc::FromGrpcStatus(stream_->Finish()), "saying hello"); }

  const std::vector<std::string>& batches_;
  grpc::ClientContext context_;
  std::unique_ptr<v1::IngestService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::IngestRequest, v1::IngestResponse>> stream_;
  absl::Mutex mu_;
  int64_t window_ = 0;
  int64_t sent_ = 0;
  int64_t acked_ = 0;
  bool failed_ = false;
};

struct Sample {
  double wall = 0;
  double cpu = 0;
  size_t commits = 0;
  // Rows that went into parts meanwhile.
  double sealed = 0;
  double merged = 0;
};

void CheckStored(const std::string& address, size_t records) {
  auto stub = v1::RecordService::NewStub(rpc::MakeChannel(address, "key"));
  grpc::ClientContext context;
  v1::ResultsSummary summary;
  RequireOk(rpc::FromGrpcStatus(stub->GetResultsSummary(&context, {}, &summary)), "counting");
  if (summary.total_results() == static_cast<int64_t>(records)) return;
  RequireOk(absl::InternalError(absl::StrCat(summary.total_results(), " of ", records, " records are stored")),
            "ingest");
}

// From the first batch to the last ack, all streams at once.
struct Sent {
  double wall = 0;
  double cpu = 0;
};
Sent SendAll(const std::string& address, const Load& load) {
  std::vector<std::unique_ptr<Sender>> senders;
  for (size_t i = 0; i < kStreams; ++i) senders.push_back(std::make_unique<Sender>(address, i, load.batches[i]));
  Stopwatch watch;
  std::vector<std::thread> threads;
  for (auto& sender : senders) threads.emplace_back([&sender] { sender->Run(); });
  for (std::thread& thread : threads) thread.join();
  return {watch.Wall(), watch.Cpu()};
}

// Takes everything and says at once that it is durable: what is left is gRPC.
class AckAll final : public v1::IngestService::Service {
 public:
  grpc::Status Ingest(grpc::ServerContext*,
                      grpc::ServerReaderWriter<v1::IngestResponse, v1::IngestRequest>* stream) override {
    v1::IngestRequest request;
    v1::IngestResponse response;
    while (stream->Read(&request)) {
      if (request.has_hello()) {
        response.mutable_welcome()->set_window_bytes(8 << 20);
      } else {
        response.mutable_ack()->set_seq(request.entry().seq());
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
};

double Transport(const Load& load) {
  AckAll service;
  rpc::RpcServer server;
  server.Listen("127.0.0.1:0");
  server.AddService(&service);
  RequireOk(server.Start(), "starting the server");
  const double cpu = SendAll(absl::StrCat("127.0.0.1:", server.ports()[0]), load).cpu;
  server.Shutdown(absl::Seconds(5));
  return cpu;
}

void PrintParts(size_t commits, const std::string& dir) {
  const Load load = MakeLoad(kPartBatches);
  std::vector<std::string> batches;
  for (const auto& of_stream : load.batches) batches.insert(batches.end(), of_stream.begin(), of_stream.end());
  std::vector<Part> parts = {{"gRPC alone, client and server", Transport(load)}};
  for (Part& part : MeasureParts(batches, std::max<size_t>(commits, 1), dir)) parts.push_back(std::move(part));
  for (Part& part : MeasureSealing(batches, dir + "/sealed")) parts.push_back(std::move(part));
  std::printf("\nprocessor of the parts alone, us a record:\n");
  for (const Part& part : parts) {
    std::printf("  %-40s %6.3f\n", part.name.c_str(), part.cpu / static_cast<double>(load.records) * 1e6);
  }
}

Sample Measure(const std::string& dir, const Load& load) {
  rpc::KeyAuthenticator authenticator(std::vector<rpc::DeploymentKey>{{"bench", "key"}});
  aggregator::AggregatorConfig config;
  config.data_dir = dir;
  rpc::Peers peers({}, "");
  auto component = aggregator::AggregatorComponent::Open(config, authenticator, nullptr, peers);
  RequireOk(component.status(), "opening the store");
  rpc::RpcServer server;
  server.Listen("127.0.0.1:0");
  for (grpc::Service* service : (*component)->services()) server.AddService(service);
  RequireOk(server.Start(), "starting the server");
  std::string address = absl::StrCat("127.0.0.1:", server.ports()[0]);
  const double commits = CommitCount(), sealed = RowsWritten("\"seal\""), merged = RowsWritten("\"merge\"");
  const Sent sent = SendAll(address, load);
  Sample sample{sent.wall, sent.cpu, static_cast<size_t>(CommitCount() - commits)};
  sample.sealed = RowsWritten("\"seal\"") - sealed;
  sample.merged = RowsWritten("\"merge\"") - merged;
  CheckStored(address, load.records);
  (*component)->Shutdown();
  server.Shutdown(absl::Seconds(5));
  return sample;
}

// Medians of some rounds.
struct Rates {
  double records = 0;  // a second, as the others
  double megabytes = 0;
  double cpu = 0;  // us a record
  double raw = 0;  // records a second that the disk alone takes
  size_t commits = 0;
};

Rates MeasureRounds(const std::string& dir, const Load& load, int rounds) {
  const double records = static_cast<double>(load.records);
  std::vector<double> walls, cpus, raws;
  Rates rates;
  for (int round = 0; round < rounds; ++round) {
    BenchDir store(dir);
    Sample sample = Measure(store.path(), load);
    double raw = RawSyncedWrite(store.path(), load.bytes, std::max<size_t>(sample.commits, 1));
    if (raw <= 0) RequireOk(absl::InternalError("the raw write failed"), "raw disk");
    std::printf(
        "  %d: %.2f M records/s, %.2f CPU s, %zu commits, %.2f M rows sealed meanwhile, %.2f M merged; "
        "raw disk %.2f M records/s\n",
        round + 1, records / sample.wall / 1e6, sample.cpu, sample.commits, sample.sealed / 1e6, sample.merged / 1e6,
        records / raw / 1e6);
    walls.push_back(sample.wall);
    cpus.push_back(sample.cpu);
    raws.push_back(raw);
    rates.commits = sample.commits;
  }
  rates.records = records / Median(walls);
  rates.megabytes = static_cast<double>(load.bytes) / 1e6 / Median(walls);
  rates.cpu = Median(cpus) / records * 1e6;
  rates.raw = records / Median(raws);
  return rates;
}

void PrintRates(const char* what, const Rates& rates) {
  std::printf("%-44s %14.0f %10.1f %12.3f\n", what, rates.records, rates.megabytes, rates.cpu);
}

int Run(int argc, char** argv) {
  BenchFlags flags = ParseFlags(argc, argv);
  BenchDir dir(flags.dir);
  constexpr size_t kBatches = 640, kQuickBatches = kPartBatches, kTimesLonger = 4;
  const Load load = MakeLoad(flags.quick ? kQuickBatches : kBatches);
  std::printf("ingest: %zu batches of %d records (4 dims, 2 measures), %.1f MB, %zu streams, %u cores, in %s\n",
              load.records / kStationRows, kStationRows, static_cast<double>(load.bytes) / 1e6, kStreams,
              std::thread::hardware_concurrency(), dir.path().c_str());
  const Rates rates = MeasureRounds(dir.path(), load, flags.quick ? 3 : 5);
  // What was put off while a burst lasted is done in this one.
  std::printf("%zu times as many:\n", kTimesLonger);
  const Rates lasting = MeasureRounds(dir.path(), MakeLoad(kTimesLonger * load.records / kStationRows), 3);
  std::printf("\n%-44s %14s %10s %12s\n", "median", "records/s", "MB/s", "CPU s/M rec");
  PrintRates("Chartly: batches over gRPC to fsynced ack", rates);
  PrintRates("Chartly: the same for longer", lasting);
  std::printf("%-44s %14.0f %10s %12s\n", "limit: raw disk, same bytes and syncs", rates.raw, "", "-");
  std::printf("ratio to the limit: %.2f; bytes/record %.2f; target %.0f records/s: %s\n", rates.records / rates.raw,
              static_cast<double>(load.bytes) / static_cast<double>(load.records), kTarget,
              rates.records >= kTarget ? "met" : "missed");
  const std::string group = "ingest over gRPC to fsynced ack, two cores";
  RecordFigure({group, "ours", "Chartly", rates.records, "records/s", false, kTarget});
  RecordFigure({group, "limit", "raw disk, same bytes and syncs", rates.raw, "records/s"});
  RecordFigure({group + ", four times as many records", "ours", "Chartly", lasting.records, "records/s"});
  BenchDir parts(dir.path());
  PrintParts(rates.commits * kPartBatches / (load.records / kStationRows), parts.path());
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(argc, argv); }
