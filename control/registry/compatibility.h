// What a revision changes in the records of its profile, for those who read them. Pure; thread-safe.
//
//   FIELD_LOST                 breaking    no mapping gives it any more
//   FIELD_RETYPED              breaking    values of another type; widening from integer to decimal, and to any number
//   UNIT_CHANGED               breaking
//   KEY_CHANGED                breaking    records are told apart by other dims
//   FIELD_ADDED                widening
//   FIELD_OPTIONAL             widening    it was required
//   VALUE_RULE_CHANGED         widening    it comes from elsewhere in the row, or is computed in another way
//   ROWS_WIDENED               widening    bounds, filter, checks or requirements that fell away
//   ROWS_NARROWED              compatible  bounds, filter, checks or requirements that are new or tighter
//   ROWS_CHANGED               widening    another filter or check: neither can be told
#ifndef CHARTLY_CONTROL_REGISTRY_COMPATIBILITY_H_
#define CHARTLY_CONTROL_REGISTRY_COMPATIBILITY_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "chartly/v1/registry.pb.h"
#include "common/profile/profile.h"

namespace chartly::registry {

v1::Compatibility CompareRecords(const chartly::Profile& before, const chartly::Profile& after);
// The same of two texts that were taken once; nothing is said (verdict unspecified) of a text that does not parse now.
v1::Compatibility CompareRecordTexts(const std::string& before, const std::string& after);

// "measures.value: FIELD_LOST", breaking ones alone, a few of them.
std::string BreakingText(const v1::Compatibility& compatibility);
// OK unless it is breaking and not allowed: then FailedPrecondition (PROFILE_BREAKING) with what breaks.
absl::Status RequireConsent(const v1::Compatibility& compatibility, bool allow_breaking, absl::string_view profile_id);

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_COMPATIBILITY_H_
