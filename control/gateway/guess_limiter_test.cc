#include "control/gateway/guess_limiter.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::gateway {

TEST_CASE("an address with too many wrong keys waits, gets one guess back at a time, and no other address waits") {
  GuessLimiter limiter;
  absl::Time now = absl::UnixEpoch() + absl::Hours(1);
  for (int i = 0; i < GuessLimiter::kBurst; ++i) {
    REQUIRE_OK(limiter.Check("10.0.0.1", now));
    limiter.NoteWrong("10.0.0.1", now);
  }
  absl::Status refused = limiter.Check("10.0.0.1", now);
  CHECK(Reason(refused) == "GUESSES_TOO_MANY");
  CHECK(Details(refused).at("retry_after_seconds") == absl::StrCat(absl::ToInt64Seconds(GuessLimiter::kRefill)));
  CHECK_OK(limiter.Check("10.0.0.2", now));
  now += GuessLimiter::kRefill;
  REQUIRE_OK(limiter.Check("10.0.0.1", now));
  limiter.NoteWrong("10.0.0.1", now);
  CHECK_FALSE(limiter.Check("10.0.0.1", now).ok());
  now += GuessLimiter::kRefill * GuessLimiter::kBurst;
  CHECK_OK(limiter.Check("10.0.0.1", now));
}

TEST_CASE("a guesser stays slow while ever more addresses guess") {
  GuessLimiter limiter;
  const absl::Time now = absl::UnixEpoch() + absl::Hours(1);
  for (int i = 0; i < GuessLimiter::kBurst; ++i) limiter.NoteWrong("zz", now);
  for (size_t i = 0; i < 2 * GuessLimiter::kMaxAddresses; ++i) limiter.NoteWrong(absl::StrCat("a", i), now);
  CHECK_FALSE(limiter.Check("zz", now).ok());
}

}  // namespace chartly::gateway
