#include "drone/uplink/uplink.h"

#include <atomic>
#include <map>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using testing::Eventually;
using testing::TempDir;

// An aggregator that keeps entries in a list, refuses gaps and wrong epochs, and breaks streams at random moments.
class RoughAggregator final : public v1::IngestService::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::IngestResponse, v1::IngestRequest>;

  grpc::Status Ingest(grpc::ServerContext*, Stream* stream) override {
    v1::IngestRequest request;
    if (!stream->Read(&request) || !request.has_hello())
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "hello");
    const v1::IngestHello hello = request.hello();
    {
      absl::MutexLock lock(&mu_);
      ++streams_;
      if (hello.epoch() < epoch_) {
        return rpc::ToGrpcStatus(Error(absl::StatusCode::kFailedPrecondition, "EPOCH_FENCED", "older epoch"));
      }
      highest_hello_acked_ = std::max(highest_hello_acked_, hello.acked_seq());
      v1::IngestResponse response;
      response.mutable_welcome()->set_durable_seq(Durable(hello.spool_id()));
      response.mutable_welcome()->set_window_bytes(window_);
      stream->Write(response);
    }
    int64_t unacked_bytes = 0;
    while (stream->Read(&request)) {
      absl::MutexLock lock(&mu_);
      int64_t seq = request.entry().seq();
      std::vector<std::string>& entries = spools_[hello.spool_id()];
      if (seq != static_cast<int64_t>(entries.size()) + 1) {
        ++gaps_;
        return grpc::Status(grpc::StatusCode::OUT_OF_RANGE, absl::StrCat("gap at ", seq));
      }
      if (Chance(kill_)) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone before storing");
      const v1::RunEnd& end = request.entry().run_end();
      entries.push_back(request.entry().has_run_end() ? absl::StrCat("end:", end.run_id(), ":", end.error_reason())
                                                      : request.entry().batch());
      unacked_bytes += static_cast<int64_t>(request.entry().batch().size());
      most_unacked_ = std::max(most_unacked_, unacked_bytes);
      if (Chance(kill_)) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone before acking");
      // Late acks are fine as long as the window does not close on them.
      if (unacked_bytes < window_ / 4 && Chance(30)) continue;
      v1::IngestResponse response;
      response.mutable_ack()->set_seq(seq);
      if (checkpoint_ && Chance(50)) response.mutable_ack()->set_checkpoint_seq(checkpointed_ = seq);
      stream->Write(response);
      unacked_bytes = 0;
    }
    // The drone has said goodbye, or the stream broke.
    return grpc::Status::OK;
  }

  // Everything stored under the id, in order.
  std::vector<std::string> Stored(const std::string& spool_id) {
    absl::MutexLock lock(&mu_);
    return spools_[spool_id];
  }
  std::vector<std::string> StoredAll() {
    absl::MutexLock lock(&mu_);
    std::vector<std::string> all;
    for (const auto& [id, entries] : spools_) all.insert(all.end(), entries.begin(), entries.end());
    return all;
  }
  void Lose(const std::string& spool_id, size_t keep) {
    absl::MutexLock lock(&mu_);
    spools_[spool_id].resize(keep);
  }
  void SetEpoch(int64_t epoch) {
    absl::MutexLock lock(&mu_);
    epoch_ = epoch;
  }

  int kill_ = 0;  // percent
  int64_t window_ = 20'000;
  bool checkpoint_ = true;
  std::atomic<int> gaps_ = 0;
  std::atomic<int> streams_ = 0;
  int64_t most_unacked_ = 0;
  int64_t highest_hello_acked_ = 0;

 private:
  bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  int64_t Durable(const std::string& id) { return static_cast<int64_t>(spools_[id].size()); }
  absl::Mutex mu_;
  std::mt19937 random_{11};
  std::map<std::string, std::vector<std::string>> spools_;
  int64_t epoch_ = 0;
  int64_t checkpointed_ = 0;
};

// One aggregator on a free port, and a drone's spool and uplink that can be stopped and started.
class Rig {
 public:
  Rig() {
    server_.Listen("127.0.0.1:0");
    server_.AddService(&aggregator);
    REQUIRE_OK(server_.Start());
    OpenSpoolAgain();
  }
  ~Rig() {
    uplink.reset();
    server_.Shutdown(absl::Seconds(1));
  }
  void OpenSpoolAgain() {
    uplink.reset();
    spool.reset();
    SpoolOptions options;
    options.path = dir.File("spool");
    options.segment_bytes = 8192;
    options.sync_for_test = [](int) { return 0; };
    auto opened = Spool::Open(options);
    REQUIRE_OK(opened);
    spool = *std::move(opened);
    if (spool->OpenRuns().empty()) {
      v1::RunEnd run;
      run.set_run_id("r");
      REQUIRE_OK(spool->BeginRun(run));
    }
  }
  void StartUplink(int64_t epoch = 1) {
    UplinkOptions options;
    options.drone_id = "d1";
    options.min_backoff = absl::Milliseconds(2);
    options.max_backoff = absl::Milliseconds(20);
    options.ack_timeout = absl::Milliseconds(300);  // the aggregator owes the last ack at times
    auto channel = rpc::MakeChannel(absl::StrCat("127.0.0.1:", server_.ports()[0]), "");
    uplink = std::make_unique<Uplink>(options, UplinkDeps{*spool, channel, [this](int64_t) { ++fenced; }});
    uplink->Start();
    uplink->SetEpoch(epoch);
  }
  void Append(const std::string& payload) {
    REQUIRE_OK(spool->Append("r", payload, 1));
    expected.push_back(payload);
  }
  bool AllAcked() {
    return Eventually([this] { return spool->acked_seq() == spool->last_seq(); });
  }
  std::string id() { return spool->identity().id; }

  TempDir dir;
  RoughAggregator aggregator;
  std::unique_ptr<Spool> spool;
  std::unique_ptr<Uplink> uplink;
  std::vector<std::string> expected;
  std::atomic<int> fenced = 0;

 private:
  rpc::RpcServer server_;
};

TEST_CASE("everything arrives once and in order, though streams break and the drone restarts") {
  Rig rig;
  rig.aggregator.kill_ = 5;
  std::mt19937 random(3);
  for (int round = 0; round < 4; ++round) {
    rig.StartUplink(round + 1);
    for (int i = 0; i < 100; ++i) rig.Append(absl::StrCat(round, ":", i, std::string(random() % 3000, 'x')));
    if (round % 2 == 0) REQUIRE(rig.AllAcked());
    rig.OpenSpoolAgain();
  }
  rig.StartUplink(9);
  REQUIRE(rig.AllAcked());
  CHECK(rig.aggregator.Stored(rig.id()) == rig.expected);
  CHECK(rig.aggregator.gaps_ == 0);
  CHECK(rig.aggregator.most_unacked_ <= rig.aggregator.window_);
  // What was checkpointed is gone from the disk.
  CHECK(rig.spool->bytes() < 300'000);
}

TEST_CASE("entries the aggregator lost after acking are sent again from the spool") {
  Rig rig;
  rig.aggregator.checkpoint_ = false;
  rig.StartUplink();
  for (int i = 0; i < 50; ++i) rig.Append(absl::StrCat("entry ", i));
  REQUIRE(rig.AllAcked());
  rig.uplink.reset();
  rig.aggregator.Lose(rig.id(), 20);
  rig.StartUplink();
  CHECK(Eventually([&] { return rig.aggregator.Stored(rig.id()) == rig.expected; }));
  CHECK(rig.aggregator.highest_hello_acked_ == 50);
}

TEST_CASE("a gap in the spool does not stop what comes after it") {
  Rig rig;
  for (int i = 0; i < 40; ++i) rig.Append(absl::StrCat("entry ", i, std::string(1000, 'x')));
  // A segment in the middle vanishes.
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(rig.dir.File("spool"))) {
    if (file.path().extension() == ".seg") names.push_back(file.path().string());
  }
  std::sort(names.begin(), names.end());
  std::filesystem::remove(names[2]);
  rig.OpenSpoolAgain();
  v1::RunEnd whole;
  whole.set_run_id("whole");
  REQUIRE_OK(rig.spool->BeginRun(whole));
  for (const v1::RunEnd& run : rig.spool->OpenRuns()) REQUIRE_OK(rig.spool->EndRun(run));
  REQUIRE(rig.spool->recovery().lost.size() == 1);
  auto [first, last] = rig.spool->recovery().lost[0];
  rig.StartUplink();
  REQUIRE(rig.AllAcked());
  rig.expected.erase(rig.expected.begin() + first - 1, rig.expected.begin() + last);
  // The run that lost rows says so, the other one does not.
  rig.expected.insert(rig.expected.end(), {"end:r:SPOOL_DAMAGED", "end:whole:"});
  std::vector<std::string> all = rig.aggregator.StoredAll();
  std::sort(all.begin(), all.end());
  std::sort(rig.expected.begin(), rig.expected.end());
  CHECK(all == rig.expected);
  CHECK(rig.aggregator.gaps_ == 0);
}

TEST_CASE("an aggregator that starts from nothing gets what is still held, and all that follows") {
  Rig rig;
  rig.StartUplink();
  for (int i = 0; i < 60; ++i) rig.Append(absl::StrCat("entry ", i, std::string(1000, 'x')));
  REQUIRE(rig.AllAcked());
  rig.uplink.reset();
  std::string before = rig.id();
  rig.aggregator.Lose(before, 0);
  rig.StartUplink();
  for (int i = 0; i < 5; ++i) rig.Append(absl::StrCat("later ", i));
  REQUIRE(Eventually([&] {
    auto stored = rig.aggregator.Stored(rig.id());
    return stored.size() >= 5 && stored.back() == "later 4";
  }));
  CHECK(rig.aggregator.gaps_ == 0);
}

TEST_CASE("a spool whose disk went back in time does not hide new entries behind old numbers") {
  Rig rig;
  rig.aggregator.checkpoint_ = false;
  for (int i = 0; i < 5; ++i) rig.Append(absl::StrCat("entry ", i));
  rig.spool.reset();
  std::filesystem::copy(rig.dir.File("spool"), rig.dir.File("old"), std::filesystem::copy_options::recursive);
  rig.OpenSpoolAgain();
  rig.StartUplink();
  for (int i = 5; i < 10; ++i) rig.Append(absl::StrCat("entry ", i));
  REQUIRE(rig.AllAcked());
  rig.uplink.reset();
  rig.spool.reset();
  std::filesystem::remove_all(rig.dir.File("spool"));
  std::filesystem::rename(rig.dir.File("old"), rig.dir.File("spool"));
  rig.OpenSpoolAgain();
  for (int i = 0; i < 3; ++i) rig.Append(absl::StrCat("new ", i));
  rig.StartUplink();
  REQUIRE(rig.AllAcked());
  CHECK(rig.aggregator.Stored(rig.id()) == std::vector<std::string>{"new 0", "new 1", "new 2"});
  CHECK(rig.aggregator.StoredAll().size() == 13);
}

TEST_CASE("of two copies of a spool each sends its own, and what both hold arrives once") {
  Rig rig;
  rig.aggregator.checkpoint_ = false;
  for (int i = 0; i < 5; ++i) rig.Append(absl::StrCat("common ", i));
  rig.spool.reset();
  std::filesystem::copy(rig.dir.File("spool"), rig.dir.File("clone"), std::filesystem::copy_options::recursive);
  // The clone appends while it is offline, over several starts, more than the original does.
  SpoolOptions options;
  options.path = rig.dir.File("clone");
  for (int start = 0; start < 3; ++start) {
    auto clone = Spool::Open(options);
    REQUIRE_OK(clone);
    CHECK((*clone)->fork_seq() == 5);
    for (int i = 0; i < 3; ++i) REQUIRE_OK((*clone)->Append("r", absl::StrCat("clone ", start, i), 1));
  }
  rig.OpenSpoolAgain();
  CHECK(rig.spool->fork_seq() == 0);
  rig.StartUplink();
  for (int i = 0; i < 4; ++i) rig.Append(absl::StrCat("original ", i));
  bool first_sends_all = GENERATE(true, false);
  if (first_sends_all) REQUIRE(rig.AllAcked());
  rig.OpenSpoolAgain();
  std::string original = rig.id();
  rig.spool.reset();
  std::filesystem::rename(rig.dir.File("spool"), rig.dir.File("original"));
  std::filesystem::rename(rig.dir.File("clone"), rig.dir.File("spool"));
  rig.OpenSpoolAgain();
  rig.StartUplink();
  REQUIRE(rig.AllAcked());
  CHECK(rig.id() != original);
  rig.uplink.reset();
  rig.spool.reset();
  std::filesystem::rename(rig.dir.File("spool"), rig.dir.File("clone"));
  std::filesystem::rename(rig.dir.File("original"), rig.dir.File("spool"));
  rig.OpenSpoolAgain();
  rig.StartUplink();
  REQUIRE(rig.AllAcked());
  CHECK(rig.aggregator.Stored(original) == rig.expected);
  CHECK(rig.aggregator.StoredAll().size() == rig.expected.size() + 9);
}

TEST_CASE("a fenced epoch is reported, and a new one goes on") {
  Rig rig;
  rig.aggregator.SetEpoch(5);
  rig.StartUplink(4);
  rig.Append("one");
  REQUIRE(Eventually([&] { return rig.fenced > 0; }));
  CHECK(rig.aggregator.StoredAll().empty());
  rig.uplink->SetEpoch(5);
  CHECK(rig.AllAcked());
  CHECK(rig.uplink->health().ok());
  CHECK(rig.fenced == 1);
}

TEST_CASE("shutdown sends what is left, and ends in time when nobody answers") {
  Rig rig;
  rig.StartUplink();
  for (int i = 0; i < 200; ++i) rig.Append(absl::StrCat("entry ", i, std::string(500, 'x')));
  rig.uplink->Shutdown(absl::Seconds(20));
  CHECK(rig.aggregator.Stored(rig.id()) == rig.expected);
  rig.aggregator.SetEpoch(100);
  rig.Append("never taken");
  rig.StartUplink(1);
  auto begin = std::chrono::steady_clock::now();
  rig.uplink->Shutdown(absl::Milliseconds(300));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
}

}  // namespace
}  // namespace chartly::drone
