#include "drone/session/session.h"

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using testing::Eventually;
using testing::TempDir;

// Repeats orders until the drone reports them, as the real one does.
class SmallCoordinator final : public v1::CoordinatorService::Service {
 public:
  grpc::Status RegisterDrone(grpc::ServerContext*, const v1::RegisterDroneRequest* request, v1::Drone* drone) override {
    absl::MutexLock lock(&mu_);
    drone->set_drone_id(request->drone_id());
    drone->set_epoch(++epoch_);
    drone->set_heartbeat_interval_ms(30);
    registered = *request;
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override {
    absl::MutexLock lock(&mu_);
    if (forget_) {
      forget_ = false;
      return rpc::ToGrpcStatus(Error(absl::StatusCode::kNotFound, "DRONE_UNKNOWN", "register first"));
    }
    if (request->epoch() < epoch_) {
      return rpc::ToGrpcStatus(Error(absl::StatusCode::kFailedPrecondition, "EPOCH_FENCED", "older epoch"));
    }
    for (const v1::RunProgress& run : request->runs()) {
      if (!always_repeat) orders_.erase(run.run_id());
      progress_[run.run_id()] = run;
      if (run.finished()) ++finished_[run.run_id()];
    }
    for (const auto& [id, order] : orders_) *response->add_orders() = order;
    for (const std::string& id : cancels_) response->add_cancel_run_ids(id);
    ++beats_;
    return grpc::Status::OK;
  }

  void Order(const std::string& run_id, const std::string& content, const std::vector<std::string>& posted = {}) {
    absl::MutexLock lock(&mu_);
    v1::RunOrder& order = orders_[run_id];
    order.set_run_id(run_id);
    order.set_profile_id("people");
    order.set_revision("profiles/people@sha256:0");
    order.set_content(content);
    for (const std::string& body : posted) {
      v1::WebhookDelivery& delivery = *order.add_deliveries();
      delivery.set_delivery_id(absl::StrCat("post-", order.deliveries_size()));
      delivery.set_body(body);
    }
  }
  void CancelRun(const std::string& run_id) {
    absl::MutexLock lock(&mu_);
    cancels_.push_back(run_id);
  }
  void Forget() {
    absl::MutexLock lock(&mu_);
    forget_ = true;
  }
  void Fence() {
    absl::MutexLock lock(&mu_);
    ++epoch_;
  }
  v1::RunProgress Progress(const std::string& run_id) {
    absl::MutexLock lock(&mu_);
    return progress_[run_id];
  }
  bool Finished(const std::string& run_id) {
    return Eventually([&] { return Progress(run_id).finished(); });
  }
  // Waits for that many more heartbeats; the drone has acted on the answers of all but the last then.
  bool Beats(int more) {
    int enough = beats_ + more;
    return Eventually([&] { return beats_ >= enough; });
  }
  int64_t epoch() {
    absl::MutexLock lock(&mu_);
    return epoch_;
  }
  v1::RegisterDroneRequest registered;
  std::atomic<bool> always_repeat = false;

 private:
  std::atomic<int> beats_ = 0;
  absl::Mutex mu_;
  int64_t epoch_ = 0;
  bool forget_ = false;
  std::map<std::string, v1::RunOrder> orders_;
  std::map<std::string, v1::RunProgress> progress_;
  std::map<std::string, int> finished_;
  std::vector<std::string> cancels_;
};

class Rig {
 public:
  Rig() {
    rpc_.Listen("127.0.0.1:0");
    rpc_.AddService(&coordinator);
    REQUIRE_OK(rpc_.Start());
  }
  ~Rig() {
    StopDrone();
    rpc_.Shutdown(absl::Seconds(1));
  }
  void StartDrone(SpoolOptions options = {}) {
    options.path = dir.File("spool");
    auto opened = Spool::Open(options);
    REQUIRE_OK(opened);
    spool = *std::move(opened);
    RunExecutorDeps deps{*spool, *http, clock, dir.path(), "d1", [this] {
                           if (session) session->Wake();
                         }};
    deps.consent = &consent;
    executor = std::make_unique<RunExecutor>(2, std::move(deps));
    SessionOptions session_options;
    session_options.drone_id = "d1";
    session_options.capacity = 2;
    session_options.labels = {{"site", "north"}};
    session_options.min_backoff = absl::Milliseconds(5);
    auto channel = rpc::MakeChannel(absl::StrCat("127.0.0.1:", rpc_.ports()[0]), "");
    session = std::make_unique<Session>(
        session_options, SessionDeps{channel, *spool, *executor, [this](int64_t e) { epoch = e; }, [this] { ++idle; }});
    session->Start();
  }
  void StopDrone() {
    if (session) session->Shutdown();
    executor.reset();
    session.reset();
    spool.reset();
  }
  std::string Profile(const std::string& path, const std::string& more = "") {
    return absl::StrCat(
        "id: people\nname: People\nversion: 1.0.0\nsource:\n  type: http_rest\n  url: ", server.Url(path),
        "\n  format: json\n", more, "\nmapping:\n  id: dims.id\n  age: measures.age\n");
  }
  // The ends in the spool, by run.
  std::map<std::string, v1::RunEnd> Ends(int64_t* batches = nullptr) {
    std::map<std::string, v1::RunEnd> ends;
    auto entries = spool->Read(1, size_t{1} << 30);
    REQUIRE_OK(entries);
    for (const SpoolEntry& entry : *entries) {
      if (entry.kind == EntryKind::kBatch && batches != nullptr) ++*batches;
      if (entry.kind != EntryKind::kRunEnd) continue;
      v1::RunEnd end;
      REQUIRE(end.ParseFromString(entry.payload));
      CHECK(ends.count(end.run_id()) == 0);
      ends[end.run_id()] = end;
    }
    return ends;
  }

  testing::HttpFixture server;
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({"127.0.0.1/32"}));
  SystemClock clock;
  TempDir dir;
  Consent consent;
  SmallCoordinator coordinator;
  std::unique_ptr<Spool> spool;
  std::unique_ptr<RunExecutor> executor;
  std::unique_ptr<Session> session;
  std::atomic<int64_t> epoch = 0;
  std::atomic<int> idle = 0;

 private:
  rpc::RpcServer rpc_;
};

testing::FixtureResponse Answer(const std::string& body, int delay_ms = 0) {
  return {.status = 200, .body = body, .headers = {}, .delay = std::chrono::milliseconds(delay_ms), .raw = ""};
}

TEST_CASE("an ordered run is done once, however often the order is repeated, and reported until it is heard") {
  Rig rig;
  rig.coordinator.always_repeat = true;
  rig.server.Map("/people", Answer(R"([{"id":1,"age":5},{"id":2,"age":6}])"));
  rig.StartDrone();
  rig.coordinator.Order("r1", rig.Profile("/people"));
  rig.coordinator.Order("bad", "id: people\nnonsense: 1\n");
  REQUIRE(rig.coordinator.Finished("r1"));
  REQUIRE(rig.coordinator.Finished("bad"));
  CHECK(rig.coordinator.Progress("r1").fetched() == 2);
  CHECK(rig.coordinator.Progress("r1").spooled() == 2);
  CHECK(rig.coordinator.registered.labels().at("site") == "north");
  REQUIRE(rig.coordinator.Beats(5));  // each repeats the orders
  CHECK(rig.server.Count("/people") == 1);
  auto ends = rig.Ends();
  CHECK(ends["r1"].fetched() == 2);
  CHECK(ends["r1"].error_reason() == "");
  CHECK(ends["r1"].drone_id() == "d1");
  CHECK(ends["bad"].error_reason() == "PROFILE_INVALID");
  CHECK(ends["bad"].profile_id() == "people");
  // Another process knows them from the spool.
  rig.StopDrone();
  rig.StartDrone();
  REQUIRE(rig.coordinator.Beats(5));
  REQUIRE(rig.coordinator.Finished("r1"));
  CHECK(rig.server.Count("/people") == 1);
  CHECK(rig.Ends().size() == 2);
}

TEST_CASE("a drone without runs is told so once, and again after its next run") {
  Rig rig;
  rig.server.Map("/people", Answer("[]"));
  rig.StartDrone();
  REQUIRE(testing::Eventually([&] { return rig.idle == 1; }));
  REQUIRE(rig.coordinator.Beats(5));
  CHECK(rig.idle == 1);
  rig.coordinator.Order("r1", rig.Profile("/people"));
  REQUIRE(rig.coordinator.Finished("r1"));
  REQUIRE(testing::Eventually([&] { return rig.idle == 2; }));
}

TEST_CASE("what the owner of the host does not consent to is not asked for, whatever is ordered") {
  Rig rig;
  rig.server.Map("/people", Answer("[]"));
  rig.consent.hosts = {"other.example.gov"};
  rig.StartDrone();
  rig.coordinator.Order("r1", rig.Profile("/people"));
  REQUIRE(rig.coordinator.Finished("r1"));
  CHECK(rig.Ends()["r1"].error_reason() == "CONSENT_DENIED");
  CHECK(rig.Ends()["r1"].error().find("127.0.0.1") != std::string::npos);
  CHECK(rig.server.Count() == 0);
  rig.StopDrone();
  rig.consent.hosts = {"127.0.0.1"};
  rig.StartDrone();
  rig.coordinator.Order("r2", rig.Profile("/people"));
  REQUIRE(rig.coordinator.Finished("r2"));
  CHECK(rig.Ends()["r2"].error_reason() == "");
  CHECK(rig.server.Count() == 1);
}

TEST_CASE("payloads that come with an order are the pages of its run") {
  Rig rig;
  rig.StartDrone();
  rig.coordinator.Order("r1",
                        "id: people\nname: People\nversion: 1.0.0\nsource:\n  type: webhook\n  format: json\n"
                        "  webhook: {key: {name: people, key: current}}\nmapping:\n  id: dims.id\n",
                        {R"([{"id":1},{"id":2}])", R"([{"id":3}])"});
  REQUIRE(rig.coordinator.Finished("r1"));
  CHECK(rig.coordinator.Progress("r1").pages() == 2);
  std::vector<std::string> sources;
  auto entries = rig.spool->Read(1, size_t{1} << 20);
  REQUIRE_OK(entries);
  for (const SpoolEntry& entry : *entries) {
    if (entry.kind != EntryKind::kBatch) continue;
    auto header = Batch::ParseHeader(entry.payload);
    REQUIRE_OK(header);
    sources.push_back(header->source_uri());
  }
  CHECK(sources == std::vector<std::string>{"webhook:people/post-1", "webhook:people/post-2"});
  CHECK(rig.Ends()["r1"].fetched() == 3);
  CHECK(rig.Ends()["r1"].error_reason() == "");
}

TEST_CASE("no more runs than the capacity at once, a cancelled one ends as cancelled and makes room") {
  Rig rig;
  for (const char* path : {"/1", "/2", "/3"}) rig.server.Map(path, Answer("[]", 20'000));
  rig.StartDrone();
  rig.coordinator.Order("r1", rig.Profile("/1"));
  rig.coordinator.Order("r2", rig.Profile("/2"));
  REQUIRE(Eventually([&] { return rig.server.Count("/1") + rig.server.Count("/2") == 2; }));
  rig.coordinator.Order("r3", rig.Profile("/3"));
  REQUIRE(rig.coordinator.Beats(5));  // each repeats the order
  CHECK(rig.server.Count("/3") == 0);
  rig.coordinator.CancelRun("r1");
  REQUIRE(rig.coordinator.Finished("r1"));
  CHECK(rig.Ends()["r1"].cancelled());
  CHECK(Eventually([&] { return rig.server.Count("/3") == 1; }));
  // Stopping ends the others as failed, in the spool and at the coordinator.
  auto begin = std::chrono::steady_clock::now();
  rig.session->Shutdown();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  auto ends = rig.Ends();
  CHECK(ends["r2"].error_reason() == "DRONE_STOPPED");
  CHECK(ends["r3"].error_reason() == "DRONE_STOPPED");
  CHECK_FALSE(ends["r3"].cancelled());
  CHECK(rig.coordinator.Finished("r2"));
}

TEST_CASE("a forgotten or fenced drone registers anew and goes on") {
  Rig rig;
  rig.StartDrone();
  REQUIRE(Eventually([&] { return rig.epoch == 1 && rig.session->health().ok(); }));
  rig.coordinator.Forget();
  REQUIRE(Eventually([&] { return rig.epoch == 2; }));
  rig.coordinator.Fence();
  REQUIRE(Eventually([&] { return rig.epoch == 4; }));
  rig.session->OnFenced(3);  // old news
  rig.session->OnFenced(4);
  REQUIRE(Eventually([&] { return rig.epoch == 5; }));
  rig.server.Map("/people", Answer("[]"));
  rig.coordinator.Order("r1", rig.Profile("/people"));
  CHECK(rig.coordinator.Finished("r1"));
}

TEST_CASE("a run cut off by the end of the process is closed by the next one with what was durable") {
  Rig rig;
  {
    SpoolOptions options;
    options.path = rig.dir.File("spool");
    auto spool = Spool::Open(options);
    REQUIRE_OK(spool);
    v1::RunEnd run;
    run.set_run_id("r1");
    run.set_profile_id("people");
    run.set_revision("profiles/people@sha256:0");
    run.mutable_started_at()->set_seconds(77);
    REQUIRE_OK((*spool)->BeginRun(run));
    REQUIRE_OK((*spool)->Append("r1", "batch", 40, 1));
    REQUIRE_OK((*spool)->Append("r1", "batch", 2, 1));
  }
  rig.server.Map("/people", Answer("[]"));
  rig.coordinator.always_repeat = true;
  rig.coordinator.Order("r1", rig.Profile("/people"));
  rig.StartDrone();
  REQUIRE(rig.coordinator.Finished("r1"));
  CHECK(rig.coordinator.Progress("r1").fetched() == 42);
  auto ends = rig.Ends();
  CHECK(ends["r1"].error_reason() == "DRONE_RESTARTED");
  CHECK(ends["r1"].fetched() == 42);
  CHECK(ends["r1"].pages() == 2);
  CHECK(ends["r1"].started_at().seconds() == 77);
  CHECK(ends["r1"].has_finished_at());
  CHECK(rig.server.Count("/people") == 0);
  CHECK(rig.spool->OpenRuns().empty());
}

TEST_CASE("a full spool holds the run up until there is room, and no row is lost") {
  Rig rig;
  std::string rows = "[";
  for (int i = 0; i < 60'000; ++i) {
    // Text that does not pack well, so that the batches are large.
    absl::StrAppend(&rows, i > 0 ? "," : "", "{\"id\":\"", absl::Hex(uint64_t{0x9E3779B97F4A7C15} * (i + 1)),
                    "\",\"age\":", i, "}");
  }
  rig.server.Map("/people", Answer(rows + "]"));
  SpoolOptions options;
  options.max_bytes = 300'000;
  rig.StartDrone(options);
  rig.coordinator.Order("r1", rig.Profile("/people"));
  REQUIRE(Eventually([&] { return rig.spool->bytes() > 50'000; }));
  REQUIRE(rig.coordinator.Beats(10));
  CHECK_FALSE(rig.coordinator.Progress("r1").finished());
  CHECK(rig.spool->bytes() <= options.max_bytes);
  int64_t next = 1;
  v1::RunEnd end;
  int64_t fetched = 0;
  REQUIRE(Eventually([&] {
    auto entries = rig.spool->Read(next, 100'000);
    REQUIRE_OK(entries);
    for (const SpoolEntry& entry : *entries) {
      CHECK(entry.seq == next++);
      if (entry.kind == EntryKind::kRunEnd) REQUIRE(end.ParseFromString(entry.payload));
      if (entry.kind == EntryKind::kBatch) fetched += Batch::Parse(entry.payload)->fetched();
    }
    REQUIRE_OK(rig.spool->Release(next - 1));
    return end.has_finished_at();
  }));
  CHECK(end.error_reason() == "");
  CHECK(end.fetched() == 60'000);
  CHECK(fetched == 60'000);
}

}  // namespace
}  // namespace chartly::drone
