#include "control/coordinator/coordinator_component.h"

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "chartly/v1/registry.grpc.pb.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

using testing::Eventually;
using testing::TempDir;

constexpr char kKey[] = "a-key-for-this-test";

// Serves the profiles it was given, and ends its streams when told.
class FixedRegistry final : public v1::RegistryService::Service {
 public:
  grpc::Status WatchProfiles(grpc::ServerContext* context, const v1::WatchProfilesRequest*,
                             grpc::ServerWriter<v1::WatchProfilesResponse>* writer) override {
    int stream = ++streams;
    std::set<std::string> sent;
    while (!context->IsCancelled() && broken_before < stream) {
      int told = changes_;
      for (const v1::Profile& profile : Profiles()) {
        if (!sent.insert(profile.id()).second) continue;
        v1::WatchProfilesResponse change;
        *change.mutable_profile() = profile;
        writer->Write(change);
      }
      v1::WatchProfilesResponse synced;
      synced.set_in_sync(true);
      writer->Write(synced);
      Eventually([&] { return context->IsCancelled() || broken_before >= stream || changes_ != told; });
    }
    return grpc::Status::OK;
  }
  grpc::Status GetProfile(grpc::ServerContext*, const v1::GetProfileRequest* request, v1::Profile* answer) override {
    for (const v1::Profile& profile : Profiles()) {
      if (request->name() != absl::StrCat("profiles/", profile.id(), "@prod")) continue;
      *answer = profile;
      return grpc::Status::OK;
    }
    return rpc::ToGrpcStatus(Error(absl::StatusCode::kNotFound, "PROFILE_NOT_FOUND", "no such profile"));
  }
  void Add(const std::string& id, bool enabled) {
    absl::MutexLock lock(&mu_);
    v1::Profile& profile = profiles_[id];
    profile.set_id(id);
    profile.set_content("id: " + id);
    profile.set_revision("sha256:1");
    profile.set_enabled(enabled);
    profile.mutable_interval()->set_seconds(3600);
    profile.set_generation(1);
    ++changes_;
  }
  void Delete(const std::string& id) {
    absl::MutexLock lock(&mu_);
    profiles_.erase(id);
  }
  void BreakStreams() { broken_before = streams.load(); }
  std::atomic<int> streams{0};
  std::atomic<int> broken_before{0};

 private:
  std::vector<v1::Profile> Profiles() {
    absl::MutexLock lock(&mu_);
    std::vector<v1::Profile> all;
    for (const auto& [id, profile] : profiles_) all.push_back(profile);
    return all;
  }
  absl::Mutex mu_;
  std::map<std::string, v1::Profile> profiles_;
  std::atomic<int> changes_{0};
};

class FixedLedger final : public v1::RecordService::Service {
 public:
  grpc::Status GetRunLedger(grpc::ServerContext*, const v1::GetRunLedgerRequest* request,
                            v1::RunLedger* answer) override {
    absl::MutexLock lock(&mu_);
    auto it = ledgers_.find(request->name());
    if (it == ledgers_.end()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "nothing arrived");
    *answer = it->second;
    return grpc::Status::OK;
  }
  void End(const std::string& run_id, int64_t rows) {
    absl::MutexLock lock(&mu_);
    v1::RunLedger& ledger = ledgers_["runs/" + run_id];
    ledger.mutable_balance()->set_stored(rows);
    ledger.mutable_end()->set_fetched(rows);
  }

 private:
  absl::Mutex mu_;
  std::map<std::string, v1::RunLedger> ledgers_;
};

// The parts the coordinator needs, in one process over one server, as in all-in-one.
class Process {
 public:
  explicit Process(const std::string& data_dir) {
    config_.data_dir = data_dir;
    config_.heartbeat_interval = absl::Milliseconds(50);
    config_.lease_min = absl::Milliseconds(400);
    absl::StatusOr<std::unique_ptr<CoordinatorComponent>> opened =
        CoordinatorComponent::Open(config_, authenticator_, nullptr, peers_, clock_);
    REQUIRE_OK(opened);
    component = *std::move(opened);
    server_.Listen("127.0.0.1:0");
    server_.AddService(&registry);
    server_.AddService(&ledger);
    for (grpc::Service* service : component->services()) server_.AddService(service);
    REQUIRE_OK(server_.Start());
    for (Part part : {Part::kRegistry, Part::kAggregator, Part::kCoordinator}) peers_.SetLocal(part, server_);
    REQUIRE_OK(component->Start());
    stub = v1::CoordinatorService::NewStub(rpc::MakeChannel(absl::StrCat("127.0.0.1:", server_.ports()[0]), kKey));
  }
  ~Process() {
    component->Shutdown();
    server_.Shutdown(absl::Seconds(2));
  }

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::CoordinatorService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                         Response*),
                    const Request& request, Response& response) {
    grpc::ClientContext context;
    rpc::Prepare(context, absl::Seconds(10));
    return rpc::FromGrpcStatus((stub.get()->*method)(&context, request, &response));
  }
  v1::Drone Register(const std::string& id) {
    v1::RegisterDroneRequest request;
    request.set_drone_id(id);
    v1::Drone drone;
    REQUIRE_OK(Call(&v1::CoordinatorService::Stub::RegisterDrone, request, drone));
    return drone;
  }
  v1::HeartbeatResponse Beat(const v1::Drone& drone, const std::string& running = "") {
    v1::HeartbeatRequest request;
    request.set_drone_id(drone.drone_id());
    request.set_epoch(drone.epoch());
    if (!running.empty()) request.add_runs()->set_run_id(running);
    v1::HeartbeatResponse answer;
    REQUIRE_OK(Call(&v1::CoordinatorService::Stub::Heartbeat, request, answer));
    return answer;
  }
  v1::Run GetRun(const std::string& id) {
    v1::GetRunRequest request;
    request.set_name("runs/" + id);
    v1::Run run;
    REQUIRE_OK(Call(&v1::CoordinatorService::Stub::GetRun, request, run));
    return run;
  }
  absl::Status RunNow(const std::string& name, v1::Run& run) {
    v1::RunProfileNowRequest request;
    request.set_profile(name);
    return Call(&v1::CoordinatorService::Stub::RunProfileNow, request, run);
  }

  FixedRegistry registry;
  FixedLedger ledger;
  std::unique_ptr<CoordinatorComponent> component;
  std::unique_ptr<v1::CoordinatorService::Stub> stub;

 private:
  CoordinatorConfig config_;
  rpc::KeyAuthenticator authenticator_{{{"admin", kKey}}};
  rpc::Peers peers_{{}, kKey};
  SystemClock clock_;
  rpc::RpcServer server_;
};

}  // namespace

TEST_CASE("a profile of the registry becomes a run, an order and a final state") {
  TempDir dir;
  Process process(dir.path());
  process.registry.Add("p", true);
  v1::Drone drone = process.Register("d");
  v1::HeartbeatResponse answer;
  REQUIRE(Eventually([&] {
    answer = process.Beat(drone);
    return answer.orders_size() == 1;
  }));
  CHECK(answer.orders(0).content() == "id: p");
  CHECK(answer.heartbeat_interval_ms() == 50);
  std::string id = answer.orders(0).run_id();
  process.Beat(drone, id);
  CHECK(process.GetRun(id).status() == v1::RUN_STATUS_RUNNING);
  process.ledger.End(id, 42);
  REQUIRE(Eventually([&] {
    process.Beat(drone);
    return process.GetRun(id).status() == v1::RUN_STATUS_SUCCEEDED;
  }));
  CHECK(process.GetRun(id).balance().stored() == 42);
  CHECK(process.GetRun(id).balance().closed());
  CHECK(process.component->Health() == "");
}

TEST_CASE("state outlives the process") {
  TempDir dir;
  std::string id;
  {
    Process process(dir.path());
    process.registry.Add("p", false);
    process.Register("d");
    v1::Run run;
    REQUIRE_OK(process.RunNow("profiles/p", run));
    id = run.run_id();
  }
  Process process(dir.path());
  CHECK(process.GetRun(id).profile_id() == "p");
  CHECK(process.Register("d").epoch() == 2);
}

TEST_CASE("a profile made a moment ago can be run although the watch has not told of it") {
  TempDir dir;
  Process process(dir.path());
  for (int i = 0; i < 20; ++i) {
    process.registry.Add(absl::StrCat("p", i), false);
    v1::Run run;
    CHECK_OK(process.RunNow(absl::StrCat("profiles/p", i), run));
  }
  v1::Run run;
  CHECK(process.RunNow("profiles/none", run).code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a broken watch is taken up again and deletions in between are noticed") {
  TempDir dir;
  Process process(dir.path());
  process.registry.Add("p", false);
  REQUIRE(Eventually([&] { return process.component->Health() == ""; }));
  process.registry.Delete("p");  // no stream tells of it
  process.registry.BreakStreams();
  process.registry.Add("q", true);
  REQUIRE(Eventually([&] {
    v1::ListRunsResponse runs;
    REQUIRE_OK(process.Call(&v1::CoordinatorService::Stub::ListRuns, v1::ListRunsRequest(), runs));
    return runs.runs_size() == 1;
  }));
  v1::GetProfileStatusRequest request;
  request.set_profile("profiles/p");
  v1::ProfileStatus status;
  CHECK(Eventually([&] {
    return process.Call(&v1::CoordinatorService::Stub::GetProfileStatus, request, status).code() ==
           absl::StatusCode::kNotFound;
  }));
}

TEST_CASE("a drone that falls silent goes offline and comes back with a heartbeat") {
  TempDir dir;
  Process process(dir.path());
  v1::Drone drone = process.Register("d");
  auto state = [&] {
    v1::GetDroneRequest request;
    request.set_name("drones/d");
    v1::Drone now;
    REQUIRE_OK(process.Call(&v1::CoordinatorService::Stub::GetDrone, request, now));
    return now.state();
  };
  CHECK(state() == v1::DRONE_STATE_ACTIVE);
  REQUIRE(Eventually([&] { return state() == v1::DRONE_STATE_OFFLINE; }));
  process.Beat(drone);
  CHECK(state() == v1::DRONE_STATE_ACTIVE);
}

TEST_CASE("events stream to a watcher, resume by id, and end when the caller or the process goes") {
  TempDir dir;
  auto process = std::make_unique<Process>(dir.path());
  grpc::ClientContext context;
  auto reader = process->stub->WatchEvents(&context, v1::WatchEventsRequest());
  reader->WaitForInitialMetadata();
  process->Register("d");
  process->Register("e");
  v1::Event first, second;
  REQUIRE(reader->Read(&first));
  REQUIRE(reader->Read(&second));
  CHECK(first.drone().drone_id() == "d");
  CHECK(second.drone().drone_id() == "e");
  context.TryCancel();
  CHECK(reader->Finish().error_code() == grpc::StatusCode::CANCELLED);

  grpc::ClientContext resumed_context;
  v1::WatchEventsRequest request;
  request.set_last_event_id(first.id());
  auto resumed = process->stub->WatchEvents(&resumed_context, request);
  v1::Event event;
  REQUIRE(resumed->Read(&event));
  CHECK(event.id() == second.id());
  absl::Time start = absl::Now();
  process->component->Shutdown();
  while (resumed->Read(&event)) {
  }
  CHECK(resumed->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(absl::Now() - start < absl::Seconds(1));
}

TEST_CASE("names of another form, negative pages and foreign tokens are refused") {
  TempDir dir;
  Process process(dir.path());
  v1::Run run;
  v1::GetRunRequest get;
  get.set_name(GENERATE(as<std::string>{}, "", "x", "runs/", "drones/x", "runs/a/b"));
  CHECK(Reason(process.Call(&v1::CoordinatorService::Stub::GetRun, get, run)) == "NAME_INVALID");
  CHECK(Reason(process.RunNow("p", run)) == "NAME_INVALID");
  v1::ListRunsRequest list;
  v1::ListRunsResponse runs;
  list.set_page_size(-1);
  CHECK(Reason(process.Call(&v1::CoordinatorService::Stub::ListRuns, list, runs)) == "PAGE_SIZE_INVALID");
  list.set_page_size(0);
  list.set_page_token("zz");
  CHECK(Reason(process.Call(&v1::CoordinatorService::Stub::ListRuns, list, runs)) == "PAGE_TOKEN_INVALID");
}

TEST_CASE("a second coordinator on the same folder is refused") {
  TempDir dir;
  Process process(dir.path());
  CoordinatorConfig config;
  config.data_dir = dir.path();
  rpc::KeyAuthenticator authenticator({});
  rpc::Peers peers({}, "");
  SystemClock clock;
  absl::Status status = CoordinatorComponent::Open(config, authenticator, nullptr, peers, clock).status();
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(status.message()).find(dir.path()) != std::string::npos);
}

}  // namespace chartly::coordinator
