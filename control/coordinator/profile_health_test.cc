#include "control/coordinator/profile_health.h"

#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(10'000);

HealthFacts FactsOf(absl::Duration age) {
  HealthFacts facts;
  facts.window = absl::Hours(1);
  facts.last_data = kNow - age;
  facts.since = kNow - absl::Hours(100);
  return facts;
}

}  // namespace

TEST_CASE("data gets late and then silent with its age") {
  CHECK(JudgeHealth(FactsOf(absl::Minutes(50)), kNow).health == v1::PROFILE_HEALTH_FRESH);
  CHECK(JudgeHealth(FactsOf(absl::Minutes(61)), kNow).health == v1::PROFILE_HEALTH_LATE);
  CHECK(JudgeHealth(FactsOf(absl::Minutes(181)), kNow).health == v1::PROFILE_HEALTH_SILENT);
  CHECK(JudgeHealth(FactsOf(absl::Minutes(61)), kNow).detail == "the last data came 1h1m ago; it is to come every 1h");
  HealthFacts never = FactsOf(absl::ZeroDuration());
  never.last_data.reset();
  CHECK(JudgeHealth(never, kNow).health == v1::PROFILE_HEALTH_SILENT);
  never.since = kNow - absl::Minutes(1);
  CHECK(JudgeHealth(never, kNow).health == v1::PROFILE_HEALTH_FRESH);
  never.scheduled = false;
  CHECK(JudgeHealth(never, kNow).health == v1::PROFILE_HEALTH_OFF);
}

TEST_CASE("a failure says who has to do something") {
  CHECK(CauseOf("SOURCE_HTTP_STATUS") == v1::BROKEN_CAUSE_SOURCE);
  CHECK(CauseOf("SOURCE_UNREACHABLE") == v1::BROKEN_CAUSE_NETWORK);
  CHECK(CauseOf("SOURCE_AUTH") == v1::BROKEN_CAUSE_AUTH);
  CHECK(CauseOf("SECRET_NOT_FOUND") == v1::BROKEN_CAUSE_AUTH);
  CHECK(CauseOf("ROW_INVALID") == v1::BROKEN_CAUSE_MAPPING);
  CHECK(CauseOf("DRONE_LOST") == v1::BROKEN_CAUSE_DRONE);
  HealthFacts facts = FactsOf(absl::ZeroDuration());
  facts.failed = true;
  facts.error_reason = "SOURCE_AUTH";
  facts.error = "401";
  CHECK(JudgeHealth(facts, kNow).cause == v1::BROKEN_CAUSE_AUTH);
  CHECK(JudgeHealth(facts, kNow).detail == "SOURCE_AUTH: 401");
  facts.clock_skew = -absl::Minutes(5);
  CHECK(JudgeHealth(facts, kNow).cause == v1::BROKEN_CAUSE_CLOCK);
  facts.failed = false;
  facts.unplaced = kNow - absl::Minutes(1);
  CHECK(JudgeHealth(facts, kNow).cause == v1::BROKEN_CAUSE_DRONE);
  CHECK(JudgeHealth(facts, kNow).health == v1::PROFILE_HEALTH_BROKEN);
}

}  // namespace chartly::coordinator
