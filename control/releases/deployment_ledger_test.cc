#include "control/releases/deployment_ledger.h"

#include <functional>
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

// What a version is built from, here: the same each time.
std::string CommitOf(const std::string& version) {
  return absl::StrCat(absl::Hex(std::hash<std::string>()(version), absl::kZeroPad16), std::string(24, 'c'));
}
std::string ImageOf(const std::string& version) {
  return absl::StrCat("sha256:", CommitOf(version), std::string(24, '0'));
}

struct LedgerFixture {
  testing::TempDir dir;
  FakeClock clock;
  std::unique_ptr<StateStore> store = OpenEmbeddedStateStore(dir.File("s"), clock).value();
  DeploymentLedger ledger{*store, clock};
  std::vector<std::string> recorded;  // of drift
  absl::Status recorder = absl::OkStatus();

  static v1::OpenDeploymentRequest Request(const std::string& version, const std::string& environment) {
    v1::OpenDeploymentRequest request;
    request.set_release_version(version);
    request.set_environment(environment);
    request.set_commit(CommitOf(version));
    request.set_image_digest(ImageOf(version));
    request.set_builder("urn:ci");
    return request;
  }
  absl::StatusOr<v1::Deployment> Open(const std::string& version = "1.0.0", const std::string& environment = "dev",
                                      const std::string& request_id = "", const std::string& rollback_reason = "") {
    v1::OpenDeploymentRequest request = Request(version, environment);
    request.set_request_id(request_id);
    request.set_rollback_reason(rollback_reason);
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
  absl::StatusOr<v1::Deployment> Approve(const std::string& name, const std::string& image,
                                         const std::string& actor = "second") {
    v1::ApproveDeploymentRequest request;
    request.set_name(name);
    request.set_image_digest(image);
    return ledger.Approve(request, actor);
  }
  absl::StatusOr<v1::Deployment> Conclude(const std::string& name, const std::string& evidence = "run 7",
                                          const std::string& handed_to = "the watch") {
    v1::ConcludeDeploymentRequest request;
    request.set_name(name);
    request.set_smoke_evidence(evidence);
    request.set_handed_to(handed_to);
    return ledger.Conclude(request);
  }
  // A release all the way through an environment.
  absl::StatusOr<v1::Deployment> Ship(const std::string& version, const std::string& environment,
                                      const std::string& rollback_reason = "") {
    ASSIGN_OR_RETURN(v1::Deployment opened, Open(version, environment, "", rollback_reason));
    if (opened.state() == v1::DEPLOYMENT_STATE_PENDING) {
      RETURN_IF_ERROR(Approve(opened.name(), opened.image_digest()).status());
    }
    return Conclude(opened.name());
  }
  absl::StatusOr<v1::Environment> Report(const std::string& environment, char commit,
                                         const std::vector<std::string>& objects) {
    v1::ReportDriftRequest request;
    request.set_name("environments/" + environment);
    request.set_commit(std::string(40, commit));
    for (const std::string& object : objects) {
      v1::DriftFinding& finding = *request.add_findings();
      finding.set_object(object);
      finding.set_kind("changed");
    }
    return ledger.ReportDrift(request, [this](absl::string_view what, const v1::Environment& environment_then) {
      recorded.push_back(absl::StrCat(what, " ", environment_then.name(), " ", environment_then.drift_count()));
      return recorder;
    });
  }
  v1::Environment Environment(int index) { return ledger.ListEnvironments()->environments(index); }
};

TEST_CASE("a deployment is opened active, by its caller, and stage is staging") {
  LedgerFixture fixture;
  REQUIRE_OK(fixture.Ship("1.4.0-rc.1", "dev"));
  auto opened = fixture.Open("1.4.0-rc.1", "stage");
  REQUIRE_OK(opened);
  CHECK(opened->name() == "deployments/2");
  CHECK(opened->environment() == "staging");
  CHECK(opened->state() == v1::DEPLOYMENT_STATE_ACTIVE);
  CHECK(opened->opened_by() == "admin");
  CHECK(opened->create_time().seconds() == absl::ToUnixSeconds(fixture.clock.Now()));
  CHECK(fixture.Get("deployments/2")->SerializeAsString() == opened->SerializeAsString());
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
  v1::OpenDeploymentRequest request = LedgerFixture::Request("1.0.0", "dev");
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
  for (const std::string& bad : {std::string(), std::string("main"), std::string(39, 'a'), std::string(40, 'A')}) {
    INFO(bad);
    v1::OpenDeploymentRequest request = LedgerFixture::Request("1.0.0", "dev");
    request.set_commit(bad);
    CHECK(Reason(fixture.ledger.Open(request, "admin").status()) == "COMMIT_INVALID");
    request = LedgerFixture::Request("1.0.0", "dev");
    request.set_image_digest("sha256:" + bad);
    CHECK(Reason(fixture.ledger.Open(request, "admin").status()) == "IMAGE_DIGEST_INVALID");
  }
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

TEST_CASE("no order of commands takes a release past an environment, back, or on with another image") {
  LedgerFixture fixture;
  const std::vector<std::string> environments = {"dev", "staging", "prod"};
  const std::vector<std::string> versions = {"1.0.0", "1.1.0", "1.2.0", "2.0.0"};
  std::map<std::string, std::set<std::string>> had;
  std::map<std::string, std::string> running, name_of;
  std::map<std::string, int> refused;
  std::mt19937 random(11);
  for (int step = 0; step < 400; ++step) {
    const size_t place = random() % 3;
    const std::string& environment = environments[place];
    const std::string& version = versions[random() % versions.size()];
    const bool with_reason = random() % 2 == 0;
    INFO("step " << step << ": " << version << " to " << environment << (with_reason ? " with a reason" : ""));
    const std::string running_before = running[environment];
    auto shipped = fixture.Ship(version, environment, with_reason ? "it fails" : "");
    const bool older = !running_before.empty() && CompareSemver(version, running_before) < 0;
    const bool known = had[environment].count(version) > 0;
    const bool promoted = place == 0 || had[environments[place - 1]].count(version) > 0;
    const bool allowed = known ? !older || with_reason : !older && !with_reason && promoted;
    CHECK(shipped.ok() == allowed);
    if (!shipped.ok()) {
      ++refused[Reason(shipped.status())];
      continue;
    }
    CHECK(shipped->image_digest() == ImageOf(version));
    CHECK(shipped->rollback_deployment() == name_of[environment]);
    had[environment].insert(version);
    running[environment] = version;
    name_of[environment] = shipped->name();
    CHECK(fixture.Environment(static_cast<int>(place)).release_version() == version);
  }
  // Each way of refusing was seen, and each environment had releases.
  for (const char* reason :
       {"RELEASE_NOT_PROMOTED", "RELEASE_OLDER", "ROLLBACK_REASON_REQUIRED", "ROLLBACK_TO_NOTHING"}) {
    INFO(reason);
    CHECK(refused[reason] > 0);
  }
  CHECK(had["prod"].size() > 1);
}

TEST_CASE("what was overtaken while it was open does not take an environment back") {
  LedgerFixture fixture;
  const std::string slow = fixture.Open("1.0.0", "dev")->name();
  REQUIRE_OK(fixture.Ship("1.1.0", "dev"));
  CHECK(Reason(fixture.Conclude(slow).status()) == "RELEASE_OLDER");
  CHECK(fixture.Environment(0).release_version() == "1.1.0");
  REQUIRE_OK(fixture.Shelve(slow));
  CHECK(Reason(fixture.Resume(slow).status()) == "RELEASE_OLDER");
}

TEST_CASE("a version stands for one image of one commit by one builder") {
  LedgerFixture fixture;
  REQUIRE_OK(fixture.Ship("1.0.0", "dev"));
  v1::OpenDeploymentRequest request = LedgerFixture::Request("1.0.0", "staging");
  request.set_image_digest(ImageOf("1.0.1"));
  CHECK(Reason(fixture.ledger.Open(request, "admin").status()) == "RELEASE_CHANGED");
  request = LedgerFixture::Request("1.0.0", "dev");
  request.set_commit(CommitOf("1.0.1"));
  CHECK(Reason(fixture.ledger.Open(request, "admin").status()) == "RELEASE_CHANGED");
  request = LedgerFixture::Request("1.0.0", "staging");
  request.set_builder("urn:other");
  CHECK(Reason(fixture.ledger.Open(request, "admin").status()) == "RELEASE_CHANGED");
  // Who says no builder means the one that is known.
  request.set_builder("");
  auto opened = fixture.ledger.Open(request, "admin");
  REQUIRE_OK(opened);
  CHECK(opened->builder() == "urn:ci");
}

TEST_CASE("what a release changes says how it takes over, in every environment") {
  LedgerFixture fixture;
  CHECK(fixture.Ship("1.0.0", "dev")->strategy() == v1::DEPLOYMENT_STRATEGY_ROLLING);
  v1::OpenDeploymentRequest request = LedgerFixture::Request("1.1.0", "dev");
  request.set_change(v1::RELEASE_CHANGE_SCHEMA);
  request.set_strategy(v1::DEPLOYMENT_STRATEGY_ROLLING);
  CHECK(Reason(fixture.ledger.Open(request, "admin").status()) == "STRATEGY_UNFIT");
  // What was refused has bound nothing.
  request.set_change(v1::RELEASE_CHANGE_RISKY);
  request.clear_strategy();
  auto opened = fixture.ledger.Open(request, "admin");
  REQUIRE_OK(opened);
  CHECK(opened->strategy() == v1::DEPLOYMENT_STRATEGY_CANARY);
  CHECK(opened->risk() == v1::DEPLOYMENT_RISK_LOW);
  REQUIRE_OK(fixture.Conclude(opened->name()));
  auto next = fixture.Open("1.1.0", "staging");
  REQUIRE_OK(next);
  CHECK(next->change() == v1::RELEASE_CHANGE_RISKY);
  CHECK(next->strategy() == v1::DEPLOYMENT_STRATEGY_CANARY);
  request.set_environment("staging");
  request.set_change(v1::RELEASE_CHANGE_STANDARD);
  CHECK(Reason(fixture.ledger.Open(request, "admin").status()) == "CHANGE_DIFFERS");
}

TEST_CASE("prod takes nothing that was built on a desk") {
  LedgerFixture fixture;
  for (const char* environment : {"dev", "staging"}) {
    v1::OpenDeploymentRequest request = LedgerFixture::Request("1.0.0", environment);
    request.set_builder("urn:chartly:builder:local");
    auto opened = fixture.ledger.Open(request, "admin");
    REQUIRE_OK(opened);
    REQUIRE_OK(fixture.Conclude(opened->name()));
  }
  v1::OpenDeploymentRequest request = LedgerFixture::Request("1.0.0", "prod");
  request.set_builder("");
  CHECK(Reason(fixture.ledger.Open(request, "admin").status()) == "BUILDER_NOT_TRUSTED");
  // Nor does another name help, once the version is known.
  request.set_builder("urn:ci");
  CHECK(Reason(fixture.ledger.Open(request, "admin").status()) == "RELEASE_CHANGED");
}

TEST_CASE("prod waits for somebody else, who approves that image") {
  LedgerFixture fixture;
  for (const char* environment : {"dev", "staging"}) REQUIRE_OK(fixture.Ship("1.0.0", environment));
  auto opened = fixture.Open("1.0.0", "prod");
  REQUIRE_OK(opened);
  CHECK(opened->state() == v1::DEPLOYMENT_STATE_PENDING);
  const std::string name = opened->name();
  CHECK(Reason(fixture.Conclude(name).status()) == "DEPLOYMENT_STATE");
  CHECK(Reason(fixture.Approve(name, ImageOf("1.0.0"), "admin").status()) == "APPROVER_OPENED_IT");
  CHECK(Reason(fixture.Approve(name, ImageOf("1.0.1")).status()) == "APPROVAL_OF_ANOTHER_IMAGE");
  // What was set aside before it was approved waits again.
  REQUIRE_OK(fixture.Shelve(name));
  CHECK(Reason(fixture.Approve(name, ImageOf("1.0.0")).status()) == "DEPLOYMENT_STATE");
  CHECK(fixture.Resume(name)->state() == v1::DEPLOYMENT_STATE_PENDING);
  auto approved = fixture.Approve(name, ImageOf("1.0.0"));
  REQUIRE_OK(approved);
  CHECK(approved->state() == v1::DEPLOYMENT_STATE_ACTIVE);
  CHECK(approved->approved_by() == "second");
  CHECK(approved->has_approve_time());
  CHECK(Reason(fixture.Approve(name, ImageOf("1.0.0")).status()) == "DEPLOYMENT_STATE");
  REQUIRE_OK(fixture.Shelve(name));
  CHECK(fixture.Resume(name)->state() == v1::DEPLOYMENT_STATE_ACTIVE);
  REQUIRE_OK(fixture.Conclude(name));
}

TEST_CASE("nothing is concluded without a smoke test and somebody who looks after it") {
  LedgerFixture fixture;
  const std::string name = fixture.Open()->name();
  CHECK(Reason(fixture.Conclude(name, "").status()) == "SMOKE_EVIDENCE_REQUIRED");
  CHECK(Reason(fixture.Conclude(name, "run 7", "").status()) == "HANDOVER_REQUIRED");
  CHECK(fixture.Get(name)->state() == v1::DEPLOYMENT_STATE_ACTIVE);
  auto concluded = fixture.Conclude(name);
  REQUIRE_OK(concluded);
  CHECK(concluded->smoke_evidence() == "run 7");
  CHECK(concluded->handed_to() == "the watch");
}

TEST_CASE("while an environment drifts, nothing goes to it or from it, and a restart does not forget") {
  LedgerFixture fixture;
  for (const char* environment : {"dev", "staging"}) REQUIRE_OK(fixture.Ship("1.0.0", environment));
  const std::string waiting = fixture.Open("1.0.0", "prod")->name();
  const std::string active = fixture.Open("1.1.0", "dev")->name();
  REQUIRE_OK(fixture.Report("prod", 'a', {"Deployment/chartly-gateway"}));
  CHECK(Reason(fixture.Approve(waiting, ImageOf("1.0.0")).status()) == "DRIFT_OPEN");
  CHECK(Reason(fixture.Open("1.0.0", "prod").status()) == "DRIFT_OPEN");
  REQUIRE_OK(fixture.Report("prod", 'b', {}));
  REQUIRE_OK(fixture.Approve(waiting, ImageOf("1.0.0")));
  REQUIRE_OK(fixture.Report("prod", 'b', {"Pod/stray"}));
  CHECK(Reason(fixture.Conclude(waiting).status()) == "DRIFT_OPEN");
  REQUIRE_OK(fixture.Shelve(waiting));
  CHECK(Reason(fixture.Resume(waiting).status()) == "DRIFT_OPEN");
  // What was tested in staging is not what prod would get.
  REQUIRE_OK(fixture.Report("prod", 'c', {}));
  REQUIRE_OK(fixture.Report("staging", 'c', {"ConfigMap/by-hand"}));
  REQUIRE_OK(fixture.Conclude(fixture.Resume(waiting)->name()));
  REQUIRE_OK(fixture.Conclude(active));
  CHECK(Reason(fixture.Open("1.1.0", "staging").status()) == "DRIFT_OPEN");
  fixture.store.reset();
  fixture.store = OpenEmbeddedStateStore(fixture.dir.File("s"), fixture.clock).value();
  DeploymentLedger again(*fixture.store, fixture.clock);
  auto refused = again.Open(LedgerFixture::Request("1.1.0", "staging"), "admin").status();
  CHECK(Reason(refused) == "DRIFT_OPEN");
  CHECK(absl::StrContains(refused.message(), "ConfigMap/by-hand"));
}

TEST_CASE("drift in prod closes at another commit only, elsewhere it heals by itself, and each change is told once") {
  LedgerFixture fixture;
  auto found = fixture.Report("prod", 'a', {"Deployment/x", "Pod/y"});
  REQUIRE_OK(found);
  CHECK(found->drift_count() == 2);
  CHECK(found->drift_commit() == std::string(40, 'a'));
  const auto since = found->drift_time().seconds();
  fixture.clock.Advance(absl::Minutes(5));
  REQUIRE_OK(fixture.Report("prod", 'a', {"Deployment/x", "Pod/y"}));
  REQUIRE_OK(fixture.Report("prod", 'a', {"Pod/y"}));
  CHECK(fixture.Environment(2).drift_time().seconds() == since);
  auto mended = fixture.Report("prod", 'a', {});
  REQUIRE_OK(mended);
  CHECK(mended->drift_count() == 1);
  CHECK(mended->mended_by_hand());
  REQUIRE_OK(fixture.Report("prod", 'a', {}));
  REQUIRE_OK(fixture.Report("prod", 'b', {}));
  CHECK(fixture.Environment(2).drift_count() == 0);
  CHECK_FALSE(fixture.Environment(2).mended_by_hand());
  CHECK(fixture.Environment(2).checked_commit() == std::string(40, 'b'));
  REQUIRE_OK(fixture.Report("dev", 'a', {"Pod/z"}));
  REQUIRE_OK(fixture.Report("dev", 'a', {}));
  CHECK(fixture.recorded ==
        std::vector<std::string>{"DriftFound environments/prod 2", "DriftChanged environments/prod 1",
                                 "DriftMendedByHand environments/prod 1", "DriftClosed environments/prod 0",
                                 "DriftFound environments/dev 1", "DriftClosed environments/dev 0"});
  // What the audit log does not take does not happen.
  fixture.recorder = absl::UnavailableError("away");
  CHECK(absl::IsUnavailable(fixture.Report("staging", 'a', {"Pod/z"}).status()));
  CHECK(fixture.Environment(1).drift_count() == 0);
}

TEST_CASE("reports on drift that say nothing are refused, long ones are kept in part") {
  LedgerFixture fixture;
  CHECK(Reason(fixture.Report("production", 'a', {}).status()) == "ENVIRONMENT_UNKNOWN");
  CHECK(Reason(fixture.Report("prod", 'x', {}).status()) == "COMMIT_INVALID");
  CHECK(Reason(fixture.Report("prod", 'a', {""}).status()) == "DRIFT_FINDING_INVALID");
  v1::ReportDriftRequest request;
  request.set_name("environments/dev");
  request.set_commit(std::string(40, 'a'));
  request.add_findings()->set_object("Pod/x");
  request.mutable_findings(0)->set_kind("odd");
  auto none = [](absl::string_view, const v1::Environment&) { return absl::OkStatus(); };
  CHECK(Reason(fixture.ledger.ReportDrift(request, none).status()) == "DRIFT_FINDING_INVALID");
  CHECK(fixture.recorded.empty());
  auto many = fixture.Report("dev", 'a', std::vector<std::string>(250, "Pod/x"));
  REQUIRE_OK(many);
  CHECK(many->drift_size() == DeploymentLedger::kMaxFindings);
  CHECK(many->drift_count() == 250);
}

TEST_CASE("an approval that races a report on drift does not get past it") {
  LedgerFixture fixture;
  for (int round = 0; round < 20; ++round) {
    const std::string version = absl::StrCat("1.", round, ".0");
    for (const char* environment : {"dev", "staging"}) REQUIRE_OK(fixture.Ship(version, environment));
    const std::string name = fixture.Open(version, "prod")->name();
    absl::Status approved;
    std::thread approver([&] { approved = fixture.Approve(name, ImageOf(version)).status(); });
    REQUIRE_OK(fixture.Report("prod", static_cast<char>('a' + round % 2), {"Pod/x"}));
    approver.join();
    // Either the approval came first, or it was refused; after the report nothing goes on.
    CHECK((approved.ok() || Reason(approved) == "DRIFT_OPEN"));
    CHECK(fixture.Conclude(name).status().code() == absl::StatusCode::kFailedPrecondition);
    REQUIRE_OK(fixture.Report("prod", static_cast<char>('c' + round % 2), {}));
  }
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

TEST_CASE("semantic versions follow each other as semver.org orders them") {
  const std::vector<std::string> order = {"0.9.9",      "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                          "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
                                          "1.0.0",      "1.0.1",        "1.2.0",         "1.10.0",
                                          "2.0.0",      "10.0.0"};
  for (size_t a = 0; a < order.size(); ++a) {
    for (size_t b = 0; b < order.size(); ++b) {
      INFO(order[a] << " and " << order[b]);
      const int found = CompareSemver(order[a], order[b]);
      CHECK((found > 0) - (found < 0) == (a > b) - (a < b));
    }
  }
  CHECK(CompareSemver("1.0.0+a", "1.0.0+b") == 0);
}

}  // namespace chartly::releases
