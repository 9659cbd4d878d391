#include "common/profile/profile.h"

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {

TEST_CASE("durations are read and written") {
  CHECK(*ParseDuration("500ms") == absl::Milliseconds(500));
  CHECK(*ParseDuration("90s") == absl::Seconds(90));
  CHECK(*ParseDuration("1h30m") == absl::Minutes(90));
  CHECK(*ParseDuration("40d") == absl::Hours(40 * 24));
  CHECK(*ParseDuration("10y") == absl::Hours(3650 * 24));
  CHECK(*ParseDuration("0s") == absl::ZeroDuration());
  for (const char* text : {"", "5", "s", "-5s", "1.5h", "5 s", "1h ", "5x", "9999999999s"}) {
    INFO(text);
    CHECK(Reason(ParseDuration(text).status()) == "DURATION_INVALID");
  }
  for (const char* text : {"500ms", "90s", "5m", "6h", "1d", "40d", "1y", "10y", "0s"}) {
    CHECK(DurationText(*ParseDuration(text)) == text);
  }
  CHECK(DurationText(absl::InfiniteDuration()) == "forever");
}

TEST_CASE("byte sizes are read") {
  CHECK(*ParseByteSize("500") == 500);
  CHECK(*ParseByteSize("64KiB") == 65536);
  CHECK(*ParseByteSize("1MiB") == 1048576);
  CHECK(*ParseByteSize("2GiB") == int64_t{2} << 30);
  for (const char* text : {"", "MiB", "1MB", "-1", "+1", "1.5MiB", "1 MiB", "9223372036854775807KiB", "0x10"}) {
    INFO(text);
    CHECK(Reason(ParseByteSize(text).status()) == "BYTE_SIZE_INVALID");
  }
}

TEST_CASE("rates are read") {
  CHECK(*ParseRate("10/s") == 10);
  CHECK(*ParseRate("6/m") == 0.1);
  CHECK(*ParseRate("36/h") == 0.01);
  for (const char* text : {"", "10", "/s", "0/s", "-1/s", "1.5/s", "10/d", "10 /s"}) {
    INFO(text);
    CHECK(Reason(ParseRate(text).status()) == "RATE_INVALID");
  }
}

TEST_CASE("ids are short, lower-case and begin with a letter or digit") {
  for (const char* id : {"a", "0", "bls-unemployment", "a.b_c-d"}) CHECK(IsValidId(id));
  for (const char* id : {"", "-a", ".a", "A", "a b", "a/b", "é"}) CHECK_FALSE(IsValidId(id));
  CHECK(IsValidId(std::string(63, 'a')));
  CHECK_FALSE(IsValidId(std::string(64, 'a')));
}

}  // namespace chartly
