#include "control/releases/strategy.h"

#include <map>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::releases {
namespace {

v1::Deployment Of(v1::ReleaseChange change, v1::DeploymentStrategy strategy) {
  v1::Deployment deployment;
  deployment.set_release_version("1.4.0");
  deployment.set_change(change);
  deployment.set_strategy(strategy);
  return deployment;
}

TEST_CASE("every change has its strategy, and takes those that fit and no other") {
  const std::map<v1::ReleaseChange, std::vector<v1::DeploymentStrategy>> table = {
      {v1::RELEASE_CHANGE_STANDARD,
       {v1::DEPLOYMENT_STRATEGY_ROLLING, v1::DEPLOYMENT_STRATEGY_BLUE_GREEN, v1::DEPLOYMENT_STRATEGY_CANARY}},
      {v1::RELEASE_CHANGE_CRITICAL, {v1::DEPLOYMENT_STRATEGY_BLUE_GREEN, v1::DEPLOYMENT_STRATEGY_CANARY}},
      {v1::RELEASE_CHANGE_RISKY, {v1::DEPLOYMENT_STRATEGY_CANARY}},
      {v1::RELEASE_CHANGE_SCHEMA, {v1::DEPLOYMENT_STRATEGY_CANARY}},
      {v1::RELEASE_CHANGE_BREAKING, {v1::DEPLOYMENT_STRATEGY_RECREATE}}};
  const std::map<v1::DeploymentStrategy, v1::DeploymentRisk> risks = {
      {v1::DEPLOYMENT_STRATEGY_ROLLING, v1::DEPLOYMENT_RISK_LOW},
      {v1::DEPLOYMENT_STRATEGY_BLUE_GREEN, v1::DEPLOYMENT_RISK_MEDIUM},
      {v1::DEPLOYMENT_STRATEGY_CANARY, v1::DEPLOYMENT_RISK_LOW},
      {v1::DEPLOYMENT_STRATEGY_RECREATE, v1::DEPLOYMENT_RISK_HIGH}};
  CHECK(static_cast<int>(table.size()) == v1::ReleaseChange_descriptor()->value_count() - 1);
  CHECK(static_cast<int>(risks.size()) == v1::DeploymentStrategy_descriptor()->value_count() - 1);
  for (const auto& [change, strategies] : table) {
    v1::Deployment unnamed = Of(change, v1::DEPLOYMENT_STRATEGY_UNSPECIFIED);
    REQUIRE_OK(ChooseStrategy(unnamed));
    CHECK(unnamed.strategy() == strategies.front());
    CHECK(unnamed.risk() == risks.at(strategies.front()));
    const std::set<v1::DeploymentStrategy> fitting(strategies.begin(), strategies.end());
    for (const auto& [strategy, risk] : risks) {
      CAPTURE(v1::ReleaseChange_Name(change), v1::DeploymentStrategy_Name(strategy));
      v1::Deployment named = Of(change, strategy);
      const absl::Status chosen = ChooseStrategy(named);
      if (fitting.count(strategy) > 0) {
        CHECK(chosen.ok());
        CHECK(named.risk() == risk);
      } else {
        CHECK(chosen.code() == absl::StatusCode::kFailedPrecondition);
        CHECK(Reason(chosen) == "STRATEGY_UNFIT");
      }
    }
  }
}

TEST_CASE("what a strategy does not fit, its refusal says, and which do") {
  v1::Deployment deployment = Of(v1::RELEASE_CHANGE_CRITICAL, v1::DEPLOYMENT_STRATEGY_RECREATE);
  const absl::Status refused = ChooseStrategy(deployment);
  CHECK(absl::StrContains(refused.message(),
                          "a change of kind critical does not go out as recreate; use blue_green or canary"));
}

TEST_CASE("a release changes the same thing wherever it goes") {
  v1::Deployment first = Of(v1::RELEASE_CHANGE_UNSPECIFIED, v1::DEPLOYMENT_STRATEGY_UNSPECIFIED);
  REQUIRE_OK(BindChange(v1::RELEASE_CHANGE_UNSPECIFIED, first));
  CHECK(first.change() == v1::RELEASE_CHANGE_STANDARD);
  v1::Deployment next = Of(v1::RELEASE_CHANGE_UNSPECIFIED, v1::DEPLOYMENT_STRATEGY_UNSPECIFIED);
  REQUIRE_OK(BindChange(v1::RELEASE_CHANGE_SCHEMA, next));
  CHECK(next.change() == v1::RELEASE_CHANGE_SCHEMA);
  v1::Deployment another = Of(v1::RELEASE_CHANGE_STANDARD, v1::DEPLOYMENT_STRATEGY_UNSPECIFIED);
  CHECK(Reason(BindChange(v1::RELEASE_CHANGE_SCHEMA, another)) == "CHANGE_DIFFERS");
}

TEST_CASE("numbers that mean nothing are refused") {
  v1::Deployment change = Of(static_cast<v1::ReleaseChange>(99), v1::DEPLOYMENT_STRATEGY_UNSPECIFIED);
  CHECK(Reason(BindChange(v1::RELEASE_CHANGE_UNSPECIFIED, change)) == "CHANGE_UNKNOWN");
  v1::Deployment strategy = Of(v1::RELEASE_CHANGE_STANDARD, static_cast<v1::DeploymentStrategy>(99));
  CHECK(Reason(ChooseStrategy(strategy)) == "STRATEGY_UNKNOWN");
}

}  // namespace
}  // namespace chartly::releases
