#include "control/coordinator/capture_table.h"

#include "absl/strings/str_cat.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

v1::CaptureReport Report(bool complete, const std::vector<std::pair<std::string, int64_t>>& fetches) {
  v1::CaptureReport report;
  report.set_complete(complete);
  for (const auto& [profile, count] : fetches) {
    v1::Capture& capture = *report.add_captures();
    capture.set_profile_id(profile);
    capture.set_fetches(count);
  }
  return report;
}

std::string Names(const std::vector<v1::Capture>& captures) {
  std::string names;
  for (const v1::Capture& capture : captures) absl::StrAppend(&names, capture.name(), "=", capture.fetches(), " ");
  return names;
}

TEST_CASE("what drones tell is listed by profile and drone, page after page") {
  CaptureTable table;
  table.Take("d2", Report(true, {{"a", 1}, {"b", 2}}));
  table.Take("d1", Report(true, {{"b", 3}, {"b-c", 4}}));
  CHECK(Names(table.List("", 100, "")) ==
        "drones/d2/captures/a=1 drones/d1/captures/b=3 drones/d2/captures/b=2 drones/d1/captures/b-c=4 ");
  CHECK(Names(table.Of("b")) == "drones/d1/captures/b=3 drones/d2/captures/b=2 ");
  CHECK(table.Of("c").empty());
  std::string paged, token;
  for (int i = 0; i < 4; ++i) {
    std::vector<v1::Capture> page = table.List(token, 1, "");
    REQUIRE(page.size() == 1);
    paged += Names(page);
    token = CaptureTable::TokenOf(page[0]);
  }
  CHECK(paged == Names(table.List("", 100, "")));
  CHECK(table.List(token, 1, "").empty());
  CHECK(Names(table.List("b/d1", 100, "b")) == "drones/d2/captures/b=2 ");
}

TEST_CASE("a report changes what it names, a complete one everything of its drone") {
  CaptureTable table;
  table.Take("d1", Report(true, {{"a", 1}, {"b", 2}}));
  table.Take("d2", Report(true, {{"a", 9}}));
  table.Take("d1", Report(false, {{"a", 5}, {"b", 0}, {"c", 3}}));
  CHECK(Names(table.List("", 100, "")) == "drones/d1/captures/a=5 drones/d2/captures/a=9 drones/d1/captures/c=3 ");
  table.Take("d1", Report(true, {{"c", 4}}));
  CHECK(Names(table.List("", 100, "")) == "drones/d2/captures/a=9 drones/d1/captures/c=4 ");
  table.Forget("d1");
  table.Forget("never");
  CHECK(Names(table.List("", 100, "")) == "drones/d2/captures/a=9 ");
}

TEST_CASE("a drone that tells of too many, or of what is no profile, takes no more than its part") {
  CaptureTable table;
  v1::CaptureReport report = Report(true, {{"../x", 1}, {"", 1}});
  for (size_t i = 0; i < CaptureTable::kMaxOfDrone + 10; ++i) {
    v1::Capture& capture = *report.add_captures();
    capture.set_profile_id(absl::StrCat("p", i));
    capture.set_fetches(1);
  }
  table.Take("d1", report);
  CHECK(table.List("", 10'000, "").size() == CaptureTable::kMaxOfDrone);
  table.Take("d2", Report(true, {{"a", 1}}));
  CHECK(table.Of("a").size() == 1);
}

}  // namespace
}  // namespace chartly::coordinator
