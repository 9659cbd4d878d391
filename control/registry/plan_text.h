// The canonical text of a plan, which its hash is taken of, and what two plans of the same texts differ in. Pure;
// thread-safe. docs/formats/plan.md has the form.
#ifndef CHARTLY_CONTROL_REGISTRY_PLAN_TEXT_H_
#define CHARTLY_CONTROL_REGISTRY_PLAN_TEXT_H_

#include <string>

#include "chartly/v1/registry.pb.h"

namespace chartly::registry {

std::string CanonicalPlan(const v1::PlanProfilesRequest& request, const v1::ProfilePlan& plan);
// 64 hex digits.
std::string PlanHash(const v1::PlanProfilesRequest& request, const v1::ProfilePlan& plan);
// What drifted between a plan and the one that the same request gives now, for people; a few of the differences.
std::string DriftText(const v1::ProfilePlan& planned, const v1::ProfilePlan& now);

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_PLAN_TEXT_H_
