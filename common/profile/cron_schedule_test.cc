#include "common/profile/cron_schedule.h"

#include <ctime>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  INFO(text << error);
  REQUIRE(absl::ParseTime(absl::RFC3339_full, text, &time, &error));
  return time;
}

std::vector<std::string> NextTimes(const std::string& line, const std::string& zone, const std::string& after,
                                   int count) {
  absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse(line, zone);
  REQUIRE_OK(schedule);
  std::vector<std::string> times;
  absl::Time time = At(after);
  for (int i = 0; i < count; ++i) {
    time = schedule->Next(time);
    times.push_back(absl::FormatTime("%Y-%m-%dT%H:%MZ", time, absl::UTCTimeZone()));
  }
  return times;
}

// What the C library knows of zones, for a reference that shares nothing with the code under test.
class LibraryZone {
 public:
  explicit LibraryZone(const std::string& name) {
    setenv("TZ", name.c_str(), 1);
    tzset();
  }
  ~LibraryZone() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
  std::tm Shown(std::time_t time) const {
    std::tm shown{};
    localtime_r(&time, &shown);
    return shown;
  }
};

struct Line {
  const char* text;
  bool every_hour;
  std::function<bool(const std::tm&)> matches;  // written by hand
};

std::time_t AsUtc(std::tm shown) { return timegm(&shown); }

// All times of `line` in [begin, end), by looking at each quarter of an hour and at each change of the clocks.
std::set<std::time_t> Reference(const Line& line, const LibraryZone& zone, std::time_t begin, std::time_t end) {
  constexpr std::time_t kStep = 900;
  std::set<std::time_t> times;
  for (std::time_t time = begin; time < end; time += kStep) {
    const std::tm shown = zone.Shown(time);
    // By how much the clocks moved in the step before, and whether this was shown in the three hours before.
    const std::time_t moved = AsUtc(shown) - AsUtc(zone.Shown(time - kStep)) - kStep;
    for (std::time_t skipped = AsUtc(shown) - moved; moved > 0 && skipped < AsUtc(shown); skipped += kStep) {
      std::tm never{};
      gmtime_r(&skipped, &never);
      if (!line.every_hour && line.matches(never)) times.insert(time);
    }
    bool before = false;
    for (std::time_t back = kStep; back <= 3 * 3600; back += kStep) {
      before = before || AsUtc(zone.Shown(time - back)) == AsUtc(shown);
    }
    if (line.matches(shown) && (line.every_hour || !before)) times.insert(time);
  }
  return times;
}

}  // namespace

TEST_CASE("a cron line gives the times it says") {
  using Times = std::vector<std::string>;
  CHECK(NextTimes("30 6 * * mon-fri", "UTC", "2026-11-20T07:00:00Z", 2) ==
        Times{"2026-11-23T06:30Z", "2026-11-24T06:30Z"});
  CHECK(NextTimes("*/20 8-9 1,15 * *", "UTC", "2026-11-14T00:00:00Z", 3) ==
        Times{"2026-11-15T08:00Z", "2026-11-15T08:20Z", "2026-11-15T08:40Z"});
  CHECK(NextTimes("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2) == Times{"2028-02-29T00:00Z", "2032-02-29T00:00Z"});
  CHECK(NextTimes("0 12 13 * fri", "UTC", "2026-11-07T00:00:00Z", 2) ==
        Times{"2026-11-13T12:00Z", "2026-11-20T12:00Z"});
  CHECK(NextTimes("@hourly", "UTC", "2026-11-07T00:00:00Z", 2) == Times{"2026-11-07T01:00Z", "2026-11-07T02:00Z"});
  CHECK(NextTimes("5/25 0 * JAN sun,7", "UTC", "2026-12-07T00:00:00Z", 2) ==
        Times{"2027-01-03T00:05Z", "2027-01-03T00:30Z"});
}

TEST_CASE("a time that the clocks leave out comes at the change, and one that comes twice counts once") {
  using Times = std::vector<std::string>;
  CHECK(NextTimes("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3) ==
        Times{"2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"});
  CHECK(NextTimes("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2) ==
        Times{"2026-10-25T00:30Z", "2026-10-26T01:30Z"});
  CHECK(NextTimes("30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 3) ==
        Times{"2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-10-25T02:30Z"});
  CHECK(NextTimes("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2) ==
        Times{"2026-03-29T00:30Z", "2026-03-29T01:30Z"});
}

TEST_CASE("what never comes is the infinite future, and faults name the field") {
  absl::StatusOr<CronSchedule> never = CronSchedule::Parse("0 0 30 2 *", "UTC");
  REQUIRE_OK(never);
  CHECK(never->Next(At("2026-01-01T00:00:00Z")) == absl::InfiniteFuture());
  for (const char* line :
       {"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *",
        "1,,2 * * * *", "* * * foo *", "+1 * * * *", "1-2-3 * * * *"}) {
    INFO(line);
    CHECK(Reason(CronSchedule::Parse(line, "UTC").status()) == "CRON_INVALID");
  }
  CHECK(testing::Says(CronSchedule::Parse("* 24 * * *", "UTC").status(), "\"24\" is no hour"));
  CHECK(Reason(CronSchedule::Parse("* * * * *", "Mars/Olympus").status()) == "TIMEZONE_UNKNOWN");
}

TEST_CASE("ten years of every change of clocks agree with the C library") {
  const Line lines[] = {
      {"0 * * * *", true, [](const std::tm& t) { return t.tm_min == 0; }},
      {"*/15 */2 * * *", true, [](const std::tm& t) { return t.tm_hour % 2 == 0 && t.tm_min % 15 == 0; }},
      {"30 2 * * *", false, [](const std::tm& t) { return t.tm_hour == 2 && t.tm_min == 30; }},
      {"15,45 0-3 * * *", false, [](const std::tm& t) { return t.tm_hour <= 3 && t.tm_min % 30 == 15; }},
      {"0 0 1 * sun", false,
       [](const std::tm& t) { return t.tm_hour == 0 && t.tm_min == 0 && (t.tm_mday == 1 || t.tm_wday == 0); }},
  };
  const std::string name = GENERATE("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                    "Africa/Casablanca", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia");
  LibraryZone zone(name);
  const std::time_t begin = absl::ToTimeT(At("2019-01-01T00:00:00Z"));
  const std::time_t end = absl::ToTimeT(At("2029-01-01T00:00:00Z"));
  for (const Line& line : lines) {
    absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse(line.text, name);
    REQUIRE_OK(schedule);
    std::set<std::time_t> times;
    for (absl::Time time = schedule->Next(absl::FromTimeT(begin - 1)); time < absl::FromTimeT(end);
         time = schedule->Next(time)) {
      REQUIRE(times.insert(absl::ToTimeT(time)).second);
    }
    INFO(name << " " << line.text);
    CHECK(times == Reference(line, zone, begin, end));
    CHECK(times.size() >= 500);
  }
}

}  // namespace chartly
