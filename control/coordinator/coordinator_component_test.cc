#include "control/coordinator/coordinator_component.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator_process_test.h"
#include "test/support/test.h"

namespace chartly::coordinator {

using testing::Eventually;
using testing::TempDir;

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
  CHECK(process.component->Amiss() == "");
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
  REQUIRE(Eventually([&] { return process.component->Amiss() == ""; }));
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
  auto state = [&] { return process.GetDrone("d").state(); };
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
