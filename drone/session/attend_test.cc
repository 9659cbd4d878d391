// The drone's end of its stream. Beats are half a minute apart here, so that what comes sooner came without waiting.
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "drone/session/session.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using testing::Eventually;

// Answers each beat, and tells what it is given at once.
class StreamingCoordinator final : public v1::CoordinatorService::Service {
 public:
  grpc::Status RegisterDrone(grpc::ServerContext*, const v1::RegisterDroneRequest*, v1::Drone* drone) override {
    absl::MutexLock lock(&mu_);
    drone->set_epoch(++epoch_);
    drone->set_heartbeat_interval_ms(interval_ms);
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request, v1::HeartbeatResponse*) override {
    absl::MutexLock lock(&mu_);
    Hear(*request);
    return grpc::Status::OK;
  }
  grpc::Status Attend(grpc::ServerContext*,
                      grpc::ServerReaderWriter<v1::HeartbeatResponse, v1::HeartbeatRequest>* stream) override {
    const int number = ++streams;
    std::thread pusher([&] { Push(*stream, number); });
    v1::HeartbeatRequest beat;
    absl::Status end;
    while (end.ok() && stream->Read(&beat)) {
      absl::MutexLock lock(&mu_);
      end = std::exchange(end_, absl::OkStatus());
      if (end.ok()) Hear(beat);
    }
    {
      absl::MutexLock lock(&mu_);
      over_ = number;
    }
    pusher.join();
    return rpc::ToGrpcStatus(end);
  }

  void Order(const std::string& run_id, const std::string& content) {
    absl::MutexLock lock(&mu_);
    v1::RunOrder& order = orders_[run_id];
    order.set_run_id(run_id);
    order.set_profile_id("people");
    order.set_revision("profiles/people@sha256:0");
    order.set_content(content);
    news_ = true;
  }
  void Cancel(const std::string& run_id) {
    absl::MutexLock lock(&mu_);
    cancels_.insert(run_id);
    news_ = true;
  }
  // Ends the stream with the next beat, which is not heard.
  void End(const absl::Status& why) {
    absl::MutexLock lock(&mu_);
    end_ = why;
  }
  v1::RunProgress Progress(const std::string& run_id) {
    absl::MutexLock lock(&mu_);
    return progress_[run_id];
  }
  bool Finished(const std::string& run_id) {
    return Eventually([&] { return Progress(run_id).finished(); });
  }
  int64_t last_epoch() {
    absl::MutexLock lock(&mu_);
    return last_epoch_;
  }
  std::atomic<int> interval_ms = 30'000;
  std::atomic<int> streams = 0;
  std::atomic<int> beats = 0;

 private:
  void Hear(const v1::HeartbeatRequest& beat) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    ++beats;
    last_epoch_ = beat.epoch();
    for (const v1::RunProgress& run : beat.runs()) {
      orders_.erase(run.run_id());
      progress_[run.run_id()] = run;
    }
    sequence_ = beat.sequence();
    news_ = true;
  }
  void Push(grpc::ServerReaderWriter<v1::HeartbeatResponse, v1::HeartbeatRequest>& stream, int number) {
    auto due = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return news_ || over_ >= number; };
    while (true) {
      v1::HeartbeatResponse answer;
      {
        absl::MutexLock lock(&mu_);
        mu_.Await(absl::Condition(&due));
        if (over_ >= number) return;
        news_ = false;
        answer.set_sequence(sequence_);
        for (const auto& [id, order] : orders_) *answer.add_orders() = order;
        for (const std::string& id : cancels_) answer.add_cancel_run_ids(id);
      }
      stream.Write(answer);
    }
  }

  absl::Mutex mu_;
  int64_t epoch_ = 0;
  int64_t last_epoch_ = 0;
  int64_t sequence_ = 0;
  bool news_ = false;
  int over_ = 0;  // the last stream that ended
  absl::Status end_;
  std::map<std::string, v1::RunOrder> orders_;
  std::set<std::string> cancels_;
  std::map<std::string, v1::RunProgress> progress_;
};

struct Rig {
  testing::HttpFixture server;
  testing::TempDir dir;
  SystemClock clock;
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({"127.0.0.1/32"}));
  StreamingCoordinator coordinator;
  rpc::RpcServer rpc;
  std::unique_ptr<Spool> spool;
  std::unique_ptr<RunExecutor> executor;
  std::unique_ptr<Session> session;

  Rig() {
    rpc.Listen("127.0.0.1:0");
    rpc.AddService(&coordinator);
    REQUIRE_OK(rpc.Start());
  }
  ~Rig() {
    if (session) session->Shutdown();
    rpc.Shutdown(absl::Seconds(1));
  }
  void Start(int capacity = 2) {
    SpoolOptions spool_options;
    spool_options.path = dir.File("spool");
    spool = Spool::Open(spool_options).value();
    executor = std::make_unique<RunExecutor>(
        capacity, RunExecutorDeps{*spool, *http, clock, dir.path(), "d1", [this] { session->Wake(); }});
    SessionOptions options;
    options.drone_id = "d1";
    options.min_backoff = absl::Milliseconds(5);
    options.max_backoff = absl::Milliseconds(50);
    session =
        std::make_unique<Session>(options, SessionDeps{rpc::MakeChannel(absl::StrCat("127.0.0.1:", rpc.ports()[0]), ""),
                                                       *spool, *executor, nullptr, nullptr});
    session->Start();
    REQUIRE(Eventually([&] { return coordinator.beats > 0; }));
  }
  std::string Profile(const std::string& path, int delay_ms = 0) {
    server.Map(path, {.status = 200,
                      .body = R"([{"id":1}])",
                      .headers = {},
                      .delay = std::chrono::milliseconds(delay_ms),
                      .raw = ""});
    return absl::StrCat("id: people\nname: People\nversion: 1.0.0\nsource:\n  type: http_rest\n  url: ",
                        server.Url(path), "\n  format: json\nmapping:\n  id: dims.id\n");
  }
};

}  // namespace

TEST_CASE("an order on the stream begins at once, and begin and end are told without waiting for the interval") {
  Rig rig;
  rig.Start();
  CHECK(rig.coordinator.streams == 1);
  absl::Time ordered = absl::Now();
  rig.coordinator.Order("r1", rig.Profile("/people"));
  REQUIRE(rig.coordinator.Finished("r1"));
  CHECK(absl::Now() - ordered < absl::Seconds(5));
  CHECK(rig.coordinator.Progress("r1").fetched() == 1);
  CHECK(rig.server.Count("/people") == 1);
  rig.coordinator.Order("slow", rig.Profile("/slow", 20'000));
  REQUIRE(Eventually([&] { return rig.coordinator.Progress("slow").run_id() == "slow"; }));
  rig.coordinator.Cancel("slow");
  REQUIRE(rig.coordinator.Finished("slow"));
  CHECK(absl::Now() - ordered < absl::Seconds(15));
  CHECK(rig.coordinator.streams == 1);
}

TEST_CASE("an order that finds no place is not told of again and again") {
  Rig rig;
  rig.Start(1);
  rig.coordinator.Order("r1", rig.Profile("/1", 20'000));
  REQUIRE(Eventually([&] { return rig.coordinator.Progress("r1").run_id() == "r1"; }));
  const int before = rig.coordinator.beats;
  rig.coordinator.Order("r2", rig.Profile("/2"));
  // Each of these is answered with the order.
  for (int i = 1; i <= 5; ++i) {
    rig.session->Wake();
    REQUIRE(Eventually([&] { return rig.coordinator.beats >= before + i; }));
  }
  CHECK(rig.coordinator.beats <= before + 6);
  CHECK(rig.server.Count("/2") == 0);
}

TEST_CASE("a stream that ends is opened again in the same epoch, a fenced drone registers anew") {
  Rig rig;
  rig.Start();
  const absl::Status away = Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the coordinator stops");
  rig.coordinator.End(away);
  rig.session->Wake();
  REQUIRE(Eventually([&] { return rig.coordinator.streams == 2 && rig.session->health().ok(); }));
  CHECK(rig.coordinator.last_epoch() == 1);
  rig.coordinator.End(Error(absl::StatusCode::kFailedPrecondition, "EPOCH_FENCED", "older epoch"));
  rig.session->Wake();
  REQUIRE(Eventually([&] { return rig.coordinator.last_epoch() == 2; }));
  rig.coordinator.End(Error(absl::StatusCode::kNotFound, "DRONE_UNKNOWN", "register first"));
  rig.session->Wake();
  REQUIRE(Eventually([&] { return rig.coordinator.last_epoch() == 3; }));
  rig.coordinator.Order("r1", rig.Profile("/people"));
  CHECK(rig.coordinator.Finished("r1"));
}

TEST_CASE("the end of a run is told again if its beat was not answered") {
  Rig rig;
  rig.Start();
  rig.coordinator.Order("r1", rig.Profile("/people", 300));
  REQUIRE(Eventually([&] { return rig.coordinator.Progress("r1").run_id() == "r1"; }));
  // The beat that tells of the end is the one that is not heard.
  rig.coordinator.End(Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the coordinator stops"));
  REQUIRE(rig.coordinator.Finished("r1"));
  CHECK(rig.coordinator.streams == 2);
}

TEST_CASE("a drone stops within a moment although its stream is open") {
  Rig rig;
  rig.Start();
  rig.coordinator.Order("r1", rig.Profile("/1", 20'000));
  REQUIRE(Eventually([&] { return rig.coordinator.Progress("r1").run_id() == "r1"; }));
  absl::Time begun = absl::Now();
  rig.session->Shutdown();
  CHECK(absl::Now() - begun < absl::Seconds(5));
  CHECK(rig.coordinator.Progress("r1").finished());
}

}  // namespace chartly::drone
