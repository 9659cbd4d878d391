// The parts that the coordinator needs, in one process over one server, as in all-in-one, for tests.
#ifndef CHARTLY_CONTROL_COORDINATOR_COORDINATOR_PROCESS_TEST_H_
#define CHARTLY_CONTROL_COORDINATOR_COORDINATOR_PROCESS_TEST_H_

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "chartly/v1/registry.grpc.pb.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator_component.h"
#include "test/support/test.h"

namespace chartly::coordinator {

inline constexpr char kKey[] = "a-key-for-this-test";

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
      testing::Eventually([&] { return context->IsCancelled() || broken_before >= stream || changes_ != told; });
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
    profile.set_content("id: " + id + padding);
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
  std::string padding;  // of the text of profiles that are added
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
  explicit Process(const std::string& data_dir, absl::Duration heartbeat_interval = absl::Milliseconds(50),
                   const rpc::Authenticator* authenticator = nullptr) {
    config_.data_dir = data_dir;
    config_.heartbeat_interval = heartbeat_interval;
    config_.lease_min = absl::Milliseconds(400);
    absl::StatusOr<std::unique_ptr<CoordinatorComponent>> opened = CoordinatorComponent::Open(
        config_, authenticator == nullptr ? authenticator_ : *authenticator, nullptr, peers_, clock_);
    REQUIRE_OK(opened);
    component = *std::move(opened);
    server_.Listen("127.0.0.1:0");
    server_.AddService(&registry);
    server_.AddService(&ledger);
    for (grpc::Service* service : component->services()) server_.AddService(service);
    REQUIRE_OK(server_.Start());
    for (Part part : {Part::kRegistry, Part::kAggregator, Part::kCoordinator}) peers_.SetLocal(part, server_);
    REQUIRE_OK(component->Start());
    stub = StubWith(kKey);
  }
  ~Process() {
    component->Shutdown();
    server_.Shutdown(absl::Seconds(2));
  }

  std::unique_ptr<v1::CoordinatorService::Stub> StubWith(const std::string& key) {
    return v1::CoordinatorService::NewStub(rpc::MakeChannel(absl::StrCat("127.0.0.1:", server_.ports()[0]), key));
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
  v1::Drone GetDrone(const std::string& id) {
    v1::GetDroneRequest request;
    request.set_name("drones/" + id);
    v1::Drone drone;
    REQUIRE_OK(Call(&v1::CoordinatorService::Stub::GetDrone, request, drone));
    return drone;
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

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_COORDINATOR_PROCESS_TEST_H_
