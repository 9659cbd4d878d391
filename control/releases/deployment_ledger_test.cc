#include "control/releases/deployment_ledger.h"

#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status/status.h"
#include "control/releases/semver.h"
#include "test/support/test.h"

namespace chartly::releases {

struct LedgerFixture {
  testing::TempDir dir;
  FakeClock clock;
  std::unique_ptr<StateStore> store = OpenEmbeddedStateStore(dir.File("s"), clock).value();
  DeploymentLedger ledger{*store, clock};

  absl::StatusOr<v1::Deployment> Open(const std::string& version = "1.0.0", const std::string& environment = "dev",
                                      const std::string& request_id = "") {
    v1::OpenDeploymentRequest request;
    request.set_release_version(version);
    request.set_environment(environment);
    request.set_request_id(request_id);
    return ledger.Open(request, "admin");
  }
  absl::StatusOr<v1::Deployment> Get(const std::string& name) {
    v1::GetDeploymentRequest request;
    request.set_name(name);
    return ledger.Get(request);
  }
  absl::StatusOr<v1::Deployment> Shelve(const std::string& name, const std::string& why = "blocked") {
    v1::ShelveDeploymentRequest request;
    request.set_name(name);
    request.set_shelve_reason(why);
    return ledger.Shelve(request);
  }
  absl::StatusOr<v1::Deployment> Resume(const std::string& name) {
    v1::ResumeDeploymentRequest request;
    request.set_name(name);
    return ledger.Resume(request);
  }
  absl::StatusOr<v1::Deployment> Conclude(const std::string& name) {
    v1::ConcludeDeploymentRequest request;
    request.set_name(name);
    return ledger.Conclude(request);
  }
};

TEST_CASE("a deployment is opened active, by its caller, and stage is staging") {
  LedgerFixture fixture;
  auto opened = fixture.Open("1.4.0-rc.1", "stage");
  REQUIRE_OK(opened);
  CHECK(opened->name() == "deployments/1");
  CHECK(opened->environment() == "staging");
  CHECK(opened->state() == v1::DEPLOYMENT_STATE_ACTIVE);
  CHECK(opened->opened_by() == "admin");
  CHECK(opened->create_time().seconds() == absl::ToUnixSeconds(fixture.clock.Now()));
  CHECK(fixture.Get("deployments/1")->SerializeAsString() == opened->SerializeAsString());
}

TEST_CASE("every command in every state does what the ledger says, and a refusal changes nothing") {
  LedgerFixture fixture;
  using State = v1::DeploymentState;
  constexpr State kActive = v1::DEPLOYMENT_STATE_ACTIVE;
  constexpr State kPaused = v1::DEPLOYMENT_STATE_PAUSED;
  constexpr State kCompleted = v1::DEPLOYMENT_STATE_COMPLETED;
  const std::map<std::pair<State, std::string>, State> allowed = {
      {{kActive, "shelve"}, kPaused}, {{kPaused, "resume"}, kActive}, {{kActive, "conclude"}, kCompleted}};
  std::mt19937 random(7);
  for (int walk = 0; walk < 10; ++walk) {
    const std::string name = fixture.Open()->name();
    State state = kActive;
    for (int step = 0; step < 12; ++step) {
      fixture.clock.Advance(absl::Seconds(1));
      const std::string before = fixture.Get(name)->SerializeAsString();
      const std::string command =
          std::vector<std::string>{"shelve", "resume", "shelve", "resume", "conclude"}[random() % 5];
      auto result = command == "shelve"   ? fixture.Shelve(name)
                    : command == "resume" ? fixture.Resume(name)
                                          : fixture.Conclude(name);
      auto expected = allowed.find({state, command});
      INFO(command << " in " << state);
      if (expected == allowed.end()) {
        CHECK(result.status().code() == absl::StatusCode::kFailedPrecondition);
        CHECK(Reason(result.status()) == "DEPLOYMENT_STATE");
        CHECK(fixture.Get(name)->SerializeAsString() == before);
        continue;
      }
      REQUIRE_OK(result);
      state = expected->second;
      CHECK(result->state() == state);
      CHECK(result->update_time().seconds() == absl::ToUnixSeconds(fixture.clock.Now()));
    }
  }
}

TEST_CASE("a shelved deployment says why, also after it was resumed") {
  LedgerFixture fixture;
  const std::string name = fixture.Open()->name();
  CHECK(Reason(fixture.Shelve(name, "").status()) == "SHELVE_REASON_REQUIRED");
  CHECK(fixture.Shelve(name, "prod is frozen")->shelve_reason() == "prod is frozen");
  CHECK(fixture.Resume(name)->shelve_reason() == "prod is frozen");
}

TEST_CASE("the same request id gives the first answer, also after a restart, with another content it is refused") {
  LedgerFixture fixture;
  auto first = fixture.Open("1.0.0", "dev", "r-1");
  REQUIRE_OK(first);
  REQUIRE_OK(fixture.Conclude(first->name()));
  fixture.store.reset();
  fixture.store = OpenEmbeddedStateStore(fixture.dir.File("s"), fixture.clock).value();
  DeploymentLedger ledger(*fixture.store, fixture.clock);
  v1::OpenDeploymentRequest request;
  request.set_release_version("1.0.0");
  request.set_environment("dev");
  request.set_request_id("r-1");
  CHECK(ledger.Open(request, "other")->SerializeAsString() == first->SerializeAsString());
  CHECK(ledger.List({})->deployments_size() == 1);
  request.set_environment("prod");
  CHECK(Reason(ledger.Open(request, "admin").status()) == "REQUEST_ID_REUSED");
  request.set_request_id(std::string(200, 'x'));
  CHECK(Reason(ledger.Open(request, "admin").status()) == "REQUEST_ID_INVALID");
}

TEST_CASE("bad versions, environments and names are refused") {
  LedgerFixture fixture;
  CHECK(Reason(fixture.Open("v1.0", "dev").status()) == "RELEASE_VERSION_INVALID");
  CHECK(Reason(fixture.Open("1.0.0", "production").status()) == "ENVIRONMENT_UNKNOWN");
  for (const char* name : {"", "1", "deployments/", "deployments/0", "deployments/-1", "deployments/01",
                           "deployments/ 1", "deployments/x", "deployments/99999999999999999999"}) {
    INFO(name);
    CHECK(Reason(fixture.Get(name).status()) == "NAME_INVALID");
  }
  CHECK(Reason(fixture.Get("deployments/9").status()) == "DEPLOYMENT_NOT_FOUND");
}

TEST_CASE("deployments are listed newest first, in pages") {
  LedgerFixture fixture;
  for (int i = 0; i < 12; ++i) REQUIRE_OK(fixture.Open(absl::StrCat("1.", i, ".0")));
  v1::ListDeploymentsRequest request;
  request.set_page_size(10);
  auto page = fixture.ledger.List(request);
  REQUIRE(page->deployments_size() == 10);
  CHECK(page->deployments(0).release_version() == "1.11.0");
  request.set_page_token(page->next_page_token());
  page = fixture.ledger.List(request);
  REQUIRE(page->deployments_size() == 2);
  CHECK(page->deployments(1).name() == "deployments/1");
}

TEST_CASE("racing requests with one id open one deployment, others one each") {
  LedgerFixture fixture;
  absl::Mutex mu;
  std::multiset<std::string> names;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (const char* id : {"same", ""}) {
        auto opened = fixture.Open("1.0.0", "dev", id);
        absl::MutexLock lock(&mu);
        names.insert(opened.ok() ? opened->name() : opened.status().ToString());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == 5);
  CHECK(fixture.ledger.List({})->deployments_size() == 5);
}

TEST_CASE("semantic versions are told from other texts") {
  for (const char* good : {"0.0.0", "1.2.3", "10.20.30", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-0A.is.legal",
                           "1.0.0+20130313144700", "1.0.0-beta+exp.sha.5114f85", "1.0.0---1", "1.0.0+001"}) {
    INFO(good);
    CHECK(IsSemver(good));
  }
  for (const char* bad : {"", "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.2.03", "1.2.3-", "1.2.3+", "1.2.3-01",
                          "1.2.3-a..b", "1.2.3 ", "1.2.x", "1.2.3-ä", "1.2.3+a+b"}) {
    INFO(bad);
    CHECK_FALSE(IsSemver(bad));
  }
}

}  // namespace chartly::releases
