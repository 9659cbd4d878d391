#include "control/releases/strategy.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly::releases {
namespace {

// The strategies that fit a change; the first is taken where none is named. None for a change that is not known.
std::vector<v1::DeploymentStrategy> Fitting(v1::ReleaseChange change) {
  switch (change) {
    case v1::RELEASE_CHANGE_STANDARD:
      return {v1::DEPLOYMENT_STRATEGY_ROLLING, v1::DEPLOYMENT_STRATEGY_BLUE_GREEN, v1::DEPLOYMENT_STRATEGY_CANARY};
    case v1::RELEASE_CHANGE_CRITICAL:
      return {v1::DEPLOYMENT_STRATEGY_BLUE_GREEN, v1::DEPLOYMENT_STRATEGY_CANARY};
    case v1::RELEASE_CHANGE_RISKY:
    case v1::RELEASE_CHANGE_SCHEMA:
      return {v1::DEPLOYMENT_STRATEGY_CANARY};
    case v1::RELEASE_CHANGE_BREAKING:
      return {v1::DEPLOYMENT_STRATEGY_RECREATE};
    default:
      return {};
  }
}

v1::DeploymentRisk RiskOf(v1::DeploymentStrategy strategy) {
  switch (strategy) {
    case v1::DEPLOYMENT_STRATEGY_ROLLING:
    case v1::DEPLOYMENT_STRATEGY_CANARY:
      return v1::DEPLOYMENT_RISK_LOW;
    case v1::DEPLOYMENT_STRATEGY_BLUE_GREEN:
      return v1::DEPLOYMENT_RISK_MEDIUM;
    case v1::DEPLOYMENT_STRATEGY_RECREATE:
      return v1::DEPLOYMENT_RISK_HIGH;
    default:
      return v1::DEPLOYMENT_RISK_UNSPECIFIED;
  }
}

// As people write them: schema, blue_green.
std::string Text(v1::ReleaseChange change) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::ReleaseChange_Name(change), "RELEASE_CHANGE_"));
}
std::string Text(v1::DeploymentStrategy strategy) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::DeploymentStrategy_Name(strategy), "DEPLOYMENT_STRATEGY_"));
}

}  // namespace

absl::Status BindChange(v1::ReleaseChange first, v1::Deployment& deployment) {
  if (deployment.change() == v1::RELEASE_CHANGE_UNSPECIFIED) {
    deployment.set_change(first == v1::RELEASE_CHANGE_UNSPECIFIED ? v1::RELEASE_CHANGE_STANDARD : first);
  }
  if (Fitting(deployment.change()).empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "CHANGE_UNKNOWN",
                 absl::StrCat("change ", static_cast<int>(deployment.change()),
                              " is unknown; use standard, critical, risky, schema or breaking"),
                 {{"field", "change"}});
  }
  if (first == v1::RELEASE_CHANGE_UNSPECIFIED || first == deployment.change()) return absl::OkStatus();
  return Error(
      absl::StatusCode::kFailedPrecondition, "CHANGE_DIFFERS",
      absl::StrCat("release ", deployment.release_version(), " was opened before as a change of kind ", Text(first),
                   " and now as ", Text(deployment.change()), "; what it changes does not depend on where it goes"),
      {{"field", "change"}, {"change", Text(first)}});
}

absl::Status ChooseStrategy(v1::Deployment& deployment) {
  const std::vector<v1::DeploymentStrategy> fitting = Fitting(deployment.change());
  const v1::DeploymentStrategy named = deployment.strategy();
  const v1::DeploymentStrategy chosen =
      named == v1::DEPLOYMENT_STRATEGY_UNSPECIFIED && !fitting.empty() ? fitting.front() : named;
  if (RiskOf(chosen) == v1::DEPLOYMENT_RISK_UNSPECIFIED) {
    return Error(
        absl::StatusCode::kInvalidArgument, "STRATEGY_UNKNOWN",
        absl::StrCat("strategy ", static_cast<int>(chosen), " is unknown; use rolling, blue_green, canary or recreate"),
        {{"field", "strategy"}});
  }
  if (std::find(fitting.begin(), fitting.end(), chosen) == fitting.end()) {
    const std::string choices = absl::StrJoin(
        fitting, " or ", [](std::string* out, v1::DeploymentStrategy each) { absl::StrAppend(out, Text(each)); });
    return Error(absl::StatusCode::kFailedPrecondition, "STRATEGY_UNFIT",
                 absl::StrCat("a change of kind ", Text(deployment.change()), " does not go out as ", Text(chosen),
                              "; use ", choices),
                 {{"field", "strategy"}, {"strategies", choices}});
  }
  deployment.set_strategy(chosen);
  deployment.set_risk(RiskOf(chosen));
  return absl::OkStatus();
}

}  // namespace chartly::releases
