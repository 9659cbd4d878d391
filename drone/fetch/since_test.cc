#include "drone/fetch/since.h"

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

std::string Since(const std::string& format, const std::string& watermark,
                  absl::Duration lookback = absl::ZeroDuration(), const std::string& initial = "") {
  IncrementalConfig config;
  config.field = "dims.t";
  config.format = format;
  config.lookback = lookback;
  config.initial = initial;
  storage::v1::Cursor cursor;
  cursor.set_watermark(watermark);
  auto since = SinceText(config, cursor);
  if (!since.ok()) return Reason(since.status());
  return since->value_or("(nothing)");
}

TEST_CASE("the first run asks for everything, or from where the profile says") {
  CHECK(Since("rfc3339", "") == "(nothing)");
  CHECK(Since("rfc3339", "", absl::Hours(24), "2020-01-01") == "2020-01-01");
}

TEST_CASE("a watermark is written in the format that the source reads") {
  const std::string time = "2026-03-01T00:30:00.25+01:00";
  CHECK(Since("rfc3339", time) == time);
  CHECK(Since("date", time) == "2026-02-28");
  CHECK(Since("date", "2026-03-01T00:30:00-05:00") == "2026-03-01");
  CHECK(Since("epoch_s", time) == "1772321400");
  CHECK(Since("epoch_ms", time) == "1772321400250");
  CHECK(Since("rfc3339", "2026-03-01") == "2026-03-01T00:00:00Z");
  CHECK(Since("date", "2026-03-01") == "2026-03-01");
  CHECK(Since("epoch_s", "1772321400") == "1772321400");
  CHECK(Since("epoch_s", "1969-12-31T23:59:59.5Z") == "-1");
  CHECK(Since("text", "M03/26") == "M03/26");
}

TEST_CASE("the lookback is taken off") {
  CHECK(Since("rfc3339", "2026-03-01T00:00:00Z", absl::Hours(24)) == "2026-02-28T00:00:00Z");
  CHECK(Since("date", "2026-03-01", absl::Hours(1)) == "2026-02-28");
  CHECK(Since("epoch_ms", "5000", absl::Seconds(2)) == "3000");
}

TEST_CASE("a watermark that is no time is refused where a time is asked for") {
  CHECK(Since("rfc3339", "M03") == "WATERMARK_INVALID");
  CHECK(Since("date", "2026") == "WATERMARK_INVALID");
  CHECK(Since("epoch_ms", "9223372036854775807") == "WATERMARK_INVALID");
}

}  // namespace
}  // namespace chartly::drone
