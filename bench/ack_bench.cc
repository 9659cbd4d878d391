// Headline figure: how long a writer waits for its fsynced ack while 1,000 are connected, each over a stream of its
// own, and each sends a small batch a second. A wait begins when the batch was to be sent, so that a server that holds
// writers back does not look fast. Beside it, in turn, what the disk alone takes for one write of the same size and
// fdatasync, and what the same writers wait at a server that does nothing but append to a file and sync it
// (bare_log.h): so much of the wait is gRPC, the disk, and threads that take turns. Then, to be known rather than
// judged, all 1,000 at once, each sending again as soon as it has its ack.
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "bench/bare_log.h"
#include "bench/bench_report.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "common/batch/batch.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "control/aggregator/aggregator_component.h"

namespace chartly::bench {
namespace {

constexpr int kWriters = 1000;
constexpr int kRows = 20;
constexpr double kMedianGoal = 2, kTailGoal = 5;  // times the raw fdatasync
constexpr absl::Duration kPatience = absl::Minutes(2);

using Instant = std::chrono::steady_clock::time_point;
Instant Now() { return std::chrono::steady_clock::now(); }

double At(std::vector<double> seconds, double share) {
  std::sort(seconds.begin(), seconds.end());
  return seconds[std::min(seconds.size() - 1, static_cast<size_t>(share * static_cast<double>(seconds.size())))];
}

std::string MakeBatch(int writer, int64_t number) {
  BatchHeader origin;
  origin.set_tenant("default");
  origin.set_profile_id("bench");
  origin.set_run_id(absl::StrCat("run-", writer));
  origin.set_drone_id(absl::StrCat("drone-", writer));
  origin.set_source_uri("https://example.test/readings");
  origin.set_observed_us(1760000000000000 + number);
  BatchBuilder builder;
  builder.SetOrigin(origin);
  const size_t station = builder.AddColumn(Role::kDim, "station"), time = builder.AddColumn(Role::kDim, "time"),
               value = builder.AddColumn(Role::kMeasure, "value");
  for (int row = 0; row < kRows; ++row) {
    builder.BeginRow(1, static_cast<uint32_t>(row + 1));
    builder.SetText(station, absl::StrCat("station-", writer));
    builder.SetInteger(time, number * kRows + row);
    builder.SetInteger(value, (number * 7919 + row * 104729) % 100000);
    builder.EndRow();
  }
  auto batch = builder.Finish();
  RequireOk(batch.status(), "building a batch");
  return *std::move(batch);
}

// Waits of all writers, and how many are to come.
class Waits {
 public:
  void Expect(size_t acks) {
    absl::MutexLock lock(&mu_);
    seconds_.clear();
    open_ = acks;
  }
  void Add(double seconds) {
    absl::MutexLock lock(&mu_);
    seconds_.push_back(seconds);
    --open_;
  }
  std::vector<double> Await() {
    absl::MutexLock lock(&mu_);
    auto done = [this] { return open_ == 0; };
    const bool all = mu_.AwaitWithTimeout(absl::Condition(&done), kPatience);
    RequireOk(all ? absl::OkStatus() : absl::DeadlineExceededError("some acks never came"), "sending");
    return seconds_;
  }

 private:
  absl::Mutex mu_;
  std::vector<double> seconds_;
  size_t open_ = 0;
};

// One drone with its stream. Send is called by one thread; gRPC's threads do the rest.
class Writer final : public grpc::ClientBidiReactor<v1::IngestRequest, v1::IngestResponse> {
 public:
  Writer(v1::IngestService::Stub& stub, int number, Waits& waits) : number_(number), waits_(waits) {
    context_.AddMetadata("x-api-key", "key");
    v1::IngestHello& hello = *request_.mutable_hello();
    hello.set_drone_id(absl::StrCat("drone-", number));
    hello.set_spool_id("spool");
    hello.set_epoch(1);
    stub.async()->Ingest(&context_, this);
    StartWrite(&request_);
    StartRead(&response_);
    StartCall();
  }
  // Sends a batch each of the next `rounds` times: the first at once, the others each when its ack is there.
  void SendInTurn(int rounds) {
    absl::MutexLock lock(&mu_);
    rounds_ = rounds - 1;
    Enqueue(Now());
  }
  // Makes the next batch before it is due.
  void MakeReady() {
    std::string batch = MakeBatch(number_, made_++);
    absl::MutexLock lock(&mu_);
    ready_.push_back(std::move(batch));
  }
  void Send(Instant due) {
    absl::MutexLock lock(&mu_);
    Enqueue(due);
  }
  bool welcomed() const {
    absl::MutexLock lock(&mu_);
    return welcomed_;
  }
  void Close() {
    context_.TryCancel();
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&ended_));
  }

 private:
  void Enqueue(Instant due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    due_.push_back(due);
    WriteNext();
  }
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || sent_ == due_.size()) return;
    request_.mutable_entry()->set_seq(static_cast<int64_t>(++sent_));
    request_.mutable_entry()->set_batch(std::move(ready_[sent_ - 1]));
    writing_ = true;
    StartWrite(&request_);
  }
  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    if (ok) WriteNext();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    const Instant now = Now();
    {
      absl::MutexLock lock(&mu_);
      welcomed_ = welcomed_ || response_.has_welcome();
      for (; acked_ < static_cast<size_t>(response_.ack().seq()); ++acked_) {
        waits_.Add(std::chrono::duration<double>(now - due_[acked_]).count());
        if (rounds_ > 0) {
          --rounds_;
          Enqueue(now);
        }
      }
    }
    StartRead(&response_);
  }
  void OnDone(const grpc::Status&) override {
    absl::MutexLock lock(&mu_);
    ended_ = true;
  }

  const int number_;
  Waits& waits_;
  int64_t made_ = 0;
  grpc::ClientContext context_;
  v1::IngestRequest request_;
  v1::IngestResponse response_;
  mutable absl::Mutex mu_;
  std::vector<std::string> ready_ ABSL_GUARDED_BY(mu_);
  std::vector<Instant> due_ ABSL_GUARDED_BY(mu_);  // one a batch that is sent or to be sent
  size_t sent_ ABSL_GUARDED_BY(mu_) = 0;
  size_t acked_ ABSL_GUARDED_BY(mu_) = 0;
  int rounds_ ABSL_GUARDED_BY(mu_) = 0;
  bool writing_ ABSL_GUARDED_BY(mu_) = true;
  bool welcomed_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

// Single writes of that many bytes, each followed by fdatasync.
std::vector<double> RawSyncs(const std::string& dir, size_t bytes, int count) {
  const std::string path = dir + "/raw";
  const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  std::string piece(bytes, 'x');
  std::vector<double> seconds;
  for (int i = 0; i < count; ++i) {
    for (char& byte : piece) byte = static_cast<char>(byte * 31 + i + 7);
    Stopwatch watch;
    RequireOk(AppendSynced(fd, piece) ? absl::OkStatus() : absl::InternalError("the raw write failed"), "raw disk");
    seconds.push_back(watch.Wall());
  }
  ::close(fd);
  ::unlink(path.c_str());
  return seconds;
}

// Each writer a batch a second, evenly apart from each other.
std::vector<double> Paced(std::vector<std::unique_ptr<Writer>>& writers, Waits& waits, int rounds) {
  for (auto& writer : writers) {
    for (int round = 0; round < rounds; ++round) writer->MakeReady();
  }
  waits.Expect(writers.size() * static_cast<size_t>(rounds));
  // Of this thread alone: its sleeps end 50 us late unless told otherwise, which would count as the server's time.
  RequireOk(::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL) == 0 ? absl::OkStatus() : absl::InternalError("refused"),
            "asking for sleeps that end in time");
  const Instant begin = Now() + std::chrono::milliseconds(50);
  const auto step = std::chrono::nanoseconds(1'000'000'000 / static_cast<int64_t>(writers.size()));
  for (int64_t i = 0; i < static_cast<int64_t>(writers.size()) * rounds; ++i) {
    const Instant due = begin + i * step;
    std::this_thread::sleep_until(due);
    writers[static_cast<size_t>(i) % writers.size()]->Send(due);
  }
  return waits.Await();
}

std::vector<double> AllAtOnce(std::vector<std::unique_ptr<Writer>>& writers, Waits& waits, int rounds) {
  for (auto& writer : writers) {
    for (int round = 0; round < rounds; ++round) writer->MakeReady();
  }
  waits.Expect(writers.size() * static_cast<size_t>(rounds));
  for (auto& writer : writers) writer->SendInTurn(rounds);
  return waits.Await();
}

// The order matters: writers end before the connections that they use.
struct Connected {
  std::vector<std::unique_ptr<v1::IngestService::Stub>> stubs;
  std::vector<std::unique_ptr<Writer>> writers;
};

// A connection for every 20 of them.
Connected Connect(const std::string& address, Waits& waits) {
  Connected connected;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else all channels would be one connection
  for (int i = 0; i < kWriters; ++i) {
    if (i % 20 == 0) {
      connected.stubs.push_back(v1::IngestService::NewStub(
          grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments)));
    }
    connected.writers.push_back(std::make_unique<Writer>(*connected.stubs.back(), i, waits));
  }
  const Instant end = Now() + std::chrono::seconds(60);
  for (auto& writer : connected.writers) {
    while (!writer->welcomed()) {
      RequireOk(Now() < end ? absl::OkStatus() : absl::DeadlineExceededError("no welcome"), "connecting");
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  return connected;
}

void Print(const char* what, const std::vector<double>& seconds) {
  std::printf("%-52s p50 %9.3f ms   p99 %9.3f ms   max %9.3f ms\n", what, At(seconds, 0.5) * 1e3,
              At(seconds, 0.99) * 1e3, At(seconds, 1) * 1e3);
}

void Judge(const char* which, double ours, double bare, double raw, double goal) {
  std::printf("%s is %.2f times that of the raw fdatasync; at most %.0f: %s; %.2f times that of the bare log\n", which,
              ours / raw, goal, ours <= goal * raw ? "met" : "missed", ours / bare);
  const std::string group = absl::StrCat("ack with 1,000 writers, ", which);
  RecordFigure({group, "ours", "Chartly, over gRPC", ours * 1e3, "ms", true, goal * raw * 1e3});
  RecordFigure({group, "limit", "gRPC, append and fdatasync alone", bare * 1e3, "ms", true});
  RecordFigure({group, "limit", "raw write and fdatasync", raw * 1e3, "ms", true});
}

int Run(int argc, char** argv) {
  const BenchFlags flags = ParseFlags(argc, argv);
  BenchDir dir(flags.dir);
  rpc::KeyAuthenticator authenticator(std::vector<rpc::DeploymentKey>{{"bench", "key"}});
  aggregator::AggregatorConfig config;
  config.data_dir = dir.path() + "/store";
  rpc::Peers peers({}, "");
  auto component = aggregator::AggregatorComponent::Open(config, authenticator, nullptr, peers);
  RequireOk(component.status(), "opening the store");
  rpc::RpcServer server;
  server.Listen("127.0.0.1:0");
  for (grpc::Service* service : (*component)->services()) server.AddService(service);
  RequireOk(server.Start(), "starting the server");
  BareLog log(dir.path() + "/log");
  rpc::RpcServer bare_server;
  bare_server.Listen("127.0.0.1:0");
  bare_server.AddService(&log.service());
  RequireOk(bare_server.Start(), "starting the bare server");
  Waits waits;
  Connected connected = Connect(absl::StrCat("127.0.0.1:", server.ports()[0]), waits);
  Connected bare = Connect(absl::StrCat("127.0.0.1:", bare_server.ports()[0]), waits);
  const size_t bytes = MakeBatch(0, 0).size();
  std::printf("ack: %d writers, batches of %d records and %zu bytes, in %s\n", kWriters, kRows, bytes,
              dir.path().c_str());
  std::vector<double> raw, appended, paced;
  for (Connected* writers : {&connected, &bare}) Paced(writers->writers, waits, 1);  // warm
  for (int round = 0; round < (flags.quick ? 3 : 6); ++round) {
    for (double seconds : RawSyncs(dir.path(), bytes, flags.quick ? 500 : 1000)) raw.push_back(seconds);
    for (double seconds : Paced(bare.writers, waits, flags.quick ? 3 : 5)) appended.push_back(seconds);
    for (double seconds : Paced(connected.writers, waits, flags.quick ? 3 : 5)) paced.push_back(seconds);
  }
  Print("raw write and fdatasync, one after another", raw);
  Print("ack of a bare log, each writer a batch a second", appended);
  Print("ack, each writer a batch a second", paced);
  Judge("p50", At(paced, 0.5), At(appended, 0.5), At(raw, 0.5), kMedianGoal);
  Judge("p99", At(paced, 0.99), At(appended, 0.99), At(raw, 0.99), kTailGoal);
  Stopwatch watch;
  const std::vector<double> at_once = AllAtOnce(connected.writers, waits, flags.quick ? 5 : 20);
  const double batches = static_cast<double>(at_once.size()) / watch.Wall();
  Print("ack, each writer again as soon as it has its ack", at_once);
  std::printf("that is %.0f batches/s, %.0f records/s\n", batches, batches * kRows);
  for (Connected* writers : {&connected, &bare}) {
    for (auto& writer : writers->writers) writer->Close();
  }
  bare_server.Shutdown(absl::Seconds(5));
  (*component)->Shutdown();
  server.Shutdown(absl::Seconds(5));
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(argc, argv); }
