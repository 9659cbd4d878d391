#include "control/coordinator/profile_health.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace chartly::coordinator {
namespace {

// A run may look for a drone so long before anybody is to be told.
constexpr absl::Duration kPlacing = absl::Seconds(30);
// Windows that pass before late data is silence.
constexpr int kSilentWindows = 3;

struct Rule {
  absl::string_view prefix;
  v1::BrokenCause cause;
};

// The first that fits.
constexpr Rule kRules[] = {
    {"SOURCE_AUTH", v1::BROKEN_CAUSE_AUTH},
    {"SECRET_", v1::BROKEN_CAUSE_AUTH},
    {"SOURCE_UNREACHABLE", v1::BROKEN_CAUSE_NETWORK},
    {"SOURCE_TIMEOUT", v1::BROKEN_CAUSE_NETWORK},
    {"SOURCE_TRUNCATED", v1::BROKEN_CAUSE_NETWORK},
    {"EGRESS_", v1::BROKEN_CAUSE_NETWORK},
    {"SOURCE_", v1::BROKEN_CAUSE_SOURCE},
    {"CLOCK_", v1::BROKEN_CAUSE_CLOCK},
    {"DRONE_", v1::BROKEN_CAUSE_DRONE},
    {"SPOOL_", v1::BROKEN_CAUSE_DRONE},
    {"CONSENT_", v1::BROKEN_CAUSE_DRONE},
    {"PROFILE_", v1::BROKEN_CAUSE_MAPPING},
    {"PAYLOAD_", v1::BROKEN_CAUSE_MAPPING},
    {"MAPPING_", v1::BROKEN_CAUSE_MAPPING},
    {"ROW_", v1::BROKEN_CAUSE_MAPPING},
    {"EXPRESSION_", v1::BROKEN_CAUSE_MAPPING},
    {"EXPECTATION_", v1::BROKEN_CAUSE_MAPPING},
};

std::string Seconds(absl::Duration duration) { return absl::FormatDuration(absl::Trunc(duration, absl::Seconds(1))); }

HealthVerdict Broken(v1::BrokenCause cause, std::string detail) {
  return {v1::PROFILE_HEALTH_BROKEN, cause, std::move(detail)};
}

HealthVerdict JudgeFailure(const HealthFacts& facts) {
  const v1::BrokenCause cause = CauseOf(facts.error_reason);
  std::string detail = absl::StrCat(facts.error_reason, ": ", facts.error);
  // Signatures and certificates are refused where the clock is wrong.
  const bool skewed = facts.clock_skew > kMaxClockSkew || facts.clock_skew < -kMaxClockSkew;
  if (skewed && (cause == v1::BROKEN_CAUSE_AUTH || cause == v1::BROKEN_CAUSE_NETWORK)) {
    return Broken(v1::BROKEN_CAUSE_CLOCK,
                  absl::StrCat("the clock of the drone is off by ", Seconds(facts.clock_skew), "; ", detail));
  }
  return Broken(cause, std::move(detail));
}

}  // namespace

v1::BrokenCause CauseOf(absl::string_view error_reason) {
  for (const Rule& rule : kRules) {
    if (absl::StartsWith(error_reason, rule.prefix)) return rule.cause;
  }
  return v1::BROKEN_CAUSE_SOURCE;
}

HealthVerdict JudgeHealth(const HealthFacts& facts, absl::Time now) {
  if (!facts.scheduled) return {v1::PROFILE_HEALTH_OFF, v1::BROKEN_CAUSE_UNSPECIFIED, "it is paused or switched off"};
  if (facts.unplaced && now - *facts.unplaced > kPlacing) {
    return Broken(v1::BROKEN_CAUSE_DRONE,
                  absl::StrCat("no drone has taken its run for ", Seconds(now - *facts.unplaced)));
  }
  if (facts.failed) return JudgeFailure(facts);
  const absl::Duration age = now - facts.last_data.value_or(facts.since);
  const std::string what = facts.last_data ? "the last data came " : "no data has come in ";
  const std::string detail = absl::StrCat(what, Seconds(age), facts.last_data ? " ago" : "");
  if (age <= facts.window)
    return {v1::PROFILE_HEALTH_FRESH, v1::BROKEN_CAUSE_UNSPECIFIED, facts.last_data ? "" : detail};
  const bool silent = age > kSilentWindows * facts.window;
  return {silent ? v1::PROFILE_HEALTH_SILENT : v1::PROFILE_HEALTH_LATE, v1::BROKEN_CAUSE_UNSPECIFIED,
          absl::StrCat(detail, "; it is to come every ", Seconds(facts.window))};
}

}  // namespace chartly::coordinator
